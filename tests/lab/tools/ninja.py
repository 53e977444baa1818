"""ninja: a build file of the project's own."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Machine, Tool
from lab.usual import Work, agent_cases, dev

BUILD = (
    "rule cc\n  command = cc -c -o $out $in\n  description = CC $out\nrule link\n  command = cc -o $out $in\n"
    "rule check\n  command = ./$in && touch $out\nrule wait\n  command = sleep 60\n"
    "build main.o: cc main.c\nbuild total.o: cc total.c\nbuild shop: link main.o total.o\nbuild checked: check shop\n"
    "build waited: wait\ndefault checked\n"
)
MAIN = "int total(int);\nint main(void) { return total(3) != 36; }\n"
FILES = {"build.ninja": BUILD, "main.c": MAIN, "total.c": "int total(int count) { return count * 12; }\n"}


def cases() -> Iterator[Case]:
    """Yield all cases of ninja."""
    yield from agent_cases(Work("ninja", "ninja -v", FILES, size="16k", slow="ninja waited"))
    yield Case("no-permission", "ninja", files=FILES, before="touch .ninja_log main.o && chown root . && chmod 755 .")
    yield Case("killed", "ninja waited", "command", machine=Machine(kill=("KILL", "^sleep 60", 2)), files=FILES)

    def build(old: str, new: str) -> dict[str, str]:
        return {"build.ninja": BUILD.replace(old, new)}

    rows = (
        ("bad-config", "syntax", build("build main.o: cc main.c", "build main.o cc main.c")),
        ("bad-config", "rule", build("build main.o: cc", "build main.o: compile")),
        ("bad-config", "twice", build("build total.o: cc total.c", "build total.o: cc total.c\nbuild total.o: cc main.c")),
        ("bad-config", "cycle", build("build main.o: cc main.c", "build main.o: cc main.c | shop")),
        ("bad-config", "include", build("rule cc\n", "include rules.ninja\nrule cc\n")),
        ("bad-config", "tab", build("  command = cc -c", "\tcommand = cc -c")),
        ("missing-file", "source", build("total.c", "rates.c")),
        ("syntax", "", {"main.c": MAIN.replace(";", "", 1)}),
        ("type", "", {"main.c": MAIN.replace("total(3)", "total(3, 4)")}),
        ("link", "", {"total.c": "int sum(int count) { return count; }\n"}),
        ("test", "", {"total.c": "int total(int count) { return count * 11; }\n"}),
        ("panic", "", {"total.c": "int total(int count) { int *p = 0; return *p; }\n"}),
        ("tool-misspelt", "command", build("cc -o $out", "ccc -o $out")),
    )
    yield from dev("ninja", FILES, *rows)
    yield Case("unknown-target", "ninja shopp", files=FILES)
    yield Case("unknown-target", "ninja install", "install", files=FILES)
    yield Case("missing-file", "ninja", files={"main.c": MAIN})
    yield Case("missing-file", "ninja -C out", "folder", files=FILES)
    yield Case("wrong-option", "ninja --jobz 4", files=FILES)
    newer = {**FILES, "build.ninja": "ninja_required_version = 99.0\n" + BUILD}
    yield Case("tool-too-old", "ninja", files=newer)


TOOL = Tool("ninja", cases, setup="command -v ninja || apt-get install -y -qq ninja-build")
