"""Runs the cases of a tool, each on its own agent and network, and prints which of them failed as intended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab import agent, keep, network
from lab.certificates import Certificates
from lab.faults import SERVICE
from lab.model import Case, Machine, Tool
from lab.servers import Server

# A run that its own timeout does not end.
_TOO_LONG = -1
# The shell says these of a program that it cannot start: true faults are few.
_NOT_STARTED = {
    126: ("not-executable", "no-permission", "read-only", "daemon-down", "socket-denied"),
    127: ("tool-missing", "tool-misspelt", "script-bug", "library-missing", "missing-file"),
}


@dataclass
class Outcome:
    """What came of a tool's cases: the records, and why each other case is not kept."""

    records: list[dict[str, Any]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


class Runner:
    """Runs cases of one tool. The process must be in a network namespace that nobody else uses."""

    def __init__(self, tool: Tool, tools: Path, folder: Path) -> None:
        self._tool, self._tools, self._folder = tool, tools, folder
        self._certificates = Certificates(folder, list(network.NAMES))
        self._controls: dict[str, int] = {}
        self._runs = 0

    def run(self, case: Case, outcome: Outcome) -> None:
        """Run a case, and add what came of it."""
        identity = keep.name(self._tool, case)
        try:
            folder, server, log, status = self._run(case)
            reason = _reason_against(case, server, log, status) or self._fails_anyway(case)
        except (OSError, subprocess.SubprocessError) as error:
            reason = f"{type(error).__name__}: {error}"
        if reason:
            outcome.skipped[identity] = reason
        else:
            outcome.records.append(keep.record(self._tool, case, log, status, _task_result(folder)))

    def _run(self, case: Case) -> tuple[Path, Server | None, str, int]:
        self._runs += 1
        folder = self._folder / str(self._runs)
        folder.mkdir()
        script = folder / "agent.sh"
        script.write_text(agent.case_script(self._tool, case, folder, self._tools, self._certificates.trusted.pem()))
        with ExitStack() as stack:
            server = Server(case.site, case.site.fault or case.fault, self._certificates) if case.site else None
            if server:
                stack.enter_context(server)
            log, status = _watched([*agent.namespaces(), "sh", str(script)], case.seconds)
        return folder, server, log, status

    def _fails_anyway(self, case: Case) -> str:
        """Return why the fault is not the cause: the same run fails on a healthy agent, with a healthy server."""
        if not (case.site and case.site.pages and (case.fault in SERVICE or case.machine != Machine())):
            return ""
        control = replace(case, machine=Machine(), site=replace(case.site, fault="none", at="", times=0))
        key = repr((control.script, control.files, control.env, control.before, control.site.port if control.site else 0))
        if key not in self._controls:
            self._controls[key] = self._run(control)[3]
        return f"it fails without the fault, too (exit status {self._controls[key]})" if self._controls[key] else ""


def run_cases(tool: Tool, tools: Path, wanted: str = "") -> Outcome:
    """Run the cases whose id has this pattern."""
    network.prepare()
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="lab-") as temporary:
        runner = Runner(tool, tools, Path(temporary))
        for case in tool.cases():
            if re.search(wanted, keep.name(tool, case)):
                runner.run(case, outcome)
    return outcome


def _watched(command: list[str], seconds: float) -> tuple[str, int]:
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
        return said.decode(errors="replace"), process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        return said.decode(errors="replace"), _TOO_LONG


def _reason_against(case: Case, server: Server | None, log: str, status: int) -> str:
    """Return why a run does not count: "" where it failed with its fault."""
    if status == 0:
        return "exit status 0"
    if status == _TOO_LONG:
        return f"not over after {case.seconds:.0f} s"
    if "+ " not in log[:2000]:
        return f"the agent could not be made: {log.strip()[-200:]}"
    if case.fault not in _NOT_STARTED.get(status, (case.fault,)):
        return f"the tool did not start (exit status {status})"
    if server and server.fault in SERVICE and not server.silent and not server.asked:
        return "the server was not asked"
    found = keep.MACHINE.search(keep.neutral(log))
    return f"the log names this machine: {found[0]}" if found else ""


def _task_result(folder: Path) -> Any:
    path = folder / "out" / "task_result.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
