"""webpack: bundles a small page."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Machine
from lab.node import node_tool, node_work, package
from lab.usual import agent_cases, dev

BUILD = "webpack --mode production"
MAIN = "import { total } from './cart';\n\ndocument.title = String(total([1, 2]));\n"
CART = "export const total = (counts) => counts.reduce((a, b) => a + b, 0) * 12;\n"
CONFIG = "module.exports = { entry: './src/index.js' };\n"
FILES = {"package.json": package(), "webpack.config.js": CONFIG, "src/index.js": MAIN, "src/cart.js": CART}


def cases() -> Iterator[Case]:
    """Yield all cases of webpack."""
    many = {
        f"src/m{n}.js": "".join(
            f"export const f{k} = (a) => [a, {k}].map((b) => b * {k}).filter(Boolean);\n" for k in range(3000)
        )
        for n in range(10)
    }
    index = "".join(f"import * as m{n} from './m{n}';\nconsole.log(m{n});\n" for n in range(10))
    slow = {**many, "src/index.js": index}
    yield from agent_cases(node_work("webpack", BUILD, FILES, BUILD, slow))
    yield Case("no-permission", BUILD, files=FILES, before="mkdir dist && chmod 755 dist")
    yield Case(
        "disk-full",
        BUILD,
        files={
            **FILES,
            "src/cart.js": CART + "export const data = '" + "tea" * 60_000 + "';\n",
            "src/index.js": MAIN.replace("{ total }", "{ total, data }") + "document.body.textContent = data;\n",
        },
        machine=Machine(workspace="240k"),
    )
    rows = (
        ("syntax", "", {"src/cart.js": CART.replace("=>", "=", 1)}),
        ("syntax", "type", {"src/cart.js": CART.replace("(counts)", "(counts: number[])")}),
        ("import", "", {"src/index.js": MAIN.replace("./cart", "./basket")}),
        ("missing-dependency", "", {"src/index.js": "import React from 'react';\n" + MAIN}),
        (
            "missing-dependency",
            "loader",
            {"webpack.config.js": CONFIG.replace("}", ", module: { rules: [{ test: /js$/, use: 'babel-loader' }] } }")},
        ),
        (
            "missing-dependency",
            "css",
            {"src/index.js": "import './shop.css';\n" + MAIN, "src/shop.css": "a { color: red }\n"},
        ),
        ("missing-dependency", "plugin", {"webpack.config.js": "const Html = require('html-webpack-plugin');\n" + CONFIG}),
        (
            "missing-dependency",
            "node",
            {"src/index.js": "import { createHash } from 'crypto';\nconsole.log(createHash);\n" + MAIN},
        ),
        ("bad-config", "", {"webpack.config.js": CONFIG.replace("entry", "entri")}),
        ("bad-config", "type", {"webpack.config.js": CONFIG.replace("'./src/index.js'", "7")}),
        ("bad-config", "syntax", {"webpack.config.js": CONFIG.replace("};", ";")}),
        ("missing-file", "entry", {"webpack.config.js": CONFIG.replace("index", "main")}),
        (
            "bad-config",
            "budget",
            {"webpack.config.js": CONFIG.replace("}", ", performance: { hints: 'error', maxAssetSize: 10 } }")},
        ),
        (
            "bad-manifest",
            "data",
            {"src/index.js": "import rates from './rates.json';\nconsole.log(rates);\n", "src/rates.json": '{"tea": 12,}\n'},
        ),
        (
            "panic",
            "plugin",
            {
                "webpack.config.js": "module.exports = { entry: './src/index.js', plugins: [{ apply() { const shop = undefined; shop.open(); } }] };\n"
            },
        ),
    )
    yield from dev(BUILD, FILES, *rows)
    yield Case("missing-file", f"{BUILD} --config config/webpack.prod.js", "config", files=FILES)
    yield Case("wrong-option", f"{BUILD} --optimise", files=FILES)
    yield Case(
        "own-heap",
        "node --max-old-space-size=40 $(command -v webpack) --mode production",
        files={**FILES, **slow},
        seconds=60,
    )


TOOL = node_tool("webpack", cases, "webpack webpack-cli")
