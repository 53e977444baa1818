"""Makes the lab's logs anew: `make lab`, or `make lab TOOLS="pip npm"` for some; `CASES=PATTERN` shows some cases instead.

A tool is set up once, with a network, in ``.lab/TOOL``. Its cases run in a network namespace without a way out.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import pkgutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import agent, keep, tools
from lab.model import Tool
from lab.run import run_cases
from lab.split import HELD, part

PLACE = Path(__file__).resolve().parents[2] / ".lab"
# A tool's runs wait for servers more often than they compute.
TOGETHER = 4
SETUP_SECONDS, CASES_SECONDS = 900, 3600


def main() -> int:
    """Return 0, or 1 where a tool could not be set up or run."""
    parser = argparse.ArgumentParser(prog="make lab")
    parser.add_argument("tools", nargs="*", help="all where none is given")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--cases", default="", help="show the runs of these cases, and keep nothing")
    options = parser.parse_args()
    names = options.tools or known()
    if options.inside:
        return _inside(load(names[0]), options.cases)
    with ThreadPoolExecutor(TOGETHER) as pool:
        fine = list(pool.map(lambda name: _outside(name, options.cases), names))
    return 0 if all(fine) else 1


def known() -> list[str]:
    """Return the names of all tools' files."""
    return sorted(module.name for module in pkgutil.iter_modules(tools.__path__))


def load(name: str) -> Tool:
    """Return the tool of a file; ImportError where there is no such file."""
    found: Tool = importlib.import_module(f"lab.tools.{name}").TOOL
    return found


def _outside(name: str, cases: str) -> bool:
    tool = load(name)
    trouble = _set_up(tool)
    if trouble:
        print(f"{tool.name}: not set up: {trouble}", flush=True)
        return False
    command = ["unshare", "--net", sys.executable, "-m", "lab", "--inside", "--cases", cases, name]
    try:
        return subprocess.run(command, timeout=CASES_SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"{tool.name}: not over after {CASES_SECONDS} s", flush=True)
        return False


def _set_up(tool: Tool) -> str:
    """Set a tool up where its setup is new or changed; return what went wrong."""
    folder = PLACE / tool.name
    folder.mkdir(parents=True, exist_ok=True)
    script = agent.setup_script(tool, folder)
    mark, digest = folder / ".done", hashlib.sha256(tool.setup.encode()).hexdigest()
    if mark.exists() and mark.read_text() == digest:
        return ""
    command = ["unshare", "--mount", "sh", "-c", script]
    # The machine's own way to packages, without this project's Python.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SETUP_SECONDS, env=environment, check=False)
    except subprocess.TimeoutExpired:
        return f"not over after {SETUP_SECONDS} s"
    if done.returncode:
        return (done.stdout + done.stderr).strip()[-600:]
    mark.write_text(digest)
    return ""


def _inside(tool: Tool, cases: str) -> int:
    outcome = run_cases(tool, PLACE / tool.name, cases)
    if cases:
        for each in outcome.records:
            # Nobody writes rules from what is judged at the end.
            shown = "(held out)" if part(tool.name, each["fault"]) == HELD else each["log"]
            print(f"=== {each['id']}: {each['owner']} {each['kind']}, exit status {each['exit_code']}\n{shown}")
    else:
        keep.write(tool.name, outcome.records)
    held = sum(part(tool.name, each["fault"]) == HELD for each in outcome.records)
    print(f"{tool.name}: {len(outcome.records)} cases, {held} of them held out", flush=True)
    for identity, reason in sorted(outcome.skipped.items()):
        print(f"  not kept: {identity}: {json.dumps(reason)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
