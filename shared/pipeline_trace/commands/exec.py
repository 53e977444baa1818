"""`pipeline-trace exec`: a span around a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

import click

from .. import context, destinations, home, ids, journal, redact, resource, where
from .. import conventions as c
from ..shipper import Shipper
from ..span import Span


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--name", help="The span's name; default: the command's base name.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND…")
def command(name: str | None, words: tuple[str, ...]) -> None:
    """Run a command within a span of its own, with TRACEPARENT in its environment.

    Prints nothing of its own; the exit status is the command's (127: not found, 126: not executable).
    """
    sys.exit(run(name or Path(words[0]).name, list(words)))


def run(name: str, words: list[str]) -> int:
    """Run a command within a span; return its exit status, 128 + N where signal N ended it."""
    environ = dict(os.environ)
    if destinations.disabled(environ):
        return _run(words, environ, None)
    try:
        folder = home.find(environ)
        writer = journal.Writer(folder.journals)
    except (home.HomeError, journal.JournalError) as error:
        sys.stderr.write(f"pipeline-trace: not traced: {error}\n")
        return _run(words, environ, None)
    place = where.stand(environ, folder.path)
    for warning in place.warnings:
        sys.stderr.write(f"pipeline-trace: {warning}\n")
    if not place.sampled:
        writer.discard()
        return _run(words, environ, None)
    span = Span(
        trace_id=place.trace_id,
        span_id=ids.random_span_id(),
        parent_id=place.parent_id,
        name=redact.text(name),
        start_ns=time.time_ns(),
        attributes={"process.executable.name": Path(words[0]).name, **place.attributes},
        links=list(place.links),
        resource={**resource.from_environment(environ, "pipeline-trace"), **place.resource},
    )
    writer.open(span)
    with suppress(OSError):
        Shipper(writer.path, environ, flush_limit=60.0).release()
    environ[context.TRACEPARENT] = context.format_traceparent(span.trace_id, span.span_id)
    return _run(words, environ, (writer, span))


def _run(words: list[str], environ: dict[str, str], record: tuple[journal.Writer, Span] | None) -> int:
    status = _Child(words, environ).run()
    if record:
        writer, span = record
        _end(span, status)
        writer.span(span)
        writer.end()
    return status if status >= 0 else 128 - status


class _Child:
    """The command. TERM and INT are passed on to it, also those that come before it has started."""

    def __init__(self, words: list[str], environ: dict[str, str]) -> None:
        self._words = words
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def run(self) -> int:
        """Run it; return its status, minus N where signal N ended it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        try:
            self._process = subprocess.Popen(self._words, env=self._environ)
        except FileNotFoundError:
            sys.stderr.write(f"pipeline-trace: {self._words[0]}: command not found\n")
            return 127
        except (OSError, ValueError) as error:
            sys.stderr.write(f"pipeline-trace: {self._words[0]}: {getattr(error, 'strerror', None) or error}\n")
            return 126
        for early in self._early:
            self._pass_on(early, None)
        return self._process.wait()

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if self._process is None:
            self._early.append(number)
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(number)


def _end(span: Span, status: int) -> None:
    span.end_ns = time.time_ns()
    span.attributes[c.TASK_RUN_RESULT] = c.SUCCESS if status == 0 else c.FAILURE
    if status >= 0:
        span.attributes["process.exit.code"] = status
    if status:
        said = f"exit status {status}" if status > 0 else f"ended by {signal.Signals(-status).name}"
        span.attributes[c.ERROR_TYPE] = str(status) if status > 0 else signal.Signals(-status).name
        span.fail(said)
