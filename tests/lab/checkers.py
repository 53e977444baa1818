"""Faults that every checker of source files may have: the call, the program, the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lab.model import Case, Machine


def call_faults(run: str, files: Mapping[str, str | bytes], *, option: str, misspelt: str) -> Iterator[Case]:
    """Yield the faults around a checker. ``option``: one that it does not have. ``misspelt``: its name, mistyped."""
    program = run.split()[0]
    yield Case("wrong-option", f"{run} {option}", files=files)
    yield Case("tool-misspelt", run.replace(program, misspelt, 1), files=files)
    yield Case("tool-missing", run, files=files, machine=Machine(without=(program,)))
    yield Case("out-of-memory", run, files=files, machine=Machine(memory=20))
    yield Case("too-many-files", run, files=files, machine=Machine(open_files=11))
    yield Case("undefined-variable", f"set -u\n{run} $EXTRA_OPTIONS", files=files)


def venv(packages: str) -> str:
    """Return the setup of a tool that comes from PyPI."""
    return f"/usr/bin/python3 -m venv .\nbin/pip install --quiet {packages}"
