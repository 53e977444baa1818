"""`pipeline-trace exec`: a span around a command."""

from __future__ import annotations

import click

from ..exec import run


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--name", default="", help="The span's name. Default: the base name of the command.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND…")
def command(name: str, words: tuple[str, ...]) -> None:
    """Run a command inside a new span.

    The command gets TRACEPARENT in its environment. Input, output, terminal and signals belong to the command; exec
    itself prints only warnings, to stderr. The exit status is the one of the command (127: not found, 126: not
    executable, 128+N: ended by signal N). exec does not wait for the delivery of the span.
    """
    run.leave(run.run(name, list(words)))
