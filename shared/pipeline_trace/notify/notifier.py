"""Runs the notifier: a thread that reads outcomes, decides what is new, and sends it. What makes outcomes never waits."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Any

from ..delivery import schedule
from ..delivery.destinations import SetupError
from ..delivery.home import Home
from ..lookup.lookup import Lookup, NotFoundError, local_lookup
from ..ownership.log.rules import RulesError, load_rules
from . import disk, forms, judging, template, webhook
from .arrivals import Arrivals
from .message import message_of, values_of
from .outcome import Failing, Outcome
from .saying import Once, Say
from .settings import Settings
from .told import Book, Story

# Between two looks, and where another process has the book, seconds.
_TICK = 5.0
_BUSY = 1.0
# New failures in one round whose history is read: it can take a second for each.
_MOST_HISTORIES = 20
# A message that the webhook does not accept is left out after so many tries.
_MOST_UNFIT = 3
# What may have a problem.
_ROUND, _WEBHOOK, _TEMPLATE = "round", "webhook", "template"


class Notifier:
    """Tells what is new. One thread of a service; others may run on this machine and share the home folder."""

    def __init__(
        self, settings: Settings, home: Home, environ: Mapping[str, str], say: Say, *, history: bool, watch: bool = False
    ) -> None:
        """``say``: called with a line for people. ``history``: the store of this machine gets the spans.

        ``watch``: also look for builds and playbooks in the store. Raises BookError, OSError.
        """
        self._settings = settings
        self._home = home
        self._environ = environ
        self._say = Once(say)
        self._history = history
        self._arrivals = Arrivals(home) if watch else None
        self._folder = disk.folder_of(home)
        self.since_ns = disk.prepare(self._folder, time.time_ns()).since_ns
        # Whether the next message has the built-in form, because the webhook did not accept the template's.
        self._plain = False
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def inbox(self, name: str) -> disk.Inbox:
        """Return an inbox. ``name``: of what makes the outcomes, the same after a restart."""
        return disk.Inbox(self._folder, hashlib.sha256(name.encode()).hexdigest()[:16])

    def look(self) -> None:
        """Let the thread look at once, because an inbox was closed."""
        self._wake.set()

    def close(self, seconds: float) -> None:
        """Send what is new within ``seconds``, and stop. The rest is sent after the next start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            last = self._stopping.is_set()
            pause = self._guarded_round()
            if last:
                break
            self._wake.wait(pause)
            self._wake.clear()
        if self._arrivals:
            self._arrivals.close()

    def _guarded_round(self) -> float:
        """Do a round; return the seconds until the next one."""
        try:
            pause = self._round()
        except Exception as error:
            # Any error: the next round may succeed.
            known = isinstance(error, OSError | SetupError | RulesError | disk.BookError | sqlite3.Error)
            said = str(error) if known else f"{type(error).__name__}: {error}; please report this error"
            self._say.problem(_ROUND, self._settings.webhook.hidden(f"failures are not told now: {said}"))
            return _TICK
        self._say.well(_ROUND, "failures are told again")
        return pause

    def _round(self) -> float:
        with disk.locked(self._folder) as is_ours:
            if not is_ours:
                return _BUSY
            book = self._send(self._updated(disk.prepare(self._folder, time.time_ns())))
        now = time.time()
        return min(max(book.waits(now), 0.05), _TICK) if book.due(now) else _TICK

    def _updated(self, book: Book) -> Book:
        """Return the book with all new outcomes. It is saved."""
        files = disk.ready(self._folder)
        outcomes = [outcome for path in files for outcome in disk.outcomes_in(path)]
        seen_s = book.seen_s
        with closing(local_lookup(self._home)) as lookup:
            if self._arrivals:
                traces, seen_s = self._arrivals.since(book.seen_s)
                outcomes += self._watched(lookup, traces, book)
            if outcomes or seen_s != book.seen_s:
                book = replace(book, seen_s=seen_s).with_outcomes(outcomes, self._judge(lookup), time.time_ns())
                disk.save(self._folder, book)
        if self._arrivals:
            self._arrivals.looked()
        for path in files:
            path.unlink(missing_ok=True)
        return book

    def _watched(self, lookup: Lookup, traces: Sequence[str], book: Book) -> list[Outcome]:
        """Return the outcomes in traces of the store. Raises RulesError, SetupError."""
        if not traces:
            return []
        rules, found = load_rules(), list[Outcome]()
        for trace_id in traces:
            with self._alone(f"the trace {trace_id}"):
                found += judging.outcomes_of_trace(lookup, trace_id, book.since_ns, rules)
        return found

    def _judge(self, lookup: Lookup) -> Callable[[Outcome], Failing]:
        left = _MOST_HISTORIES if self._history else 0

        def judged(outcome: Outcome) -> Failing:
            nonlocal left
            failing = outcome.failing
            assert failing
            if left > 0:
                left -= 1
                with self._alone(failing.run), suppress(RulesError, SetupError):
                    return judging.with_history(lookup, outcome, failing, load_rules())
            return failing

        return judged

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Say an error of one item, so that it does not stop the others. What concerns all of them is raised."""
        try:
            yield
        except (RulesError, SetupError, sqlite3.Error):
            raise
        except NotFoundError:
            # A trace may be removed in between.
            pass
        except Exception as error:
            self._say.problem(name, f"{name} cannot be judged ({type(error).__name__}: {error}); please report this error")

    def _send(self, book: Book) -> Book:
        """Send what may be sent now, until a message does not arrive. Return the book, which is saved."""
        while (messages := book.due(now := time.time())) and not book.waits(now):
            told = book.with_told(messages[0], now)
            # Written before: where the disk is full, nothing is sent, else it would be sent again and again.
            disk.write(self._folder, told)
            answer = webhook.send(self._settings.webhook, self._body(messages[0]), self._environ)
            if answer.problem and not (answer.unfit and book.tries + 1 >= _MOST_UNFIT):
                return self._failed(book, answer)
            disk.commit(self._folder)
            book = told
            self._plain = False
            if answer.problem:
                self._say.problem(_WEBHOOK, f"{self._settings.said} does not accept a message ({answer.problem})")
            else:
                self._say.well(_WEBHOOK, f"{self._settings.said} takes messages again")
            if self._stopping.is_set():
                break
        return book

    def _failed(self, book: Book, answer: webhook.Answer) -> Book:
        """Note that a message did not arrive. Return the book, which is saved."""
        self._plain = answer.unfit
        tries = book.tries + 1
        later = schedule.next_try(tries, answer.wait, time.time())
        book = replace(book, tries=tries, problem=answer.problem, next_try=later)
        disk.save(self._folder, book)
        # The first failure is often a passing one, and is tried again at once.
        if tries > 1 or answer.wait:
            self._say.problem(_WEBHOOK, f"{self._settings.said} takes no messages ({answer.problem}); they wait on the disk")
        return book

    def _body(self, stories: Sequence[Story]) -> Any:
        """Return the body of a message: by the user's template, else in the built-in form."""
        settings = self._settings
        if settings.template and not self._plain:
            values = values_of(stories, lambda text: forms.escaped_for(settings.form, text))
            try:
                body = template.body_from(settings.template, settings.form, values)
            except template.TemplateError as error:
                self._say.problem(_TEMPLATE, settings.webhook.hidden(f"{error}; messages have the built-in form"))
            else:
                self._say.well(_TEMPLATE)
                return body
        return forms.body_of(settings.form, message_of(stories), values_of(stories))
