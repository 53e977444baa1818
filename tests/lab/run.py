"""Runs a tool's cases, each on an agent and a network of its own making, and says which failed as they should."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import agent, keep, network
from lab.certificates import Certificates
from lab.faults import SERVICE
from lab.model import Case, Tool
from lab.servers import Server

# A run that its own timeout does not end.
_TOO_LONG = -1
# The shell says these of a program that it cannot start: true faults are few.
_NOT_STARTED = {
    126: ("not-executable", "no-permission", "read-only"),
    127: ("tool-missing", "tool-misspelt", "script-bug", "library-missing"),
}


@dataclass
class Outcome:
    """What came of a tool's cases: the records, and why each other case is not kept."""

    records: list[dict[str, Any]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def run_cases(tool: Tool, tools: Path, wanted: str = "") -> Outcome:
    """Run the cases whose id has this pattern. The process must be in a network namespace that nobody else uses."""
    network.prepare()
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="lab-") as temporary:
        certificates = Certificates(Path(temporary), list(network.NAMES))
        for number, case in enumerate(tool.cases()):
            identity = keep.name(tool, case)
            if not re.search(wanted, identity):
                continue
            folder = Path(temporary) / str(number)
            folder.mkdir()
            try:
                _run(tool, case, folder, tools, certificates, outcome)
            except (OSError, subprocess.SubprocessError) as error:
                outcome.skipped[identity] = f"{type(error).__name__}: {error}"
    return outcome


def _run(tool: Tool, case: Case, folder: Path, tools: Path, certificates: Certificates, outcome: Outcome) -> None:
    script = folder / "agent.sh"
    script.write_text(agent.case_script(tool, case, folder, tools, certificates.trusted.pem()))
    with ExitStack() as stack:
        server = Server(case.site, case.site.fault or case.fault, certificates) if case.site else None
        if server:
            stack.enter_context(server)
        log, status = _watched([*agent.namespaces(), "sh", str(script)], case.seconds)
    reason = _reason_against(case, server, log, status)
    if reason:
        outcome.skipped[keep.name(tool, case)] = reason
    else:
        outcome.records.append(keep.record(tool, case, log, status, _task_result(folder)))


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
