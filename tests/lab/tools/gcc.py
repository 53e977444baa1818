"""gcc: compiles and links a small program in C."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Machine, Tool
from lab.usual import Work, agent_cases, dev

BUILD = "gcc -Wall -o shop main.c total.c"
MAIN = '#include <stdio.h>\n#include "total.h"\n\nint main(void) {\n    printf("%d\\n", total(3));\n    return 0;\n}\n'
FILES = {
    "main.c": MAIN,
    "total.h": "int total(int count);\n",
    "total.c": '#include "total.h"\n\nint total(int count) {\n    return count * 12;\n}\n',
}
# Many small functions: the compiler takes its time.
LONG = "".join(f"double f{n}(double x) {{ return x * {n}.5 + __builtin_sin(x / {n + 1}); }}\n" for n in range(60_000))
_IMAGE = "debian 12, build-essential, libsodium-dev\n"


def cases() -> Iterator[Case]:
    """Yield all cases of gcc."""
    work = Work(
        "gcc",
        BUILD,
        FILES,
        size="24k",
        temp="1k",
        slow="gcc -O2 -c long.c",
        slow_files={"long.c": LONG},
    )
    yield from agent_cases(work)
    yield Case("out-of-memory", "gcc -O2 -c long.c", files={"long.c": LONG}, machine=Machine(memory=110), seconds=60)
    why = "the compiler stops with an internal error; the log names no memory"
    yield Case("out-of-memory", BUILD, "internal", files=FILES, machine=Machine(memory=30), owner="unknown", why=why)
    yield Case("no-permission", "gcc -o /opt/shop main.c total.c", "install", files=FILES)
    yield Case("no-permission", BUILD, "left", files=FILES, before="touch shop && chmod 755 shop . && chown root .")
    yield from dev(BUILD, FILES, *_source())
    yield from _libraries()
    yield from _calls()
    yield from _crashes()


def _source() -> list[tuple[str, str, dict[str, str]]]:
    return [
        ("syntax", "", {"total.c": FILES["total.c"].replace("12;", "12")}),
        ("syntax", "brace", {"main.c": MAIN.replace("return 0;\n}\n", "return 0;\n")}),
        ("syntax", "header", {"total.h": "int total(int count)\n"}),
        ("type", "", {"main.c": MAIN.replace("total(3)", "total(3, 4)")}),
        ("type", "struct", {"total.c": "struct order;\nint total(struct order *o) { return o->count; }\n"}),
        ("type", "conflict", {"total.c": "long total(long count) { return count; }\n" + FILES["total.c"]}),
        ("undefined-name", "", {"total.c": FILES["total.c"].replace("* 12", "* RATE")}),
        ("undefined-name", "type", {"total.h": "money total(int count);\n"}),
        ("link", "", {"total.c": "int sum(int count) { return count; }\n"}),
        ("link", "twice", {"main.c": MAIN + "int total(int count) { return 0; }\n"}),
        ("link", "main", {"main.c": '#include "total.h"\nint start(void) { return total(1); }\n'}),
        ("import", "", {"main.c": MAIN.replace("total.h", "totals.h")}),
        ("bad-config", "error", {"total.h": '#ifndef SHOP_CURRENCY\n#error "SHOP_CURRENCY is not defined"\n#endif\n'}),
        ("test", "static", {"total.c": FILES["total.c"] + '_Static_assert(sizeof(int) == 8, "an order needs 8 bytes");\n'}),
    ]


def _libraries() -> Iterator[Case]:
    sodium = {**FILES, "main.c": "#include <sodium.h>\n" + MAIN, "agent-image.txt": _IMAGE}
    why = "a library that the project or the agent's image lacks"
    yield Case("library-missing", BUILD, "header", files=sodium, owner="unknown", why=why)
    yield Case("library-missing", f"cat agent-image.txt\n{BUILD}", "header-listed", files=sodium)
    yield Case("library-missing", f"{BUILD} -lsodium", "library", files=FILES, owner="unknown", why=why)
    yield Case(
        "library-missing", f"cat agent-image.txt\n{BUILD} -lsodium", "library-listed", files=sodium | {"main.c": MAIN}
    )
    yield Case(
        "link", f"{BUILD} -L lib -lshop_rates", "own-library", files=FILES, what="the project's own library is not built"
    )


def _calls() -> Iterator[Case]:
    yield Case("missing-file", BUILD.replace("total.c", "totals.c"), files=FILES)
    yield Case("wrong-option", f"{BUILD} -fno-such-thing", files=FILES)
    yield Case("wrong-option", f"{BUILD} -std=c99x", "standard", files=FILES)
    unused = {**FILES, "main.c": MAIN.replace("    return 0;", "    int rest;\n    return 0;")}
    yield Case("lint", f"{BUILD} -Werror", files=unused)
    format_of = {**FILES, "main.c": MAIN.replace("%d", "%s")}
    yield Case("lint", f"{BUILD} -Werror", "format", files=format_of)
    yield Case("undefined-variable", f'set -u\n{BUILD} -DVERSION="$RELEASE"', files=FILES)
    yield Case("tool-too-old", f"{BUILD} -std=c2y", files=FILES, why="the agent's compiler, or the project's wish")


def _crashes() -> Iterator[Case]:
    run = f"{BUILD} -g\n./shop"
    rows: tuple[tuple[str, str, str], ...] = (
        ("panic", "null", "int *p = 0; return *p + count;"),
        ("panic", "abort", "__builtin_abort(); return count;"),
        ("panic", "divide", "volatile int no = 0; return count / no;"),
        ("panic", "recursion", "volatile char a[9000]; a[0] = 1; return total(count + a[0]) + a[0];"),
    )
    for fault, variant, body in rows:
        yield Case(
            fault, run, variant, files={**FILES, "total.c": f'#include "total.h"\nint total(int count) {{ {body} }}\n'}
        )
    check = '#include <assert.h>\n#include "total.h"\nint main(void) { assert(total(3) == 37); return 0; }\n'
    yield Case("test", run, "assert", files={**FILES, "main.c": check})
    overflow = '#include <stdlib.h>\n#include "total.h"\nint total(int c) { int *a = malloc(8); a[c] = 1; return a[c]; }\n'
    yield Case("panic", f"{BUILD} -g -fsanitize=address\n./shop", "sanitizer", files={**FILES, "total.c": overflow})
    undefined = {**FILES, "total.c": '#include "total.h"\nint total(int c) { return (c + 2147483640) << c; }\n'}
    ubsan = f"{BUILD} -fsanitize=undefined -fno-sanitize-recover\n./shop"
    yield Case("panic", ubsan, "undefined-behaviour", files=undefined)


TOOL = Tool("gcc", cases)
