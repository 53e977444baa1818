"""Real processes of a test: waiting for what they do, finding those that a test left behind, ending them."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """Return what ``condition`` returns as soon as that is true; AssertionError, naming ``what``, where it never is."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.02)
    return found


def listens(port: int) -> bool:
    """Return whether somebody listens at this port of 127.0.0.1."""
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def of_test(env: Mapping[str, str]) -> dict[int, str]:
    """Return the processes that have this PIPELINE_TRACE_HOME: their command lines by process id."""
    mark = f"PIPELINE_TRACE_HOME={env['PIPELINE_TRACE_HOME']}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        # It may be gone meanwhile; a zombie has no environment.
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                words = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                found[int(folder.name)] = b" ".join(words).decode(errors="replace")
    return found


def shipping(env: Mapping[str, str]) -> dict[int, str]:
    """Return the processes that follow a journal."""
    return {number: line for number, line in of_test(env).items() if " follow " in line}


def end_all(env: Mapping[str, str]) -> None:
    """Kill every process of a test, whatever it is."""
    for number in of_test(env):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
