"""ESLint: findings, wrong settings, plugins that are not there."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case
from lab.node import node_tool, node_work, package
from lab.usual import agent_cases, dev

LINT = "eslint ."
CONFIG = (
    "module.exports = [{ rules: { 'no-unused-vars': 'error', eqeqeq: 'error', 'no-undef': 'error', semi: 'error' } }];\n"
)
CODE = "exports.total = (counts) => {\n  let sum = 0;\n  for (const count of counts) sum += count;\n  return sum;\n};\n"
FILES = {
    "package.json": package(),
    "eslint.config.js": CONFIG.replace(
        "rules:", "languageOptions: { globals: { exports: 'writable', module: 'writable', require: 'readonly' } }, rules:"
    ),
    "cart.js": CODE,
}


def cases() -> Iterator[Case]:
    """Yield all cases of ESLint."""
    many = {f"src/m{n}.js": CODE * 900 for n in range(60)}
    yield from agent_cases(node_work("eslint", f"{LINT} --output-file report.txt", FILES, LINT, many))
    yield Case(
        "no-permission",
        f"{LINT} --cache --cache-location .cache/eslint",
        files=FILES,
        before="mkdir .cache && chmod 755 .cache",
    )
    yield Case("no-permission", LINT, "source", files=FILES, before="chmod 600 cart.js && chown 0 cart.js")
    config = FILES["eslint.config.js"]
    rows = (
        ("lint", "unused", {"cart.js": CODE.replace("let sum", "const rest = 1;\n  let sum")}),
        ("lint", "equal", {"cart.js": CODE.replace("return sum", "return sum == 3")}),
        ("lint", "undefined", {"cart.js": CODE.replace("return sum", "return summ")}),
        ("lint", "many", {"cart.js": CODE.replace(";", "")}),
        ("lint", "directive", {"cart.js": "/* eslint no-conosle: 2 */\n" + CODE}),
        ("syntax", "", {"cart.js": CODE.replace("=> {", "= {")}),
        ("syntax", "brace", {"cart.js": CODE.replace("};\n", "")}),
        ("syntax", "typescript", {"cart.js": CODE.replace("(counts)", "(counts: number[])")}),
        ("bad-config", "rule", {"eslint.config.js": config.replace("eqeqeq: 'error'", "eqeqeq: 'always'")}),
        ("bad-config", "key", {"eslint.config.js": config.replace("rules:", "rulez:")}),
        ("bad-config", "unknown-rule", {"eslint.config.js": config.replace("semi:", "semicolons:")}),
        ("bad-config", "syntax", {"eslint.config.js": config.replace("}];", "]")}),
        ("missing-dependency", "plugin", {"eslint.config.js": "const react = require('eslint-plugin-react');\n" + config}),
        ("missing-dependency", "shared", {"eslint.config.js": "const base = require('@acme/eslint-config');\n" + config}),
        ("import", "", {"eslint.config.js": "const base = require('./config/eslint');\n" + config}),
    )
    yield from dev(LINT, FILES, *rows)
    yield Case(
        "lint",
        f"{LINT} --max-warnings 0",
        "warnings",
        files={
            **FILES,
            "eslint.config.js": config.replace("'error'", "'warn'"),
            "cart.js": CODE.replace("return sum", "return summ"),
        },
    )
    yield Case("missing-file", "eslint src", files=FILES)
    yield Case("missing-file", LINT, "config", files={"cart.js": CODE})
    yield Case("wrong-option", f"{LINT} --extt .ts", files=FILES)
    yield Case("own-heap", "node --max-old-space-size=20 $(command -v eslint) .", files={**FILES, **many}, seconds=60)


TOOL = node_tool("eslint", cases)
