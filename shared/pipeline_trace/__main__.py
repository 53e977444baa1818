"""Runs the package by its file path too: a Galaxy install has no pip package of ours, and no command."""

from __future__ import annotations

import sys
from pathlib import Path


def _run() -> None:
    if not __package__:
        # Run as a file: the interpreter put this folder on the path, where our modules would hide others' names.
        here = Path(__file__).resolve().parent
        sys.path[:] = [str(here.parent), *(entry for entry in sys.path if Path(entry).resolve() != here)]
    from pipeline_trace import shipper

    if len(sys.argv) > 1 and sys.argv[1] in shipper.COMMANDS:
        # These work where Click is not installed.
        sys.exit(shipper.main(sys.argv[1:]))
    try:
        from pipeline_trace.commands import main
    except ModuleNotFoundError as error:
        # A Galaxy install: scripts/build-collection leaves out what needs more packages.
        install = f"{sys.executable or 'python3'} -m pip install pipeline-trace"
        sys.exit(f"pipeline-trace: only ship works here ({error.name} is missing); for all commands: {install}")
    main()


if __name__ == "__main__":
    _run()
