"""Makes logs of runs that end well: `python -m lab.fine OUTPUT [ID...]`, in tests/.

``fine_runs/*.yaml`` says what runs. Real tools run, verbosely, and their output is kept neutral, one JSON object a line:
id, tool, what, handled (whether something failed on the way), command, exit_code (always 0), log. A judge that finds a
decisive cause in one of them is wrong.
Tools are those that ``fine_runs/tools.sh`` puts into ``.lab/fine``, then those on the path. A run whose tools are missing,
or that fails, is left out, and a line on stderr says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import frames, keep, neutral

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / ".lab" / "fine"
_SECONDS = 200
# Variables that name certificates and registries of this machine.
_KEPT = re.compile(
    r"^(?:SSL_CERT_(?:FILE|DIR)|(?:CURL|REQUESTS)_CA_BUNDLE|PIP_CERT|NODE_EXTRA_CA_CERTS|GIT_SSL_CAINFO|LANG)$"
)
# The set-up of a run prints nothing; its variables and processes stay.
_SCRIPT = "exec 8>&1 9>&2 >/dev/null 2>&1\nset -e\n{setup}\nexec >&8 2>&9 8>&- 9>&-\nset {options}\n{run}\n"


@dataclass(frozen=True)
class Run:
    """A run of a tool that ends well.

    ``parts``: how many pieces of a long log are kept; the last one is always one of them. ``handled``: something failed on
    the way, and a retry, a test that expects it or the script got over it.
    """

    id: str
    tool: str
    what: str
    run: str
    setup: str = ""
    frame: str = "plain"
    parts: int = 1
    handled: bool = False
    needs: Sequence[str] = ()
    files: Mapping[str, str] | None = None


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for, and write the logs. Exit status: 0, 2 without an output file."""
    if not arguments:
        print("usage: python -m lab.fine OUTPUT [ID...]", file=sys.stderr)
        return 2
    output, *wanted = arguments
    with open(output, "w", encoding="utf-8") as file:
        for run in runs():
            if not wanted or run.id in wanted:
                for case in cases(run, TOOLS):
                    file.write(json.dumps(case, ensure_ascii=False) + "\n")
                file.flush()
    return 0


def runs() -> Iterator[Run]:
    """Yield what the files say. Raises TypeError for a field that no run has."""
    for path in sorted((HERE / "fine_runs").glob("*.yaml")):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
            yield Run(**entry)


def cases(run: Run, tools: Path) -> list[dict[str, Any]]:
    """Return a run's cases: the pieces of its log. None if it fails or lacks a tool."""
    missing = [name for name in run.needs if not shutil.which(name, path=_path(tools))]
    if missing:
        print(f"{run.id}: left out, without {', '.join(missing)}", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory(prefix="shop") as folder:
        status, log = _execute(run, Path(folder), tools)
        if status:
            print(f"{run.id}: left out, exit status {status}: {log[-600:]}", file=sys.stderr)
            return []
        text = neutral.neutral(log, neutral.places(f"{folder}/workspace", f"{folder}/home", str(tools)))
    lines = [line.rstrip() for line in text.splitlines()]
    made = []
    for number, piece in enumerate(pieces(frames.FRAMES[run.frame](run.run, lines), run.parts), 1):
        name = run.id if number == 1 else f"{run.id}-{number}"
        said = {"id": f"fine-{name}", "tool": run.tool, "what": run.what, "handled": run.handled}
        made.append({**said, "command": run.run.strip(), "exit_code": 0, "log": piece})
    return made


def _path(tools: Path) -> str:
    return f"{tools}/py/bin:{tools}/node/node_modules/.bin:{os.environ['PATH']}:/usr/sbin"


def _execute(run: Run, folder: Path, tools: Path) -> tuple[int, str]:
    """Run in a new workspace and home; return the exit status and what was printed."""
    workspace, home = folder / "workspace", folder / "home"
    workspace.mkdir()
    home.mkdir()
    for name, content in (run.files or {}).items():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(content, encoding="utf-8")
    keep = {key: value for key, value in os.environ.items() if _KEPT.search(key)}
    rust = {"RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))}
    own = {"HOME": str(home), "PATH": _path(tools), "CI": "true", "TERM": "dumb", "LAB": str(HERE)}
    environment = {**keep, **rust, **own}
    options = "-ex" if run.frame in ("jenkins", "freestyle", "gitlab") else "-e"
    script = _SCRIPT.format(setup=run.setup, options=options, run=run.run)
    command = ["timeout", "--kill-after=5", str(_SECONDS), "bash", "-c", script]
    with open(folder / "log", "w+b") as log:
        running = subprocess.Popen(
            command, cwd=workspace, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        status = running.wait()
        # The servers that the set-up started are still there.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        log.seek(0)
        return status, log.read().decode("utf-8", "replace")


def pieces(lines: Sequence[str], parts: int) -> Iterator[str]:
    """Yield the end of a log, then pieces evenly spread over the rest, each within the limits."""
    size = keep.LINES
    spread = max(len(lines) - size, 0)
    starts = [spread, *(spread * number // parts for number in range(parts - 1))] if spread else [0]
    for start in starts:
        kept = "\n".join(re.sub(r"(.{900}).+", r"\1…", line) for line in lines[start : start + size])
        yield keep.cut(kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
