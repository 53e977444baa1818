"""Reads the Ansible results that ended a playbook, from the callback's facts or from the output. Does no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_HEADER = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(.*)\]")
_FATAL = re.compile(
    r"^(?:fatal|failed): \[([^\]]+?)(?: -> [^\]]*)?\]: (FAILED|UNREACHABLE)! => (.*)"
    r"|^failed: \[([^\]]+?)\] \(item=.*?\) => (.*)"
)
_RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=\d+ +unreachable=(\d+) +failed=(\d+)")
# Of a text in a result, only the last lines are read.
_TAIL = 40
_TEXTS = (
    "msg",
    "reason",
    "module_stderr",
    "module_stdout",
    "exception",
    "stderr",
    "stdout",
    "response",
    "details",
    "content",
    "body",
    "failures",
)
# The program behind a module.
_PROGRAMS = {
    "uri": "curl",
    "get_url": "curl",
    "k8s": "kubectl",
    "k8s_info": "kubectl",
    "subversion": "svn",
    "package": "apt",
    "dnf5": "dnf",
    "npm": "npm",
    "synchronize": "rsync",
}


@dataclass(frozen=True)
class TaskFailure:
    """A task that failed, with the hosts that it failed on. ``program``: the program behind the module, "" if not known.

    ``command``: what the task ran, "" where its module runs none or its result does not tell it. ``place``: all names in it.
    """

    unreachable: bool
    hosts: tuple[str, ...]
    task: str
    action: str
    text: str
    place: str
    command: str
    program: str
    code: int | None


def failure_of_results(facts: Any) -> TaskFailure | None:
    """Return the failure in Ansible results; None for none. ``facts``: one result, or a list with one for each host."""
    results = [fact for fact in (facts if isinstance(facts, list) else [facts]) if isinstance(fact, Mapping)]
    if not results:
        return None
    last = results[-1]
    alike = [fact for fact in results if fact.get("task") == last.get("task")]
    # A host that failed tells more than one that Ansible could not reach.
    chosen = next((fact for fact in alike if fact.get("event") == "failed"), last)
    result = chosen.get("result")
    return _failure(
        chosen.get("event") == "unreachable",
        tuple(str(fact.get("host") or "") for fact in alike),
        str(chosen.get("task") or ""),
        str(chosen.get("action") or ""),
        result if isinstance(result, Mapping) else {"msg": str(result)},
    )


def failure_of_output(lines: Sequence[str]) -> TaskFailure | None:
    """Return the failure that ended a playbook, without ignored and rescued ones; None for none."""
    left = {match[1]: match[2] != "0" or match[3] != "0" for match in map(_RECAP.match, lines) if match}
    task, found = "", []
    for number, line in enumerate(lines):
        header = _HEADER.match(line)
        task = header[1] if header else task
        fatal = _FATAL.match(line)
        if not fatal:
            continue
        text = _whole(lines, number, fatal[3] or fatal[5] or "")
        ignored = any(after.startswith("...ignoring") for after in lines[number + 1 : number + 2 + text.count("\n")])
        host = fatal[1] or fatal[4]
        if not ignored and left.get(host, True):
            found.append((task, host, fatal[2] == "UNREACHABLE", _read(text)))
    if not found:
        return None
    alike = [one for one in found if one[0] == found[-1][0]]
    chosen = next((one for one in alike if not one[2]), alike[-1])
    return _failure(chosen[2], tuple(one[1] for one in alike), chosen[0], "", chosen[3])


def _failure(unreachable: bool, hosts: tuple[str, ...], task: str, action: str, result: Mapping[str, Any]) -> TaskFailure:
    # The output does not name the module, but only `assert` has this key.
    module = action.rpartition(".")[2] or ("assert" if "assertion" in result else "")
    command = _command(result.get("cmd"))
    program = _PROGRAMS.get(module, module.split("_")[0])
    if module in ("command", "shell", "script", "raw"):
        program = command.split(" ")[0].rpartition("/")[2]
    place = [str(result[key]) for key in ("url", "repo", "name", "dest", "path", "src", "host", "port") if result.get(key)]
    code = result.get("rc")
    return TaskFailure(
        unreachable=unreachable,
        hosts=hosts,
        task=task,
        action=module,
        text="\n".join(_texts(result)),
        place=" ".join([task, *place, command]),
        command=command,
        program="ssh" if unreachable else program,
        code=code if isinstance(code, int) else None,
    )


def _texts(result: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """Yield the texts in a result, the message first. For a loop, yield the texts of its failed items."""
    for key in _TEXTS:
        value = result.get(key)
        if isinstance(value, str) and value.strip() and value != "(traceback unavailable)":
            yield "\n".join(value.strip().splitlines()[-_TAIL:])
        elif isinstance(value, (list, Mapping)) and value:
            yield json.dumps(value, default=str)[:2000]
    status = result.get("status_code", result.get("status"))
    if isinstance(status, int) and status >= 400:
        yield f"HTTP status {status}"
    if result.get("assertion"):
        yield f"assertion: {result['assertion']}"
    items = result.get("results")
    if depth == 0 and isinstance(items, list):
        for item in items:
            if isinstance(item, Mapping) and (item.get("failed") or item.get("unreachable")):
                yield from _texts(item, 1)
            elif isinstance(item, str):
                yield item


def _command(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _whole(lines: Sequence[str], number: int, first: str) -> str:
    """Return a result that the output shows over several lines."""
    if not first.rstrip().endswith("{"):
        return first
    text = [first]
    for line in lines[number + 1 :]:
        text.append(line)
        if line.startswith("}"):
            break
    return "\n".join(text)


def _read(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {"msg": text}
    return value if isinstance(value, Mapping) else {"msg": text}
