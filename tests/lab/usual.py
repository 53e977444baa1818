"""Faults that are put in the same way with many tools: those of the agent, and a change that the log shows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from lab.agent import WORKSPACE
from lab.model import Case, Machine

Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Work:
    """A run of a tool that ends well on a healthy agent, and what it takes to disturb it.

    ``size`` and ``temp``: sizes of file systems that are too small for it. ``memory`` (MiB), ``open_files``: limits that are
    too low. ``output``: a folder that it writes into. ``slow``: a script that takes longer than four seconds. What is left
    empty gives no case.
    """

    program: str
    script: str
    files: Files = field(default_factory=dict)
    before: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 60
    size: str = ""
    temp: str = ""
    memory: int = 0
    open_files: int = 0
    output: str = ""
    slow: str = ""
    slow_files: Files = field(default_factory=dict)


def agent_cases(work: Work) -> Iterator[Case]:
    """Yield the cases in which the agent disturbs the work."""
    for fault, machine in _machines(work):
        yield _case(work, fault, machine)
    if work.output:
        owned = f"mkdir -p {work.output} && touch {work.output}/.old && chmod 755 {work.output}"
        yield _case(work, "no-permission", before=f"{work.before}\n{owned}")
    without = Machine(without=(work.program,))
    yield _case(work, "tool-missing", without)
    yield _case(work, "tool-misspelt", script=work.script.replace(work.program, misspelt(work.program)))
    if work.slow:
        files = {**work.files, **work.slow_files}
        # Node and Python stand before what they run; some programs give themselves a title.
        pattern = rf"(^|[ /(]){work.program.replace('+', '.')}( |$|\))"
        for fault, signal in (("killed", "KILL"), ("terminated", "TERM")):
            yield _case(work, fault, Machine(kill=(signal, pattern, 3)), script=work.slow, files=files)
        yield _case(work, "timeout", script=f"timeout 3 {work.slow}", files=files)


def _machines(work: Work) -> Iterator[tuple[str, Machine]]:
    yield "read-only", Machine(read_only=(WORKSPACE,))
    if work.size:
        yield "disk-full", Machine(workspace=work.size)
    if work.temp:
        yield "temp-full", Machine(temp=work.temp)
    if work.memory:
        yield "out-of-memory", Machine(memory=work.memory)
    if work.open_files:
        yield "too-many-files", Machine(open_files=work.open_files)


def _case(
    work: Work,
    fault: str,
    machine: Machine | None = None,
    script: str = "",
    files: Files | None = None,
    before: str = "",
) -> Case:
    return Case(
        fault,
        script or work.script,
        files=work.files if files is None else files,
        machine=machine or Machine(),
        before=before or work.before,
        env=work.env,
        seconds=work.seconds,
    )


def misspelt(program: str) -> str:
    """Return the name with two letters exchanged: the first two that differ."""
    at = next(number for number in range(len(program) - 1) if program[number] != program[number + 1])
    return program[:at] + program[at + 1] + program[at] + program[at + 2 :]


def shown_change(name: str, old: str, new: str) -> tuple[str, str]:
    """Return what goes before a case so that the last commit put ``new`` in place of ``old`` in a file; and the line of a
    script that shows it."""
    identity = "-c user.name=ci -c user.email=ci@shop.example"
    commit = f"git add -A . && git {identity} commit -q"
    steps = f"sed -i s#{new}#{old}#g {name} && {commit} -m one && sed -i s#{old}#{new}#g {name} && {commit} -m two"
    return f"as_jenkins sh -c 'git init -q . && {steps}'", f"git diff HEAD~1 -- {name}"


def dev(script: str, base: Files, *rows: tuple[str, str, Files]) -> Iterator[Case]:
    """Yield a case for each fault, variant and changed files, with one script."""
    for fault, variant, files in rows:
        yield Case(fault, script, variant, files={**base, **files}, seconds=60)


def unclear(case: Case, faults: Collection[str], why: str) -> Case:
    """Return the case; without an owner, if its fault is one of these: its log cannot tell."""
    return replace(case, owner="unknown", why=why) if case.fault in faults else case
