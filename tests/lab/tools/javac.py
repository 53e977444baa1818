"""javac: compiles a small project without a build tool."""

from __future__ import annotations

from collections.abc import Iterator

from lab.jvm import CART
from lab.model import Case, Tool
from lab.usual import Work, agent_cases, dev

BUILD = "javac -d out $(find src -name '*.java')"
MAIN = "package com.acme.shop;\n\nimport java.util.List;\n\npublic class Main {\n    public static void main(String[] args) {\n        System.out.println(new Cart().total(List.of(1, 2)));\n    }\n}\n"
FOLDER = "src/com/acme/shop"
FILES = {f"{FOLDER}/Cart.java": CART, f"{FOLDER}/Main.java": MAIN}
LONG = (
    "class Long {\n"
    + "".join(f"  static java.util.function.IntUnaryOperator f{n} = x -> x + {n};\n" for n in range(2500))
    + "}\n"
)


def cases() -> Iterator[Case]:
    """Yield all cases of javac."""
    many = {f"src/L{n}.java": LONG.replace("class Long", f"class L{n}") for n in range(12)}
    work = Work("javac", BUILD, FILES, size="8k", memory=900, output="out", slow=BUILD, slow_files=many)
    yield from agent_cases(work)
    yield from dev(BUILD, FILES, *_source())
    yield Case("missing-file", "javac -d out src/com/acme/shop/Shop.java", files=FILES)
    yield Case("wrong-option", f"{BUILD} -Werr", files=FILES)
    why = "the agent's JDK, or the project's wish"
    yield Case("tool-too-old", BUILD.replace("-d out", "--release 99 -d out"), files=FILES, why=why)
    record = {
        **FILES,
        f"{FOLDER}/Kind.java": 'package com.acme.shop;\n\nclass Kind {\n    String of(Object o) {\n        return switch (o) {\n            case String s -> s;\n            default -> "";\n        };\n    }\n}\n',
    }
    yield Case("tool-too-old", BUILD, "pattern", files=record, why=why)
    lint = {
        **FILES,
        f"{FOLDER}/Main.java": MAIN.replace("new Cart()", "new Cart()").replace(
            "List.of(1, 2)", "new java.util.ArrayList(3)"
        ),
    }
    yield Case("lint", BUILD.replace("-d out", "-Xlint:all -Werror -d out"), files=lint)
    yield Case("own-heap", BUILD.replace("javac", "javac -J-Xmx9m"), files={**FILES, **many}, seconds=90)
    yield Case("bad-config", BUILD.replace("-d out", "-d out -encoding utf-88"), "encoding", files=FILES)
    yield Case("bad-config", f"{BUILD} -proc:only -processor com.acme.Checker", "processor", files=FILES)


def _source() -> list[tuple[str, str, dict[str, str]]]:
    def cart(old: str, new: str) -> dict[str, str]:
        return {f"{FOLDER}/Cart.java": CART.replace(old, new)}

    def main(old: str, new: str) -> dict[str, str]:
        return {f"{FOLDER}/Main.java": MAIN.replace(old, new)}

    return [
        ("syntax", "", cart("sum = 0;", "sum = 0")),
        ("syntax", "brace", cart("sum += count;\n        }", "sum += count;")),
        ("syntax", "string", main("args) {", 'args) {\n        String name = "tea;')),
        ("type", "", main("List.of(1, 2)", '"three"')),
        ("type", "return", cart("return sum * 12;", "")),
        ("type", "checked", main("args) {", "args) {\n        java.nio.file.Files.size(java.nio.file.Path.of(args[0]));")),
        ("type", "generic", main("List.of(1, 2)", 'List.of("tea")')),
        (
            "type",
            "abstract",
            {f"{FOLDER}/Rate.java": "package com.acme.shop;\n\nclass Rate implements Comparable<Rate> {\n}\n"},
        ),
        ("type", "final", cart("int sum = 0;", "final int sum = 0;")),
        ("type", "unreachable", cart("return sum * 12;", "return sum * 12;\n        System.out.println();")),
        ("undefined-name", "", cart("return sum", "return summ")),
        ("undefined-name", "method", main(".total(", ".sum(")),
        ("undefined-name", "class", main("new Cart()", "new Basket()")),
        ("import", "", main("import java.util.List;", "import java.util.List;\nimport com.acme.rates.Rate;")),
        ("missing-dependency", "", main("import java.util.List;", "import java.util.List;\nimport org.junit.Test;")),
        ("bad-config", "name", {f"{FOLDER}/Rate.java": "package com.acme.shop;\n\npublic class Rates {\n}\n"}),
        (
            "bad-config",
            "bytes",
            {f"{FOLDER}/Rate.java": b'package com.acme.shop;\n\nclass Rate { String e = "\xff\xfe"; \xe4 }\n'},
        ),
        ("bad-config", "module", {"src/module-info.java": "module shop {\n    requires com.acme.rates;\n}\n"}),
    ]


TOOL = Tool("javac", cases)
