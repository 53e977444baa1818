"""Runs a command so that it behaves as without us: same streams, same terminal, same signals.

The command stays in our process group and session, so signals from the terminal (Ctrl-C, Ctrl-Z, a new window size) reach it
directly. We pass on signals that are sent to our process only. If the command stops, we stop too, so that job control of the
shell works.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

# Signals that another process may send to the command.
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
# Python ignores these signals. The command gets their default action.
_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)


class Signals:
    """Blocks signals while in use, so that signals from before the start of the command reach the command too."""

    def __enter__(self) -> Signals:
        # If our parent process ignored SIGCHLD, we would not get the command's exit status.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

    def run(self, words: list[str], environ: dict[str, str], started: Callable[[], None] | None = None) -> int:
        """Run a command, and wait for its end. Return its exit status, or minus N if signal N ended it.

        If the command cannot start, return 127 (not found) or 126, as shells do. ``started``: called after the start, even
        if it fails.
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
                # A process sent it. Signals from the terminal come from the kernel, and reach the command directly.
                with suppress(ProcessLookupError):
                    os.kill(process, received.si_signo)
        return status

    def _spawn(self, words: list[str], environ: dict[str, str]) -> tuple[int, int]:
        """Start the command. Return its process id and 0, or 0 and the exit status that shells use for the failure."""
        try:
            return os.posix_spawnp(words[0], words, environ, setsigmask=self._before, setsigdef=_RESTORED), 0
        except FileNotFoundError:
            say(f"{words[0]}: command not found")
            return 0, 127
        except (OSError, ValueError) as error:
            say(f"{words[0]}: {getattr(error, 'strerror', None) or error}")
            return 0, 126


def say(text: str) -> None:
    """Write a line to stderr, if there is one: it may be closed, full, or a pipe that nobody reads."""
    with suppress(OSError, ValueError):
        if sys.stderr:
            sys.stderr.write(f"pipeline-trace: {text}\n")


def signal_name(number: int) -> str:
    """Return the name of a signal, such as SIGKILL; for real-time signals, ``signal N``."""
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _ended(process: int) -> int | None:
    """Return the command's exit status, or None if it has not ended. If the command is stopped, stop this process too."""
    found, status = os.waitpid(process, os.WNOHANG | os.WUNTRACED)
    if not found:
        return None
    if not os.WIFSTOPPED(status):
        return os.waitstatus_to_exitcode(status)
    if _has_terminal():
        os.kill(os.getpid(), signal.SIGSTOP)
        # SIGCONT to us is meant for the command, which may be in another process group.
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)
    return None


def _has_terminal() -> bool:
    """Return whether there is a terminal. Without one, no shell would continue us after a stop."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
