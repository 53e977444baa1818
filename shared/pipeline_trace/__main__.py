"""The command's beginning: what has to start fast, or to work without Click, takes the short way.

Runs the package by its file path too: a Galaxy install has no pip package of ours, and no command.
"""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> None:
    """Run the command line."""
    words = sys.argv[1:]
    if words[:1] == ["exec"]:
        from pipeline_trace.exec.run import main as run_command

        # Returns where the words are for Click to answer: --help, wrong usage.
        run_command(words[1:])
    if words[:1] == ["follow"]:
        _without_click(words)
    try:
        from pipeline_trace.commands import main as run
    except ModuleNotFoundError as error:
        # A Galaxy install: scripts/build-collection leaves out what needs more packages.
        if words[:1] == ["ship"]:
            _without_click(words)
        install = f"{sys.executable or 'python3'} -m pip install pipeline-trace"
        sys.exit(f"pipeline-trace: only exec and ship work here ({error.name} is missing); for all commands: {install}")
    run()


def _without_click(words: list[str]) -> NoReturn:
    from pipeline_trace.delivery import process

    sys.exit(process.main(words))


def _as_file() -> None:
    """Run as a file: the interpreter put this folder on the path, where our modules would hide others' names."""
    from pathlib import Path

    here = Path(__file__).resolve().parent
    sys.path[:] = [str(here.parent), *(entry for entry in sys.path if Path(entry).resolve() != here)]


if __name__ == "__main__":
    if not __package__:
        _as_file()
    main()
