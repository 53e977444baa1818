"""Starts the command line.

``exec`` and ``follow`` must start fast and work without Click, so they do not import the other commands. ``ship`` also works
without Click. The package can run by its file path: an installation from Ansible Galaxy has no ``pipeline-trace`` command.
"""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> None:
    """Run the command that the command line names, and exit with its status."""
    words = sys.argv[1:]
    if words[:1] == ["exec"]:
        from pipeline_trace.exec.run import main as run_command

        # Returns only if Click has to answer: --help, or wrong usage.
        run_command(words[1:])
    if words[:1] == ["follow"]:
        _without_click(words)
    try:
        from pipeline_trace.commands import main as run
    except ModuleNotFoundError as error:
        # An installation from Ansible Galaxy: scripts/build-collection leaves out the commands that need more packages.
        if words[:1] == ["ship"]:
            _without_click(words)
        from pipeline_trace.delivery.start import INSTALL

        sys.exit(f"pipeline-trace: only exec and ship work here ({error.name} is missing). For all commands, run: {INSTALL}")
    run()


def _without_click(words: list[str]) -> NoReturn:
    from pipeline_trace.delivery import process

    sys.exit(process.main(words))


def _as_file() -> None:
    """Take this folder off ``sys.path``: Python put it there, and our modules would hide others of the same name."""
    from pathlib import Path

    here = Path(__file__).resolve().parent
    sys.path[:] = [str(here.parent), *(entry for entry in sys.path if Path(entry).resolve() != here)]


if __name__ == "__main__":
    if not __package__:
        _as_file()
    main()
