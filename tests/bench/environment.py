"""The benchmark's own environment: a venv with Ansible, OpenTelemetry and community.general, and the no-op callback."""

from __future__ import annotations

import ast
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venvs" / "bench"
PYTHON = VENV / "bin" / "python"
OURS = "pipeline_trace.otel.deploy_trace"
NOOP = "bench_noop"
THEIRS = "community.general.opentelemetry"

_CALLBACK = ROOT / "collections/ansible_collections/pipeline_trace/otel/plugins/callback/deploy_trace.py"
# The newest ansible-core that a Python can have; a newer Python takes the newest there is.
_CORES = {(3, 10): "2.17", (3, 11): "2.19", (3, 12): "2.21", (3, 13): "2.21"}
_OPENTELEMETRY = ("opentelemetry-sdk", "opentelemetry-exporter-otlp")
_TOLD = ("ansible-core", "ansible", "opentelemetry-sdk", "opentelemetry-exporter-otlp", "protobuf", "requests")


def prepare() -> None:
    """Make the venv where it is missing. The package ``ansible`` may fail: it only brings community.general."""
    done = VENV / ".bench-installed"
    if done.exists():
        return
    core = _CORES.get(sys.version_info[:2])
    pinned = f"ansible-core~={core}.0" if core else "ansible-core"
    print(f"Setting up {VENV} with {pinned}, then community.general (package ansible, a large one) ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    _install(pinned, *_OPENTELEMETRY)
    try:
        _install(pinned, "ansible")
    except subprocess.CalledProcessError:
        print(f"the package ansible does not install here: {THEIRS} is left out", file=sys.stderr)
    done.touch()


def _install(*packages: str) -> None:
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)


def community_version() -> str:
    """Return the version of community.general, or nothing where it is not installed."""
    for manifest in VENV.glob("lib/python*/site-packages/ansible_collections/community/general/MANIFEST.json"):
        return str(json.loads(manifest.read_text())["collection_info"]["version"])
    return ""


def versions() -> list[str]:
    """Return what the figures depend on, each as words for people."""
    words = [str(PYTHON), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    installed = {package["name"]: package["version"] for package in listed}
    found = [
        f"{os.cpu_count()} cores ({processor()})",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
    ]
    found += [f"{name} {installed[name]}" for name in _TOLD if name in installed]
    return [*found, f"community.general {community_version() or '(does not install here, left out)'}"]


def processor() -> str:
    """Return what the processor is called."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def write_noop(folder: Path) -> None:
    """Write a callback that has all hooks of ours, and does nothing in them."""
    module = ast.parse(_CALLBACK.read_text())
    (body,) = (node.body for node in module.body if isinstance(node, ast.ClassDef))
    hooks = [node for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("v2_")]
    (folder / f"{NOOP}.py").write_text("\n".join(_noop_lines(hooks)) + "\n")


def _noop_lines(hooks: Iterable[ast.FunctionDef]) -> Iterable[str]:
    documentation = {"name": NOOP, "type": "notification", "short_description": "nothing", "description": ["Does nothing."]}
    # JSON is YAML.
    yield f"DOCUMENTATION = {json.dumps(documentation)!r}"
    yield "from ansible.plugins.callback import CallbackBase"
    yield "class CallbackModule(CallbackBase):"
    yield "    CALLBACK_VERSION = 2.0"
    yield "    CALLBACK_TYPE = 'notification'"
    yield f"    CALLBACK_NAME = '{NOOP}'"
    yield "    CALLBACK_NEEDS_ENABLED = True"
    for hook in hooks:
        yield f"    def {hook.name}({ast.unparse(hook.args)}): pass"


def environ(folder: Path, endpoint: str, callback: str) -> dict[str, str]:
    """Return the environment of a measured process. ``folder``: the benchmark's own; ``endpoint``: the receiver."""
    bench = Path(__file__).parent
    (folder / "ansible.cfg").touch()
    return {
        "PATH": f"{VENV / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(bench),
        "PIPELINE_TRACE_HOME": str(folder / "trace-home"),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        **({} if callback == "none" else {"ANSIBLE_CALLBACKS_ENABLED": callback}),
        "ANSIBLE_CALLBACK_PLUGINS": f"{bench / 'callback_plugins'}:{folder / 'noop'}",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": "bench_probe",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
    }
