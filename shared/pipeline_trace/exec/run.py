"""Implements `exec`: runs a command, and writes a span for it.

It imports little, so that the command starts without delay.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from ..delivery import destinations, home, journal
from ..delivery.start import ShippingProcess
from ..place import locate
from ..place.w3c import Place, child_environment
from ..trace import clock, ids, masking, resource
from ..trace import conventions as c
from ..trace.span import Span
from . import child

# The time limit for git outside CI. The command starts only after it.
_GIT_SECONDS = 0.03
_FLUSH_SECONDS = 60.0


def main(words: Sequence[str]) -> None:
    """Run ``[--name N] [--] COMMAND…``, and exit with its status. Return only if the arguments do not have this form."""
    name, rest = "", list(words)
    while rest and rest[0].startswith("--name"):
        first = rest.pop(0)
        if first == "--name" and rest:
            name = rest.pop(0)
        elif first.startswith("--name="):
            name = first.removeprefix("--name=")
        else:
            return
    if rest[:1] == ["--"]:
        rest = rest[1:]
    elif rest[:1] in (["-h"], ["--help"]):
        return
    if rest:
        leave(run(name, rest))


def leave(status: int) -> NoReturn:
    """Exit without Python's cleanup, which would only take time."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            # None, if the caller has closed it.
            if stream:
                stream.flush()
    os._exit(status)


def run(name: str, words: list[str]) -> int:
    """Run a command, and write a span for it. Return its exit status, or 128 + N if signal N ended it.

    ``name``: the span's name; if empty, the base name of the command.
    """
    _occupy_closed_streams()
    with child.Signals() as signals:
        return _run(name, words, signals)


def _run(name: str, words: list[str], signals: child.Signals) -> int:
    environ = dict(os.environ)
    if destinations.is_disabled(environ):
        return _status(signals.run(words, environ))
    try:
        folder = home.find_home(environ)
    except home.HomeError as error:
        return _untraced(words, environ, signals, error)
    place = locate.locate(environ, folder.path, git_seconds=_GIT_SECONDS)
    for warning in (folder.warning, *place.warnings):
        if warning:
            child.say(warning)
    now = clock.start_clock()
    span = _span(name or os.path.basename(words[0]), words, place, now())
    span.resource = {**resource.from_environment(environ, "pipeline-trace"), **place.resource}
    inner = child_environment(environ, place, span.span_id)
    if not place.sampled:
        return _status(signals.run(words, inner))
    wrong = destinations.setup_warning(environ)
    if wrong:
        child.say(wrong)
    try:
        writer = journal.Writer(folder.journals)
    except journal.JournalError as error:
        return _untraced(words, environ, signals, error)
    writer.open(span)

    def started() -> None:
        with suppress(OSError):
            ShippingProcess(writer.path, environ, _FLUSH_SECONDS).release()

    status = signals.run(words, inner, started)
    _end(span, status, now())
    writer.span(span)
    writer.end()
    if writer.dropped:
        child.say(f"the span could not be written to {writer.path} ({writer.problem}); free some space there")
    return _status(status)


def _untraced(words: list[str], environ: dict[str, str], signals: child.Signals, error: Exception) -> int:
    child.say(f"not traced: {error}")
    return _status(signals.run(words, environ))


def _span(name: str, words: list[str], place: Place, start_ns: int) -> Span:
    return Span(
        trace_id=place.trace_id,
        span_id=ids.random_span_id(),
        parent_id=place.parent_id,
        name=masking.masked(name),
        start_ns=start_ns,
        attributes={c.PROCESS_EXECUTABLE_NAME: masking.masked(os.path.basename(words[0])), **place.attributes},
        links=list(place.links),
    )


def _end(span: Span, status: int, end_ns: int) -> None:
    """Set the span's end, result and status. ``status``: the exit status, or minus N if signal N ended the command."""
    span.end_ns = end_ns
    span.attributes[c.TASK_RUN_RESULT] = c.SUCCESS if status == 0 else c.FAILURE
    if status >= 0:
        span.attributes[c.PROCESS_EXIT_CODE] = status
    if status:
        signal_name = child.signal_name(-status) if status < 0 else ""
        span.attributes[c.ERROR_TYPE] = signal_name or str(status)
        span.fail(f"ended by {signal_name}" if signal_name else f"exit status {status}")


def _status(status: int) -> int:
    return status if status >= 0 else 128 - status


def _occupy_closed_streams() -> None:
    """Open what the caller has closed, for this process only: else a journal could become the stream that errors go to."""
    for number in (0, 1, 2):
        with suppress(OSError):
            os.fstat(number)
            continue
        with suppress(OSError):
            # Takes the lowest free number. The command gets the stream closed, as without us.
            os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
