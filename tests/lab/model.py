"""What a tool's file is made of: the tool, its cases, and what each case finds: a server, a machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reply:
    """What a healthy server answers at one path."""

    body: bytes = b""
    type: str = "application/octet-stream"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """A web server that the tool asks. It has the case's fault, or ``fault`` where the case is about something else."""

    pages: Mapping[str, Reply] = field(default_factory=dict)
    # A fault of HTTP answers appears only where the path, with its query, matches. Faults of connections are everywhere.
    at: str = ""
    host: str = "registry.example"
    tls: bool = True
    port: int = 0
    fault: str = ""
    # After so many faulty answers it is healthy. 0: never.
    times: int = 0


@dataclass(frozen=True)
class Machine:
    """What is wrong with the agent. Sizes are as mount takes them; "" is enough for all."""

    workspace: str = ""
    temp: str = ""
    read_only: tuple[str, ...] = ()
    # MiB of address space, open files, processes, bytes of one file.
    memory: int = 0
    open_files: int = 0
    processes: int = 0
    # Programs that are not on this agent.
    without: tuple[str, ...] = ()
    # A signal, a pattern of pgrep -f, and after how many seconds it comes.
    kill: tuple[str, str, float] = ("", "", 0.0)


@dataclass(frozen=True)
class Case:
    """One run of a tool with one fault. README.md explains each field."""

    fault: str
    script: str
    variant: str = ""
    what: str = ""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    site: Site | None = None
    machine: Machine = Machine()
    before: str = ""
    service: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 30
    # Where the label is not that of the fault.
    owner: str = ""
    kind: str = ""
    why: str = ""


@dataclass(frozen=True)
class Tool:
    """A tool, how it gets onto the agent, and its cases."""

    name: str
    cases: Callable[[], Iterable[Case]]
    # Shell, run once as root, with a network, in the tool's own folder: ~/tools/NAME of the agent.
    setup: str = ""
    # Folders of this machine, by the name below ~/tools that the agent sees.
    mounts: Mapping[str, str] = field(default_factory=dict)
    # Folders below ~/tools that lead PATH.
    path: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
