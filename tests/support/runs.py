"""Playbooks that run as real processes, several at once, and what their journals held, though it was shipped and deleted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import support
from support import processes

Spans = list[dict[str, Any]]


@dataclass
class Kept:
    """What a journal held: spans by id, as they were begun and as they ended, and the last line's reason."""

    begun: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    reason: str | None = None

    @property
    def ids(self) -> set[str]:
        """Return the ids of all spans."""
        return {*self.begun, *self.ended}


class Run:
    """An ansible-playbook that runs. ``folder``: where its output goes."""

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str],
        playbook: Path,
        *arguments: object,
        hosts: str = "h1,h2,h3,",
        session: bool = False,
        pipes: bool = False,
    ) -> None:
        """``session``: in a session of its own. ``pipes``: its output goes to one pipe, not to files."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.env = env
        self._file = -1
        command = support.playbook_command(playbook, *arguments, hosts=hosts)
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            self.process = subprocess.Popen(
                # Whoever runs the tests may ignore SIGINT, and children inherit that.
                ["env", "--default-signal=INT", *command],
                env=dict(env),
                # Away from this checkout's ansible.cfg, which enables the callback.
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else out,
                stderr=subprocess.STDOUT if pipes else err,
                start_new_session=session,
            )

    @property
    def stdout(self) -> str:
        """Return what it said on stdout so far."""
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        """Return what it said on stderr so far."""
        return (self.folder / "stderr").read_text()

    def end(self, seconds: float = 60) -> int:
        """Return its exit status, minus N where signal N ended it."""
        return self.process.wait(seconds)

    def find_journal(self, seconds: float = 60) -> bool:
        """Open its journal as soon as it is there, to read it when it is deleted; False where the playbook ended before."""
        folder = Path(self.env["PIPELINE_TRACE_HOME"]) / "journals"
        mark = f"-{self.process.pid}.journal"
        deadline = time.monotonic() + seconds
        while self._file < 0:
            if folder.is_dir():
                for name in os.listdir(folder):
                    if name.endswith(mark) and not name.startswith("."):
                        self._file = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
                        return True
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < deadline, "no journal in time"
            time.sleep(0.003)
        return True

    def wait_for_line(self, count: int, seconds: float = 60) -> bool:
        """Return when the journal has so many lines; False where the playbook ended before."""
        deadline = time.monotonic() + seconds
        if not self.find_journal(seconds):
            return False
        while self.journal_bytes().count(b"\n") < count:
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < deadline, f"no {count} lines in time"
            time.sleep(0.003)
        return True

    def journal_bytes(self) -> bytes:
        """Return all that was written to the journal."""
        return os.pread(self._file, 1 << 30, 0) if self._file >= 0 else b""

    def kept(self) -> Kept:
        """Return what the journal held."""
        kept = Kept()
        for raw in self.journal_bytes().split(b"\n")[:-1]:
            line = json.loads(raw)
            if line["type"] == "end":
                kept.reason = line["reason"]
            else:
                (kept.begun if line["type"] == "open" else kept.ended)[line["span_id"]] = line
        return kept

    def shipping(self, seconds: float = 20) -> int:
        """Return the id of the process that ships its journal, 0 where the playbook has ended without one."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")

        def found() -> int | None:
            try:
                for child in children.read_text().split():
                    if b"\0follow\0" in Path(f"/proc/{child}/cmdline").read_bytes():
                        return int(child)
            except OSError:
                pass
            return 0 if self.process.poll() is not None else None

        deadline = time.monotonic() + seconds
        while (number := found()) is None:
            assert time.monotonic() < deadline, "no shipping process in time"
            time.sleep(0.002)
        return number

    def ships(self) -> bool:
        """Tell whether its shipping process has the journal open."""
        number = self.shipping()
        try:
            links = [os.readlink(link) for link in Path(f"/proc/{number}/fd").iterdir()]
        except OSError:
            return False
        return any(link.endswith(f"-{self.process.pid}.journal") for link in links)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        self.process.send_signal(number)

    def shown(self) -> list[tuple[str, str]]:
        """Return the results of hosts that stdout shows: task and host."""
        found, task = [], ""
        for line in self.stdout.splitlines():
            title = re.match(r"(?:TASK|RUNNING HANDLER) \[(.+)\] \**$", line)
            result = re.match(r"(?:ok|changed|fatal|skipping): \[(\w+)\](?!.*\(item=)", line)
            if title:
                task = title[1]
            elif result:
                found.append((task, result[1]))
        return found

    def close(self) -> None:
        """Kill it where it still runs, and let go of its journal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def end_all(env: Mapping[str, str], runs: Sequence[Run] = (), seconds: float = 30.0) -> None:
    """Wait until nothing of a test is shipped any more, and end all that is left.

    Ansible leaves a worker behind now and then where it is killed, with and without us: that may be left.
    """
    try:
        processes.wait_for(lambda: not processes.shipping(env), "end of all shipping processes", seconds)
    finally:
        processes.end_all(env)
        for run in runs:
            run.close()


def ours(stderr: str) -> list[str]:
    """Return the lines on stderr that are ours."""
    return [line.strip() for line in stderr.splitlines() if "pipeline-trace" in line]


def ids(spans: Spans) -> set[str]:
    """Return the ids of spans."""
    return {span["span_id"] for span in spans}
