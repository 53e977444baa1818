"""Prettier: files whose format differs, and files that it cannot read."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case
from lab.node import node_tool, node_work, package
from lab.usual import agent_cases, dev

CHECK = "prettier --check ."
FILES = {"package.json": package(), "cart.js": "exports.total = (counts) => counts.length;\n", "README.md": "# shop\n"}


def cases() -> Iterator[Case]:
    """Yield all cases of Prettier."""
    many = {f"src/m{n}.js": "export const a = [1, 2, 3].map((n) => ({ n, m: n * 2 }));\n" * 4000 for n in range(16)}
    yield from agent_cases(
        node_work("prettier", "prettier --write .", {**FILES, "cart.js": "exports.a   = 1\n"}, CHECK, many)
    )
    yield Case(
        "no-permission",
        "prettier --write .",
        files={**FILES, "cart.js": "exports.a   = 1\n"},
        before="chown 0 cart.js && chmod 644 cart.js",
    )
    yield Case("no-permission", CHECK, "read", files=FILES, before="chown 0 cart.js && chmod 600 cart.js")
    rows = (
        ("format", "", {"cart.js": "exports.total   = (counts) => counts.length\n"}),
        (
            "format",
            "several",
            {"cart.js": "exports.a = 'a'\n", "order.ts": "export const b:number=1\n", "shop.css": "a{color:red}\n"},
        ),
        ("format", "yaml", {"deploy.yaml": "steps:   [build,   test]\n"}),
        ("syntax", "", {"cart.js": "exports.total = (counts => counts.length;\n"}),
        ("syntax", "css", {"shop.css": "a { color: red;\n"}),
        ("syntax", "html", {"index.html": "<div><p>shop</div>\n"}),
        ("bad-yaml", "", {"deploy.yaml": "steps:\n  - build\n - test\n"}),
        ("bad-config", "", {".prettierrc": "tabWidth: two\n"}),
        ("bad-config", "json", {".prettierrc.json": '{"semi": true,,}\n'}),
        ("missing-dependency", "plugin", {".prettierrc.json": '{"plugins": ["prettier-plugin-sql"]}\n'}),
        ("bad-manifest", "", {"package.json": '{"name": "shop" "version": "1.4.0"}\n'}),
    )
    yield from dev(CHECK, FILES, *rows)
    yield Case("missing-file", "prettier --check src", files=FILES)
    yield Case("wrong-option", f"{CHECK} --tab-width=two", files=FILES)
    yield Case("missing-file", "prettier --config config/prettier.json --check .", "config", files=FILES)


TOOL = node_tool("prettier", cases)
