"""Runs a command in our place: its streams, its terminal and its signals are its own. Standard library only.

We stay in the command's process group and session, so the terminal's signals (Ctrl-C, Ctrl-Z, a new window size) reach it
without us. What somebody sends to us alone is passed on. Where it stops, we stop, so that a shell's job control sees it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

# Those that a process may be sent for a reason of its own.
_PASSED_ON = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGWINCH,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
_WAITED = frozenset({*_PASSED_ON, signal.SIGCHLD})
# Python ignores these; a command expects them as they were.
_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)


class Signals:
    """Holds signals back from its first moment on: those that come before the command has started reach it too."""

    def __enter__(self) -> Signals:
        # Who started us may ignore it; then we would not learn how the command ends.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

    def run(self, words: list[str], environ: dict[str, str], started: Callable[[], None] | None = None) -> int:
        """Run a command to its end; return its status, minus N where signal N ended it, 127 or 126 where it cannot run.

        ``started`` is called once it runs, or cannot.
        """
        process, status = self._spawn(words, environ)
        if started:
            started()
        while process:
            received = signal.sigwaitinfo(_WAITED)
            if received.si_signo == signal.SIGCHLD:
                ended = _ended(process)
                if ended is not None:
                    return ended
            elif received.si_code <= 0:
                # Sent by a process. The kernel's own, from the terminal, went to the command as well.
                with suppress(ProcessLookupError):
                    os.kill(process, received.si_signo)
        return status

    def _spawn(self, words: list[str], environ: dict[str, str]) -> tuple[int, int]:
        """Start the command; return its process, or 0 and the status that shells have for it."""
        try:
            return os.posix_spawnp(words[0], words, environ, setsigmask=self._before, setsigdef=_RESTORED), 0
        except FileNotFoundError:
            sys.stderr.write(f"pipeline-trace: {words[0]}: command not found\n")
            return 0, 127
        except (OSError, ValueError) as error:
            sys.stderr.write(f"pipeline-trace: {words[0]}: {getattr(error, 'strerror', None) or error}\n")
            return 0, 126


def signal_name(number: int) -> str:
    """Return a signal's name, e.g. SIGKILL; real-time signals have numbers only."""
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _ended(process: int) -> int | None:
    """Return the command's status, None while it lives; stop as long as it is stopped."""
    found, status = os.waitpid(process, os.WNOHANG | os.WUNTRACED)
    if not found:
        return None
    if not os.WIFSTOPPED(status):
        return os.waitstatus_to_exitcode(status)
    if _has_terminal():
        os.kill(os.getpid(), signal.SIGSTOP)
        # Whoever wakes us means the command, which may be in a group of its own.
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)
    return None


def _has_terminal() -> bool:
    """Tell whether there is a terminal whose shell may wake us: else we would stop for good."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
