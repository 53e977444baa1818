"""`exec` in front of an interactive program, in a real terminal with a real shell."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
import support
from support import processes

pytestmark = pytest.mark.process

PROMPT = "ready> "
EXEC = f"{support.BIN}/pipeline-trace exec --"


@pytest.fixture
def shell(env: dict[str, str], tmp_path: Path) -> Iterator[pexpect.spawn]:
    """An interactive shell in a terminal of its own."""
    inside = {**env, "PS1": PROMPT, "TERM": "dumb"}
    # Whoever runs the tests may ignore SIGINT, and children inherit that.
    words = ["--default-signal", "bash", "--norc", "--noprofile", "--noediting", "-i"]
    child = pexpect.spawn("env", words, env=inside, encoding="utf-8", timeout=60)
    child.delaybeforesend = None
    child.setecho(False)
    child.expect_exact(PROMPT)
    yield child
    child.close(force=True)
    processes.end_all(env)


def script(folder: Path, text: str) -> str:
    """Return the command that runs a Python program within a span."""
    path = folder / "program.py"
    path.write_text(f"import os, signal, sys, time\n{text}", encoding="utf-8")
    return f"{EXEC} {sys.executable} -u {path}"


def test_an_interactive_program_has_the_terminal(shell: pexpect.spawn, tmp_path: Path) -> None:
    text = "print([os.isatty(n) for n in (0, 1, 2)], os.tcgetpgrp(0) == os.getpgrp())\nprint('got', input('name? '))\n"
    shell.sendline(script(tmp_path, text))
    shell.expect_exact("[True, True, True] True")
    shell.expect_exact("name? ")
    shell.sendline("Ada")
    shell.expect_exact("got Ada")
    shell.expect_exact(PROMPT)


def test_ctrl_c_reaches_the_program_once_and_it_decides(shell: pexpect.spawn, tmp_path: Path) -> None:
    text = (
        "count = []\nsignal.signal(signal.SIGINT, lambda *a: count.append(1))\nprint('waiting')\n"
        "end = time.time() + 20\nwhile not count and time.time() < end: time.sleep(0.05)\n"
        "time.sleep(0.5)\nprint('times', len(count))\nsys.exit(5)\n"
    )
    shell.sendline(script(tmp_path, text))
    shell.expect_exact("waiting")
    shell.sendintr()
    shell.expect_exact("times 1\r\n")
    shell.expect_exact(PROMPT)
    shell.sendline("echo status=$?")
    shell.expect_exact("status=5")


def test_ctrl_c_ends_a_program_that_does_not_mind_it(shell: pexpect.spawn, env: dict[str, str]) -> None:
    shell.sendline(f"{EXEC} sh -c 'echo waiting$((1)); exec sleep 60'")
    shell.expect_exact("waiting1")
    shell.sendintr()
    shell.expect_exact(PROMPT)
    shell.sendline("echo status=$?")
    shell.expect_exact("status=130")
    processes.wait_for(lambda: support.stored(env), "span")
    (span,) = support.stored(env)
    assert (span["status"]["code"], span["attributes"]["error.type"]) == ("ERROR", "SIGINT")


def test_ctrl_z_stops_it_and_fg_goes_on(shell: pexpect.spawn) -> None:
    shell.sendline(f"{EXEC} cat")
    shell.sendline("one")
    shell.expect_exact("one\r\n")
    shell.sendcontrol("z")
    shell.expect_exact("Stopped")
    shell.expect_exact(PROMPT)
    shell.sendline("fg")
    shell.expect_exact("cat\r\n")
    shell.sendline("two")
    shell.expect_exact("two\r\n")
    shell.sendeof()
    shell.expect_exact(PROMPT)
    shell.sendline("echo status=$? jobs=$(jobs | wc -l)")
    shell.expect_exact("status=0 jobs=0")


@pytest.mark.parametrize("how", ["SIGTSTP", "SIGSTOP"])
def test_a_program_that_stops_itself_alone_gives_the_shell_back(shell: pexpect.spawn, tmp_path: Path, how: str) -> None:
    """Editors do: the terminal's Ctrl-Z is an ordinary key to them."""
    text = f"print('editing')\nos.kill(os.getpid(), signal.{how})\nprint('again')\n"
    shell.sendline(script(tmp_path, text))
    shell.expect_exact("editing")
    shell.expect_exact("Stopped")
    shell.expect_exact(PROMPT)
    shell.sendline("fg")
    shell.expect_exact("again")
    shell.expect_exact(PROMPT)


def test_a_program_in_the_background_that_reads_is_stopped_as_ever(shell: pexpect.spawn) -> None:
    shell.sendline(f"{EXEC} cat &")
    shell.expect_exact(PROMPT)
    # The shell tells of a stopped job before its next prompt.
    for _ in range(100):
        shell.sendline("sleep 0.1; jobs")
        if shell.expect_exact(["Stopped", PROMPT]) == 0:
            break
    else:
        pytest.fail("never stopped")
    shell.expect_exact(PROMPT)
    shell.sendline("kill %1; wait %1; fg; echo over")
    shell.expect_exact("over")


def test_a_new_window_size_reaches_the_program(shell: pexpect.spawn, tmp_path: Path) -> None:
    text = (
        "def tell(*a): print('size', *os.get_terminal_size())\n"
        "signal.signal(signal.SIGWINCH, tell)\nprint('waiting')\ninput()\n"
    )
    shell.setwinsize(30, 90)
    shell.sendline(script(tmp_path, text))
    shell.expect_exact("waiting")
    shell.setwinsize(40, 133)
    shell.expect_exact("size 133 40")
    shell.sendline("")
    shell.expect_exact(PROMPT)


def test_a_shell_within_has_job_control_of_its_own(shell: pexpect.spawn) -> None:
    shell.sendline(f"PS1='inner> ' {EXEC} bash --norc --noprofile --noediting -i")
    shell.expect_exact("inner> ")
    shell.sendline("sh -c 'echo going$((1)); exec sleep 60'")
    shell.expect_exact("going1")
    shell.sendcontrol("z")
    shell.expect_exact("Stopped")
    shell.expect_exact("inner> ")
    shell.sendline("kill -KILL %1; disown; exit 4")
    shell.expect_exact(PROMPT)
    shell.sendline("echo status=$?")
    shell.expect_exact("status=4")
