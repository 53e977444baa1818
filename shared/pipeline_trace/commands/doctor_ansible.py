"""The checks of `doctor` on the Ansible that is first in PATH. They run Ansible's own commands, in parallel."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..delivery import destinations
from .doctor_checks import BROKEN, HINT, OK, Check

NAME = "pipeline_trace.otel.deploy_trace"
_OLDEST = (2, 16)
_SECONDS = 30.0
_VERSION = re.compile(r"\[core (\d+)\.(\d+)[^\]]*\]")
_CONFIG = re.compile(r"^\s*config file = (.*)$", re.MULTILINE)
_PYTHON = re.compile(r"^\s*python version = .*\((/[^()]*)\)\s*$", re.MULTILINE)


def ansible(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check whether Ansible is new enough, and whether it enables and finds the callback when run in this folder."""
    playbook = shutil.which("ansible-playbook", path=environ.get("PATH"))
    if not playbook:
        yield Check("ansible", HINT, "no ansible-playbook in PATH", "python3 -m pip install ansible-core")
        return
    beside = Path(playbook).parent
    asked = (
        [playbook, "--version"],
        [str(beside / "ansible-config"), "dump", "--format", "json"],
        [str(beside / "ansible-doc"), "-t", "callback", "--json", NAME],
    )
    with ThreadPoolExecutor(len(asked)) as pool:
        version, config, doc = pool.map(lambda words: _said(words, environ), asked)
    found = _VERSION.search(version)
    if not found:
        yield Check("ansible", BROKEN, f"{playbook} --version does not work", f"run it to see why: {playbook} --version")
        return
    cfg = (_CONFIG.search(version) or ["", "None"])[1].strip()
    said = f"{playbook}, ansible-core {found[0][6:-1]}, config file {cfg}"
    if (int(found[1]), int(found[2])) < _OLDEST:
        mend = "python3 -m pip install 'ansible-core >= 2.16'"
        yield Check("ansible", BROKEN, f"{said}: too old", mend)
    else:
        yield Check("ansible", OK, said)
    enabled = NAME in _enabled(config)
    yield _callback(enabled, cfg)
    yield _collection(enabled, doc)
    python = _PYTHON.search(version)
    if python and destinations.traces_endpoint(environ):
        yield _exporters(python[1], environ)


def _callback(enabled: bool, cfg: str) -> Check:
    if enabled:
        return Check("callback", OK, f"{NAME} is enabled")
    where = "an ansible.cfg in this folder" if cfg == "None" else cfg
    mend = f"in {where}, section [defaults]: callbacks_enabled = {NAME}"
    return Check("callback", HINT, f"{NAME} is not enabled for playbooks run from this folder", mend)


def _collection(enabled: bool, doc: str) -> Check:
    try:
        known = NAME in json.loads(doc)
    except ValueError:
        known = False
    if known:
        return Check("collection", OK, "Ansible finds the callback")
    mend = "install pipeline-trace with pip for the Python of that Ansible, or the collection with ansible-galaxy"
    return Check("collection", BROKEN if enabled else HINT, "Ansible does not find the callback", mend)


def _exporters(python: str, environ: Mapping[str, str]) -> Check:
    """Check whether the Python that runs playbooks can send spans over OTLP."""
    code = "import opentelemetry.sdk, opentelemetry.exporter.otlp.proto.http; print('yes')"
    if _said([python, "-c", code], environ).strip() == "yes":
        return Check("exporter", OK, f"{python} has the OTLP exporter")
    mend = f"{python} -m pip install opentelemetry-sdk opentelemetry-exporter-otlp"
    return Check("exporter", BROKEN, f"an endpoint is set, but {python} has no OTLP exporter", mend)


def _enabled(config: str) -> list[str]:
    try:
        entries = json.loads(config)
    except ValueError:
        return []
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name") == "CALLBACKS_ENABLED":
            value = entry.get("value")
            return [str(name).strip() for name in value] if isinstance(value, list) else []
    return []


def _said(words: list[str], environ: Mapping[str, str]) -> str:
    """Return what a command writes to stdout; "" if it cannot run or takes too long."""
    try:
        return subprocess.run(
            words,
            env={**environ, "ANSIBLE_NOCOLOR": "1", "PAGER": "cat"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
