"""The command line in the test's own process: what a user sees of it, without what it costs to start one."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner

from pipeline_trace import commands


def trace(*arguments: object, env: Mapping[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``pipeline-trace`` to its end as its own process would, with this environment alone.

    Not for `exec` and `serve`, which take a process over.
    """
    words = ["pipeline-trace", *(str(word) for word in arguments)]
    with _restored(cwd):
        # None takes away what this process has.
        only = dict.fromkeys(os.environ) | dict(env)
        with CliRunner().isolation(env=only) as (out, err, _):
            sys.argv = words
            try:
                commands.main()
            except SystemExit as end:
                status = end.code
            sys.stdout.flush()
            sys.stderr.flush()
            said, complained = out.getvalue(), err.getvalue()
    assert isinstance(status, int)
    return subprocess.CompletedProcess(words, status, _text(said), _text(complained))


def _text(said: bytes) -> str:
    return said.decode(errors="surrogateescape").replace("\r\n", "\n")


@contextmanager
def _restored(cwd: Path | None) -> Iterator[None]:
    """Put back what a command changes in its process: arguments, folder, and where logging goes."""
    root = logging.getLogger()
    names = (None, "urllib3", "pipeline_trace.poll")
    levels = {name: logging.getLogger(name).level for name in names}
    handlers, argv, folder = root.handlers[:], sys.argv, Path.cwd()
    if cwd:
        os.chdir(cwd)
    try:
        yield
    finally:
        os.chdir(folder)
        sys.argv = argv
        root.handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
