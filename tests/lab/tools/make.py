"""GNU make: rules of a project's own Makefile."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Machine, Tool
from lab.usual import Work, agent_cases, dev

MAKEFILE = """VERSION := 1.4.0
all: build check
build: out/shop
out/shop: main.c | out
\tcc -o $@ $<
out:
\tmkdir -p out
check: build
\t./out/shop | diff expected.txt -
package: build
\ttar -C out -cf shop-$(VERSION).tar shop
slow:
\tsleep 60
"""
MAIN = '#include <stdio.h>\nint main(void) { puts("36"); return 0; }\n'
FILES = {"Makefile": MAKEFILE, "main.c": MAIN, "expected.txt": "36\n"}


def cases() -> Iterator[Case]:
    """Yield all cases of make."""
    yield from agent_cases(Work("make", "make all", FILES, size="24k", temp="1k", slow="make slow"))
    yield Case("no-permission", "make all", files=FILES, before="mkdir out && chmod 755 out")
    yield Case(
        "no-permission", "make package", "archive", files=FILES, before="touch shop-1.4.0.tar && chown root . && chmod 755 ."
    )
    yield Case(
        "out-of-memory", "make all", machine=Machine(memory=12), files=FILES, owner="unknown", why="the log names no memory"
    )
    yield Case("killed", "make slow", "recipe", machine=Machine(kill=("KILL", "^sleep 60", 2)), files=FILES)
    yield Case("terminated", "make slow", "recipe", machine=Machine(kill=("TERM", "^sleep 60", 2)), files=FILES)
    yield from _rules()
    yield from _recipes()


def _rules() -> Iterator[Case]:
    def rule(old: str, new: str) -> dict[str, str]:
        return {"Makefile": MAKEFILE.replace(old, new)}

    rows = (
        ("bad-config", "separator", rule("\tcc -o", "    cc -o")),
        ("bad-config", "unterminated", rule("VERSION := 1.4.0", "VERSION := $(shell echo 1.4.0")),
        ("bad-config", "error", rule("VERSION := 1.4.0", "VERSION :=\nifndef CHANNEL\n$(error CHANNEL is not set)\nendif")),
        ("bad-config", "endif", rule("all: build", "ifdef CI\nall: build")),
        ("bad-config", "include", rule("VERSION", "include rules/release.mk\nVERSION")),
        ("unknown-target", "prerequisite", rule("main.c |", "shop.c |")),
        ("unknown-target", "generated", rule("out/shop: main.c", "out/shop: main.c version.h")),
    )
    yield from dev("make all", FILES, *rows)
    yield Case("unknown-target", "make deploy", files=FILES)
    yield Case("unknown-target", "make biuld", "misspelt", files=FILES)
    yield Case("missing-file", "make all", files={"main.c": MAIN})
    yield Case("missing-file", "make -f build/Makefile all", "named", files=FILES)
    yield Case("missing-file", "make -C service all", "folder", files=FILES)
    yield Case("wrong-option", "make --paralel all", files=FILES)


def _recipes() -> Iterator[Case]:
    def recipe(line: str) -> dict[str, str]:
        return {"Makefile": MAKEFILE.replace("./out/shop | diff expected.txt -", line)}

    rows = (
        ("test", "", {"expected.txt": "35\n"}),
        ("syntax", "", {"main.c": MAIN.replace(";", "", 1)}),
        ("link", "", {"main.c": "int total(int);\nint main(void) { return total(3); }\n"}),
        ("tool-misspelt", "recipe", recipe("dif expected.txt out/shop")),
        ("missing-file", "script", recipe("sh scripts/check.sh")),
        ("not-executable", "", {**recipe("./check.sh"), "check.sh": "#!/bin/sh\ntrue\n"}),
        ("script-bug", "dollar", recipe("for f in main.c; do test -s $f/x; done")),
        ("script-bug", "quote", recipe("echo 'it is done")),
        ("script-bug", "directory", recipe("cd build && ls")),
        ("undefined-variable", "", recipe('set -u; test -n "$$RELEASE_CHANNEL"')),
        ("panic", "", {"main.c": "int main(void) { int *p = 0; return *p; }\n"}),
    )
    yield from dev("make all", FILES, *rows)
    why = "the agent's image, or the pipeline's wish"
    missing = {**FILES, **recipe("clang-tidy main.c")}
    yield Case("tool-missing", "make all", "recipe", files=missing, why=why)
    listed = {**missing, "agent-image.txt": "build-essential, clang-tidy, cppcheck\n"}
    yield Case(
        "tool-missing",
        "cat agent-image.txt\nmake all",
        "listed",
        files=listed,
        owner="ops",
        why="listed in the agent's image",
    )
    why = "a child of make was killed; the log tells no cause"
    yield Case("killed", "make all", "self", files={**FILES, **recipe("sh -c 'kill -9 $$$$'")}, why=why)
    ignored = {
        **FILES,
        "Makefile": MAKEFILE.replace("mkdir -p out", "-rm no-such-folder/x\n\tmkdir -p out"),
        "expected.txt": "35\n",
    }
    yield Case("ignored-then-dev", "make all", files=ignored)


TOOL = Tool("make", cases)
