"""What tests share: real commands in a clean environment, recordings replayed, and what they left in the store."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pipeline_trace.delivery.destinations.resources import Resources
from pipeline_trace.delivery.destinations.rows import COLUMNS, spans_of
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.trace.span import Span
from pipeline_trace_demo.recording import Recording
from support.inside import trace

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
RECORDINGS = TESTS / "recordings"
# What people may want to look at afterwards: screenshots.
OUTPUT = TESTS / "output"
DEMO = ROOT / "demo" / "pipeline_trace_demo" / "recordings"
BIN = Path(sys.executable).parent
# Another ansible-core's commands: the Makefile's test-matrix says which.
ANSIBLE = Path(os.environ.get("PIPELINE_TRACE_TEST_ANSIBLE") or BIN).absolute()
FULL_NAME = "pipeline_trace.otel.deploy_trace"

Completed = subprocess.CompletedProcess[str]


@cache
def recording(name: str) -> Recording:
    """Load a recording by its name or the beginning of it, e.g. ``11``."""
    found = [path for path in _recordings() if path.name.startswith(name)]
    return Recording.load(min(found, key=lambda path: (path.stem != name, path.name)))


def scenarios() -> list[str]:
    """Return the names of all recordings."""
    return [path.stem for path in _recordings()]


def _recordings() -> list[Path]:
    """Return the recordings: the tests' own, and those of the demo that are not among them."""
    found = {path.name: path for folder in (DEMO, RECORDINGS) for path in folder.glob("*.jsonl")}
    return [found[name] for name in sorted(found)]


def environ(folder: Path, **more: str) -> dict[str, str]:
    """Return a clean environment: nothing of ours or of OpenTelemetry's but what is asked for.

    ``folder``: a test's own; HOME and PIPELINE_TRACE_HOME are below it.
    """
    (folder / "home").mkdir(exist_ok=True)
    (folder / "home" / "ansible.cfg").touch()
    return {
        "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
        "PIPELINE_TRACE_HOME": str(folder / "trace-home"),
        "ANSIBLE_CALLBACKS_ENABLED": FULL_NAME,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
        # One process a task instead of five; what goes by files is tested where it is another way.
        "ANSIBLE_PIPELINING": "1",
        # Not the checkout's, which a test that runs here would find.
        "ANSIBLE_CONFIG": str(folder / "home" / "ansible.cfg"),
        **more,
    }


def run(*command: object, env: Mapping[str, str], timeout: float = 120, cwd: Path | None = None) -> Completed:
    """Run a real command to its end."""
    words = [str(word) for word in command]
    return subprocess.run(words, env=dict(env), capture_output=True, text=True, timeout=timeout, check=False, cwd=cwd)


def spawn(*arguments: object, env: Mapping[str, str], timeout: float = 120, cwd: Path | None = None) -> Completed:
    """Run ``pipeline-trace`` as a process to its end; ``trace`` is the quick way where no process is needed."""
    return run(BIN / "pipeline-trace", *arguments, env=env, timeout=timeout, cwd=cwd)


def poll(url: str, *arguments: object, env: Mapping[str, str]) -> Completed:
    """Run ``pipeline-trace poll --once`` over all recorded time."""
    return trace("poll", "--once", "--since", "36500d", "--jenkins-url", url, *arguments, env=env)


def playbook_command(playbook: Path, *arguments: object, hosts: str = "h1,h2,h3,", ansible: Path = ANSIBLE) -> list[str]:
    """Return the command that runs a playbook on pretended hosts, all of them this machine."""
    interpreter = f"ansible_python_interpreter={ansible / 'python'}"
    words = [ansible / "ansible-playbook", "-i", hosts, "-c", "local", "-e", interpreter, *arguments, playbook]
    return [str(word) for word in words]


def run_playbook(playbook: Path, *arguments: object, env: Mapping[str, str], hosts: str = "h1,h2,h3,") -> Completed:
    """Run a playbook with the callback enabled."""
    return run(*playbook_command(playbook, *arguments, hosts=hosts), env=env)


def write_playbook(folder: Path, text: str, name: str = "site.yml") -> Path:
    """Write a playbook; return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# The second task says that it runs, and waits for a word: no test depends on how long something takes.
WAITING = """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Fast
      ansible.builtin.debug: {msg: done}
    - name: Slow
      ansible.builtin.shell: >-
        touch {{ marks }}/{{ inventory_hostname }};
        for i in $(seq 1200); do [ -e {{ marks }}/go ] && exit 0; sleep 0.05; done; exit 1
"""

DEPLOY = """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Copy
      ansible.builtin.debug: {msg: copied}
    - name: Restart
      ansible.builtin.command: "true"
"""


def stored(env: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the spans in the local store, in the form of ``show --format json``."""
    path = Path(env["PIPELINE_TRACE_HOME"]) / "traces.db"
    if not path.exists():
        return []
    with sqlite3.connect(path) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'spans'").fetchone():
            return []
        rows = database.execute(f"SELECT {COLUMNS} FROM spans").fetchall()
        return [span.to_dict() for span in spans_of(rows, Resources(database))]


def store_spans(env: Mapping[str, str], spans: Sequence[Span]) -> None:
    """Put spans into the local store, which is made if it is missing."""
    folder = Path(env["PIPELINE_TRACE_HOME"])
    folder.mkdir(mode=0o700, exist_ok=True)
    put(folder / "traces.db", *spans)


def put(path: Path, *spans: Span) -> None:
    """Put spans into a store, which is made if it is missing."""
    store = Store(path)
    store.deliver(spans, 60.0)
    store.close()


def journals(env: Mapping[str, str]) -> list[Path]:
    """Return the journals that wait."""
    return sorted((Path(env["PIPELINE_TRACE_HOME"]) / "journals").glob("*.journal"))


def named(spans: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the one span of this name."""
    (span,) = [span for span in spans if span["name"] == name]
    return span


def by_type(spans: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the spans of a type: run, stage, playbook, host, …"""
    return [s for s in spans if kind in (s["attributes"].get("jenkins.type"), s["attributes"].get("ansible.type"))]
