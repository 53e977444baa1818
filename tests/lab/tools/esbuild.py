"""esbuild: bundles a small page."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Machine
from lab.node import node_tool, package
from lab.usual import Work, agent_cases, dev

BUILD = "esbuild src/index.ts --bundle --outfile=dist/shop.js"
MAIN = "import { total } from './cart';\n\ndocument.title = String(total([1, 2]));\n"
CART = "export const total = (counts: number[]): number => counts.reduce((a, b) => a + b, 0) * 12;\n"
FILES = {"package.json": package(), "src/index.ts": MAIN, "src/cart.ts": CART}


def cases() -> Iterator[Case]:
    """Yield all cases of esbuild."""
    yield from agent_cases(Work("esbuild", BUILD, FILES, size="20k", memory=300, output="dist"))
    data = {**FILES, "src/cart.ts": CART + "export const data = '" + "tea" * 60_000 + "';\nconsole.log(data);\n"}
    yield Case("disk-full", BUILD, "bundle", files=data, machine=Machine(workspace="220k"))
    rows = (
        ("syntax", "", {"src/cart.ts": CART.replace("=>", "=", 1)}),
        ("syntax", "brace", {"src/index.ts": MAIN.replace("]));", "]")}),
        ("import", "", {"src/index.ts": MAIN.replace("./cart", "./basket")}),
        ("import", "name", {"src/index.ts": MAIN.replace("{ total }", "{ totals as total }")}),
        ("missing-dependency", "", {"src/index.ts": "import React from 'react';\n" + MAIN}),
        (
            "missing-dependency",
            "node",
            {"src/index.ts": "import { readFileSync } from 'fs';\nconsole.log(readFileSync);\n" + MAIN},
        ),
        ("bad-config", "loader", {"src/index.ts": "import './logo.woff9';\n" + MAIN, "src/logo.woff9": "x"}),
        ("bad-config", "tsconfig", {"tsconfig.json": '{"extends": "./base.json"'}),
        (
            "bad-manifest",
            "data",
            {
                "src/index.ts": "import rates from './rates.json';\nconsole.log(rates);\n",
                "src/rates.json": '{"tea": 12,,}\n',
            },
        ),
        ("syntax", "css", {"src/index.ts": "import './shop.css';\n" + MAIN, "src/shop.css": "@import url(./none.css);\n"}),
        ("type", "const", {"src/cart.ts": CART + "const rate = 1;\nrate = 2;\n"}),
        ("syntax", "twice", {"src/cart.ts": CART + "const a = 1;\nconst a = 2;\n"}),
    )
    yield from dev(BUILD, FILES, *rows)
    yield Case("missing-file", BUILD.replace("index", "main"), files=FILES)
    yield Case("wrong-option", f"{BUILD} --minfy", files=FILES)
    yield Case("wrong-option", f"{BUILD} --target=es2299", "target", files=FILES)
    yield Case("bad-config", f"{BUILD} --format=amd", "format", files=FILES)
    yield Case("bad-config", f"{BUILD} --target=es5 src/cart.ts", "outputs", files=FILES)


TOOL = node_tool("esbuild", cases)
