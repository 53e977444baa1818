"""tsc: compiles a small project in TypeScript."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Machine
from lab.node import node_tool, node_work, package
from lab.usual import agent_cases, dev

BUILD = "tsc -p ."
CONFIG = '{\n  "compilerOptions": { "strict": true, "outDir": "dist", "rootDir": "src", "target": "es2022", "module": "commonjs", "types": [] },\n  "include": ["src"]\n}\n'
CART = "export interface Item { name: string; count: number }\n\nexport const total = (items: Item[], rate = 12): number =>\n  items.reduce((sum, item) => sum + item.count, 0) * rate;\n"
MAIN = "import { total } from './cart';\n\nexport const three = total([{ name: 'tea', count: 3 }]);\n"
FILES = {"package.json": package(), "tsconfig.json": CONFIG, "src/cart.ts": CART, "src/main.ts": MAIN}


def cases() -> Iterator[Case]:
    """Yield all cases of tsc."""
    hard = "type N<T extends 0[], L extends number> = T['length'] extends L ? T : N<[...T, 0], L>;\n"
    many = {
        f"src/m{n}.ts": CART
        + hard
        + "".join(f"export const a{n}_{k}: N<[], {k + 300}>['length'] = {k + 300};\n" for k in range(400))
        for n in range(12)
    }
    yield from agent_cases(node_work("tsc", BUILD, FILES, BUILD, many))
    yield Case("no-permission", BUILD, files=FILES, before="mkdir dist && touch dist/cart.js && chmod 755 dist")
    yield Case(
        "disk-full",
        BUILD,
        files={**FILES, "src/data.ts": "export const data = [" + "'tea and coffee'," * 20_000 + "];\n"},
        machine=Machine(workspace="460k"),
    )
    yield from dev(BUILD, FILES, *_source())
    yield Case("missing-file", "tsc -p config", files=FILES)
    yield Case("missing-file", "tsc --outDir dist src/shop.ts", "source", files=FILES)
    yield Case("wrong-option", f"{BUILD} --outFolder dist", files=FILES)
    yield Case("own-heap", "node --max-old-space-size=40 $(command -v tsc) -p .", files={**FILES, **many}, seconds=60)


def _source() -> list[tuple[str, str, dict[str, str]]]:
    def config(old: str, new: str) -> dict[str, str]:
        return {"tsconfig.json": CONFIG.replace(old, new)}

    def main(old: str, new: str) -> dict[str, str]:
        return {"src/main.ts": MAIN.replace(old, new)}

    return [
        ("syntax", "", {"src/cart.ts": CART.replace("=>\n", "\n")}),
        ("syntax", "brace", main("}]);", "}]")),
        ("type", "", main("count: 3", "count: '3'")),
        ("type", "property", main("count: 3", "amount: 3")),
        ("type", "null", main("total([", "total(undefined ?? null ?? [")),
        ("type", "any", {"src/cart.ts": CART + "export const half = (n) => n / 2;\n"}),
        ("type", "return", {"src/cart.ts": CART.replace("): number", "): string")}),
        (
            "type",
            "possibly",
            main("export", "const found: string | undefined = undefined;\nexport const size = found.length;\nexport"),
        ),
        ("undefined-name", "", main("total([", "sum([")),
        ("undefined-name", "member", main("import { total }", "import { total, rates }")),
        ("undefined-name", "node", main("export", "export const home = process.env.HOME;\nexport")),
        ("import", "", main("./cart", "./basket")),
        ("missing-dependency", "", main("export", "import express from 'express';\nexport")),
        ("missing-dependency", "types", config('"types": []', '"types": ["jest"]')),
        ("bad-config", "", config('"strict"', '"strickt"')),
        ("bad-config", "value", config("es2022", "es2202")),
        ("bad-config", "json", config('"strict": true,', '"strict": true')),
        ("bad-config", "root", {"tools/run.ts": "export {};\n", **config('["src"]', '["src", "tools"]')}),
        ("bad-config", "extends", config("{\n", '{\n  "extends": "./config/base.json",\n')),
        ("bad-config", "none", config('["src"]', '["source"]')),
        (
            "lint",
            "unused",
            {
                **config('"strict": true', '"strict": true, "noUnusedLocals": true'),
                **main("export", "const rest = 1;\nexport"),
            },
        ),
    ]


TOOL = node_tool("tsc", cases, "typescript")
