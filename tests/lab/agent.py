"""The agent of a case: a shell script that makes its folders, files and limits, then runs the tool's script."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from lab import network
from lab.model import Case, Machine, Tool

HOME = "/home/jenkins"
WORKSPACE = f"{HOME}/workspace/shop"
SCRIPT = f"{WORKSPACE}@tmp/durable-5d1c7a02/script.sh.copy"
TOOLS = f"{HOME}/tools"
USER = 1000
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_IDENTITY = f"--reuid={USER} --regid={USER} --clear-groups"
_PATH = "/usr/local/bin:/usr/bin:/bin"
# What every agent has, also one that lacks a program.
_BASICS = (
    "sh bash ls cat echo env mkdir rm cp mv touch chmod head tail grep sed awk sleep true false test expr id tar gzip "
    "date uname dirname basename"
)
_TRUST = "SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE PIP_CERT GIT_SSL_CAINFO NODE_EXTRA_CA_CERTS"
# Settings of this machine that a case must not see.
_HIDDEN = ("/etc/pip.conf", "/etc/gitconfig", "/etc/npmrc")


def namespaces() -> list[str]:
    """Return the words before a command that gets its own mounts, processes and host name, and leaves none of them."""
    return ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]


def setup_script(tool: Tool, folder: Path) -> str:
    """Return the shell that sets a tool up in its folder: at the path where the agent will see it."""
    return "\n".join(["set -e", *_folders(tool, folder, Machine()), f"cd {TOOLS}/{tool.name}", tool.setup])


def case_script(tool: Tool, case: Case, folder: Path, tools: Path, authority: bytes) -> str:
    """Write a case's files into the folder; return the shell that lays out the agent and runs the case's script."""
    _write(folder, case, authority)
    host, fault = (case.site.host, case.site.fault or case.fault) if case.site else (_host_in(case), case.fault)
    (folder / "hosts").write_text(network.hosts(fault, host) if host else network.hosts("", ""))
    (folder / "resolv").write_text(network.resolver(fault))
    machine = case.machine
    lines = [
        "set -e",
        f"hostname {network.AGENT}",
        f'as_jenkins() {{ setpriv {_IDENTITY} env HOME={HOME} "$@"; }}',
        *_folders(tool, tools, machine),
        *(f"mount --bind {folder}/{name} {path}" for name, path in _overlays()),
        f"cp -a {folder}/home/. {HOME}/",
        f"cp -a {folder}/workspace/. {WORKSPACE}/",
        f"mkdir -p {SCRIPT.rpartition('/')[0]} {HOME}/out && cp {folder}/script {SCRIPT}",
        f"mount --bind {folder}/out {HOME}/out && chown {USER} {HOME}/out",
        f"chown {USER}:{USER} {HOME}; find {HOME} -mindepth 1 -maxdepth 1 ! -name tools -exec chown -R {USER}:{USER} {{}} +",
        *_without(machine, tool),
        f"mount -t tmpfs -o mode=1777{_size(machine.temp)} tmpfs /tmp && mount -t tmpfs -o mode=755 tmpfs /run",
        f"cd {WORKSPACE}",
        case.before,
        *(f"mount -o remount,bind,ro {path} 2>/dev/null || mount --bind -o ro {path} {path}" for path in machine.read_only),
        *_background(case),
        f"cd {WORKSPACE}",
        *_end(machine),
        f"exec {_limited(machine)} {shlex.join(_environment(tool, case))} sh -xe {SCRIPT} </dev/null",
    ]
    return "\n".join(line for line in lines if line)


def _folders(tool: Tool, own: Path, machine: Machine) -> list[str]:
    lines = ["mount -t tmpfs -o mode=755 tmpfs /home", f"mkdir -p {WORKSPACE} {TOOLS}/{tool.name}"]
    lines.append(f"mount --bind {own} {TOOLS}/{tool.name}")
    for name, source in tool.mounts.items():
        lines.append(f"mkdir -p {TOOLS}/{name} && mount --bind {source} {TOOLS}/{name}")
    if machine.workspace:
        lines.append(f"mount -t tmpfs -o mode=755{_size(machine.workspace)} tmpfs {WORKSPACE}")
    lines.append(f"chown {USER}:{USER} {HOME} {HOME}/workspace {WORKSPACE}")
    return lines


def _write(folder: Path, case: Case, authority: bytes) -> None:
    for name in ("home", "workspace", "out"):
        (folder / name).mkdir()
    for name, content in case.files.items():
        path = folder / "home" / name[2:] if name.startswith("~/") else folder / "workspace" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "script").write_text(case.script.strip() + "\n")
    (folder / "passwd").write_text(
        f"root:x:0:0:root:/root:/bin/sh\njenkins:x:{USER}:{USER}::{HOME}:/bin/sh\ndeploy:x:1001:1001::/home/deploy:/bin/sh\n"
        "sshd:x:104:65534::/run/sshd:/usr/sbin/nologin\n_apt:x:100:65534::/nonexistent:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
    (folder / "group").write_text(f"root:x:0:\njenkins:x:{USER}:\ndeploy:x:1001:\nnogroup:x:65534:\n")
    (folder / "bundle").write_bytes(authority)
    (folder / "nothing").touch()


def _overlays() -> list[tuple[str, str]]:
    shown = [("hosts", "/etc/hosts"), ("resolv", "/etc/resolv.conf"), ("passwd", "/etc/passwd"), ("group", "/etc/group")]
    hidden = [("nothing", path) for path in _HIDDEN if os.path.exists(path)]
    return [*shown, ("bundle", BUNDLE), *hidden]


def _host_in(case: Case) -> str:
    return next((name for name in network.NAMES if name in case.script), "")


def _without(machine: Machine, tool: Tool) -> list[str]:
    if not machine.without:
        return []
    names = shlex.join(set(_BASICS.split()) - set(machine.without))
    return [f"mkdir -p {TOOLS}/bin; for n in {names}; do p=$(command -v $n) && ln -s $p {TOOLS}/bin/ || true; done"]


def _background(case: Case) -> list[str]:
    if not case.service:
        return []
    # A second is enough for a server on loopback.
    return [f"( {case.service}\n) >{HOME}/service.log 2>&1 &", "sleep 1"]


def _end(machine: Machine) -> list[str]:
    signal, pattern, seconds = machine.kill
    return [f"( sleep {seconds}; pkill -{signal} -f {shlex.quote(pattern)} ) >/dev/null 2>&1 &"] if signal else []


def _limited(machine: Machine) -> str:
    limits = {"as": machine.memory << 20, "nofile": machine.open_files, "nproc": machine.processes}
    options = [f"--{name}={value}:{value}" for name, value in limits.items() if value]
    return f"prlimit {shlex.join(options)} setpriv {_IDENTITY}" if options else f"setpriv {_IDENTITY}"


def _environment(tool: Tool, case: Case) -> list[str]:
    own = [f"{TOOLS}/{name}" for name in tool.path]
    path = ":".join([f"{TOOLS}/bin"] if case.machine.without else [*own, _PATH])
    values: Mapping[str, str] = {
        "HOME": HOME,
        "USER": "jenkins",
        "LANG": "C.UTF-8",
        "PATH": path,
        "CI": "true",
        "JENKINS_URL": "https://jenkins.example/",
        "BUILD_NUMBER": "47",
        "WORKSPACE": WORKSPACE,
        **dict.fromkeys(_TRUST.split(), BUNDLE),
        **tool.env,
        **case.env,
    }
    return ["env", "-i", *(f"{name}={value}" for name, value in values.items())]


def _size(size: str) -> str:
    return f",size={size}" if size else ""
