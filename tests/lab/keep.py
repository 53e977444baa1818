"""What is kept of a run: one record, with secrets masked, this machine's traces made neutral, and the log cut."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab.faults import FAULTS
from lab.model import Case, Tool
from lab.split import HELD, SEEN, part
from pipeline_trace.trace import redact

CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "lab"
LINES, CHARACTERS = 120, 8000
# Public registries are nobody's here: a tool may name its default one.
_REGISTRIES = (
    r"(?:[a-z-]+\.)*(?:pypi\.org|pythonhosted\.org|npmjs\.org|registry\.yarnpkg\.com|golang\.org|crates\.io|maven\.org|maven\.apache\.org|"
    r"debian\.org|docker\.io|docker\.com|gradle\.org|registry\.k8s\.io|ghcr\.io|quay\.io)"
)
_DOCUMENTATION = r"(?:docs|help|pkg\.go|go)\."
_NEUTRAL = (
    (re.compile(rf"(?<![\w.@-])(?!{_DOCUMENTATION}){_REGISTRIES}(?![\w-])"), "registry.example"),
    (re.compile(r"(?<![\w/])/root(?=/)"), "/home/jenkins"),
    (re.compile(r"/root(?=/\.(?:cache|config|npm|m2|cargo))"), "/home/jenkins"),
    (re.compile(r"/tmp/lab-[a-z0-9_]+"), "/tmp/run"),
)
# Why an index has no versions, in pip's words.
_WHY_NONE = re.compile(
    r"refused|timed out|reset by|resol(?:ve|ution)|\b(?:40[1379]|429|5\d\d)\b|certificate|ssl|tls|unreachable(?!=)|retrying",
    re.IGNORECASE,
)
# What differs from run to run: addresses in memory, times, process numbers. A status has three digits.
_CHANCE = re.compile(r"0x[0-9a-f]+|\d+(?:[.:]\d+)+|\d{4,}|\d+ ?m?s\b|[0-9.]+[kM]?(?= )(?=.*--:--)")
_MEMORY = re.compile(r"memor|alloc|heap|oom", re.IGNORECASE)
# What no kept record may have: where this checkout and its runs are.
MACHINE = re.compile(
    "|".join(
        (re.escape(str(CORPUS.parents[2])), re.escape(f"{tempfile.gettempdir()}/lab-"), r"/root/\.", r"/proc/self/fd/\d+/")
    )
)


def record(tool: Tool, case: Case, log: str, status: int, task_result: Any = None) -> dict[str, Any]:
    """Return what is kept of a case's run, in the form of the given corpora."""
    fault = FAULTS[case.fault]
    return {
        "id": name(tool, case),
        "tool": tool.name,
        "fault": case.fault,
        "what": case.what or fault.what,
        "command": redact.masked(case.script.strip()),
        "exit_code": status,
        "log": cut(redact.masked(neutral(log))),
        "task_result": _shown(task_result),
        "owner": case.owner or fault.owner,
        "why": case.why or fault.why,
        "kind": case.kind or fault.kind,
    }


def judged(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records; an owner that the log cannot tell becomes unknown: it is empty, or another owner's is the same."""
    found = list(records)
    owners: dict[tuple[str, str, int], set[str]] = {}
    for each in found:
        owners.setdefault(_look(each), set()).add(each["owner"])
    return [_unclear(each, len(owners[_look(each)]) > 1) for each in found]


def _unclear(each: dict[str, Any], has_twin: bool) -> dict[str, Any]:
    if has_twin:
        return {**each, "owner": "unknown", "why": "other faults, of another owner, have the same log"}
    if all(line.startswith("+ ") or not line.strip() for line in each["log"].splitlines()):
        return {**each, "owner": "unknown", "why": "the tool says nothing"}
    said = f"{each['log']}{json.dumps(each.get('task_result') or '')}"
    if each["owner"] == "ops" and "(from versions: none)" in said and not _WHY_NONE.search(said):
        return {**each, "owner": "unknown", "why": "pip names no cause: the index may not answer, or not have the package"}
    if each.get("fault") == "out-of-memory" and not _MEMORY.search(each["log"]):
        return {**each, "owner": "unknown", "why": "a bare signal tells no cause"}
    return each


def _look(each: dict[str, Any]) -> tuple[str, str, int]:
    return each["command"], _CHANCE.sub("", each["log"]), each["exit_code"]


def _shown(value: Any) -> Any:
    """Return a result of Ansible with each text masked and neutral."""
    if isinstance(value, dict):
        return {key: _shown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner) for inner in value]
    return redact.masked(neutral(value)) if isinstance(value, str) else value


def name(tool: Tool, case: Case) -> str:
    """Return a case's id: the tool, the fault and the variant."""
    return "/".join(filter(None, (tool.name, case.fault, case.variant)))


def neutral(log: str) -> str:
    """Return the log without names of this machine and of public registries."""
    for pattern, instead in _NEUTRAL:
        log = pattern.sub(instead, log)
    return log


def cut(log: str) -> str:
    """Return the last lines of a log, as many as are kept; a line that is cut in its middle is left out."""
    lines = log.splitlines(keepends=True)[-LINES:]
    size = sum(map(len, lines))
    while len(lines) > 1 and size > CHARACTERS:
        size -= len(lines.pop(0))
    return "".join(lines)[-CHARACTERS:]


def write(tool: str, records: Iterable[dict[str, Any]]) -> None:
    """Write a tool's records, each into its part; what an earlier run kept of the tool goes."""
    found = judged(records)
    for side in (SEEN, HELD):
        path = CORPUS / side / f"{tool}.jsonl"
        lines = [json.dumps(each, ensure_ascii=False) for each in found if part(tool, each["fault"]) == side]
        path.unlink(missing_ok=True)
        if lines:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
