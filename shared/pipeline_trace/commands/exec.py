"""`pipeline-trace exec`: a span around a command."""

from __future__ import annotations

import click

from ..exec import run


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--name", default="", help="The span's name; default: the command's base name.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND…")
def command(name: str, words: tuple[str, ...]) -> None:
    """Run a command within a span of its own, with TRACEPARENT in its environment.

    Prints nothing of its own; streams, terminal and signals are the command's, and so is the exit status (127: not found,
    126: not executable, 128+N: ended by signal N). Delivery goes on in the background.
    """
    run.leave(run.run(name, list(words)))
