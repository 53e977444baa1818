# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Asks Ansible what it decided: whether a failure was rescued, how a play ended, why Ansible stopped.

No hook tells this, and to decide it again from the playbook would be a second Ansible. So this reads it where Ansible keeps
it: in the TaskQueueManager, which sends the hooks, and in the frame of its ``run``, which has a play's result. It changes
nothing there. docs/decisions/0015-exit-status.md says what is read, in which versions of ansible-core.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from types import FrameType
from typing import Any

# As Ansible says it if one of its workers ended without a result.
_DEAD_WORKER = "worker was found in a dead state"
_STOPPED_BY = {-15: "SIGTERM", -2: "SIGINT"}
_BEFORE_MESSAGE = re.compile(r"^\s*(\[ERROR\]:|ERROR!)\s*")


class PlayRun:
    """Ansible's run of a play, or of one batch of it (``serial``)."""

    def __init__(self, frame: FrameType, manager: Any) -> None:
        self._frame = frame
        self._manager = manager
        self._before = self._out()

    @property
    def result(self) -> int | None:
        """Ansible's result: 0 if no host is out of the run, else another number. None while it runs, or if it broke off.

        A play that ends with ``meta: end_play`` has a result too.
        """
        result = self._frame.f_locals.get("play_return")
        return int(result) if isinstance(result, int) else None

    def lost(self, failed: Set[str]) -> list[str]:
        """Return the hosts that the play put out of the run. ``failed``: those that failed in it; some may be back."""
        out = self._out()
        return sorted((out - self._before) | (out & failed))

    @property
    def began_whole(self) -> bool:
        """Whether no host was out of the run when the play began."""
        return not self._before

    def _out(self) -> set[str]:
        return {*self._manager._failed_hosts, *self._manager._unreachable_hosts}


class Verdict:
    """What Ansible decided in one run of its TaskQueueManager. Without one, it decided nothing."""

    def __init__(self) -> None:
        self._manager: Any = None
        self._rescued: dict[str, int] = {}

    def play(self) -> PlayRun | None:
        """Return the play that Ansible is about to run. Call it in ``v2_playbook_on_play_start``."""
        frame = _frame_of_run()
        if frame is None:
            return None
        self._manager = frame.f_locals["self"]
        return PlayRun(frame, self._manager)

    def is_rescued(self, host: str) -> bool:
        """Return whether Ansible counts the failure of a host as rescued. Call it once for each failure."""
        if self._manager is None:
            return False
        # Ansible counts before it calls the hook.
        count = self._manager._stats.rescued.get(host, 0)
        before, self._rescued[host] = self._rescued.get(host, 0), count
        return bool(count > before)

    @contextmanager
    def between_hooks(self) -> Iterator[bool]:
        """Give whether Ansible calls no hook now. It calls none until this ends. For a signal handler, which cannot wait."""
        lock = getattr(self._manager, "_callback_lock", None)
        free = bool(lock and lock.acquire(blocking=False))
        try:
            yield free
        finally:
            if lock and free:
                lock.release()

    def killed_by(self, message: str) -> str:
        """Return the signal of TERM and INT that ended Ansible's workers and so the run, or an empty string.

        ``message``: why Ansible stopped. When it stops, it ends its other workers with TERM, so their exit codes say nothing
        if the reason is another one.
        """
        if self._manager is None or _DEAD_WORKER not in message:
            return ""
        codes = {_exit_code(worker) for worker in self._manager._workers} - {0}
        return _STOPPED_BY[max(codes)] if codes and codes <= _STOPPED_BY.keys() else ""


def _exit_code(worker: Any) -> int:
    """Return a worker's exit code, 0 if it has none."""
    try:
        return worker.exitcode or 0
    except (AttributeError, ValueError):
        # There was none, or Ansible has closed it.
        return 0


def _frame_of_run() -> FrameType | None:
    """Return the frame of TaskQueueManager.run that called this hook."""
    # Here, where Ansible has loaded it: not everything that uses this module needs Ansible.
    from ansible.executor.task_queue_manager import TaskQueueManager

    wanted = TaskQueueManager.run.__code__
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not wanted:
        frame = frame.f_back
    return frame


class Errors:
    """What Ansible showed as errors. The last one is why it stopped."""

    def __init__(self, display: Any) -> None:
        self._shown: Iterable[str] = getattr(display, "_errors", ())
        self._known: frozenset[str] = frozenset()

    def pass_over(self) -> None:
        """Note that all errors so far did not stop Ansible."""
        self._known = frozenset(self._shown)

    def last(self) -> str:
        """Return the first line of the error that stopped Ansible, or an empty string if that is not known."""
        new = [text for text in self._shown if text not in self._known]
        # Newer versions have a set, which has no order. Nothing else is said after a worker's death.
        found = [text for text in new if _DEAD_WORKER in text] or new
        return _BEFORE_MESSAGE.sub("", found[0]).strip().partition("\n")[0] if len(found) == 1 else ""
