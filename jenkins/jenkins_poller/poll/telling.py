"""Gives the notifier how builds ended, while their spans are made. A problem of the notifier never stops a poll."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline_trace.delivery.home import Home
from pipeline_trace.notify import settings as notify_settings
from pipeline_trace.notify.settings import Settings, SettingsError
from pipeline_trace.ownership.verdict import Verdict
from pipeline_trace.trace.span import Span

from .logs import Changes, say

if TYPE_CHECKING:
    from pipeline_trace.notify.notifier import Notifier


def settings(environ: Mapping[str, str]) -> tuple[Settings | None, str]:
    """Return the notifier's settings, None for no notifier, and what is wrong with them, "" for nothing."""
    try:
        return notify_settings.from_environment(environ), ""
    except SettingsError as error:
        return None, f"no failures are told: {error}"


def notifier(found: Settings, home: Home, *, history: bool) -> Notifier | None:
    """Return the notifier, not started; None if it cannot be used, which is logged. ``history``: see Notifier."""
    # Imported here: few services have a notifier.
    from pipeline_trace.notify.disk import BookError
    from pipeline_trace.notify.notifier import Notifier

    def warn(line: str) -> None:
        say(logging.WARNING, line)

    try:
        return Notifier(found, home, os.environ, warn, history=history)
    except (BookError, OSError) as error:
        warn(f"no failures are told: {error}")
        return None


class Telling:
    """Takes the builds of one controller."""

    def __init__(self, told_by: Notifier, controller: str) -> None:
        """``controller``: its address, which names its outcomes on the disk."""
        self._notifier = told_by
        self._inbox = told_by.inbox(controller)
        self._changes = Changes(controller=controller)

    def ended(self, run: Span, verdict: Verdict | None) -> None:
        """Take a build before its spans are written: a build that is read again is not told again.

        ``run``: its run span. ``verdict``: see verdicts.set_verdict.
        """
        from pipeline_trace.notify.judging import outcome_of_build

        if run.end_ns < self._notifier.since_ns:
            return
        outcome = outcome_of_build(run, verdict)
        try:
            if outcome:
                self._inbox.add(outcome)
                self._changes.well("failures are told again")
        except OSError as error:
            self._changes.problem("disk", f"a failure is not told: {error}")

    def polled(self) -> None:
        """Let the notifier look at what ended: the poll is over, so only the last build of each job counts."""
        try:
            self._inbox.close()
        except OSError as error:
            self._changes.problem("disk", f"a failure is not told: {error}")
        self._notifier.look()
