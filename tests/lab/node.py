"""What tools of Node's share: how they are set up, their manifest, their work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from lab.faults import CONNECTION, TLS
from lab.model import Case, Site, Tool
from lab.usual import Files, Work


def node_tool(name: str, cases: Callable[[], Iterable[Case]], packages: str = "") -> Tool:
    """Return a tool that npm installs; ``packages``: where they are not named like the tool."""
    setup = f"npm install --silent --no-audit --no-fund --prefix . {packages or name}"
    return Tool(name, cases, setup=setup, path=(f"{name}/node_modules/.bin",))


def package(more: object = None) -> str:
    """Return a manifest; ``more``: what else it says."""
    return json.dumps({"name": "shop", "version": "1.4.0", **(more if isinstance(more, dict) else {})}, indent=2) + "\n"


def node_work(tool: str, script: str, files: Files, slow: str = "", slow_files: Files | None = None) -> Work:
    """Return the work of a tool on Node. Without memory Node stops with a bare trap, which tells nothing: no such case."""
    return Work(tool, script, files, slow=slow, slow_files=slow_files or {})


def checks_of(imports: str, body: str, before: str = "") -> dict[str, str]:
    """Return a file of tests as jest and Vitest take it: what one test does, and what goes before all."""
    head = f"beforeAll(async () => {{ {before} }});\n" if before else ""
    return {
        "cart.test.js": f"{imports}\n\n{head}\ntest('total of three', async () => {{\n  {body}\n}});\n\n"
        "test('total of none', () => {\n  expect(total([])).toBe(0);\n});\n"
    }


def needs_store(script: str, files: Files, faults: Iterable[str] = (*CONNECTION, *TLS), seconds: int = 40) -> Iterator[Case]:
    """Yield a case for each fault of the shared store that every test needs in its set-up."""
    for fault in faults:
        what = f"every test needs a shared store: {fault}"
        yield Case(fault, script, "set-up", files=files, site=Site(host="artifacts.internal"), what=what, seconds=seconds)
