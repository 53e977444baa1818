"""cmake: configures, builds and tests; fetches sources from the artefact store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from lab.faults import CONNECTION, CONTENT, STATUS, TLS
from lab.model import Case, Reply, Site, Tool
from lab.packages import archive, noise
from lab.usual import Work, agent_cases, dev, unclear

BUILD = "cmake -S . -B build\ncmake --build build"
TEST = f"{BUILD}\nctest --test-dir build --output-on-failure"
LISTS = (
    "cmake_minimum_required(VERSION 3.16)\nproject(shop C)\nadd_library(total total.c)\nadd_executable(shop main.c)\n"
    "target_link_libraries(shop PRIVATE total)\nenable_testing()\nadd_test(NAME total_of_three COMMAND shop)\n"
)
MAIN = "int total(int);\nint main(void) { return total(3) != 36; }\n"
FILES = {"CMakeLists.txt": LISTS, "main.c": MAIN, "total.c": "int total(int count) { return count * 12; }\n"}
SOURCES = archive(
    {"rates/CMakeLists.txt": "add_library(rates rates.c)\n", "rates/rates.c": "int rate = 2;\n", "rates/t": noise(200_000)}
)
HOST = "artifacts.internal"
PAGES = {"/shop/rates-2.0.0.tar.gz": Reply(SOURCES)}
SITE = Site(PAGES, host=HOST)


def fetching(digest: str = "", name: str = "rates-2.0.0") -> dict[str, str]:
    """Return a project that fetches sources; with a checksum, if one is given."""
    pinned = f"\n  URL_HASH SHA256={digest}" if digest else ""
    fetch = (
        f"include(FetchContent)\nset(FETCHCONTENT_QUIET OFF)\nFetchContent_Declare(rates\n  URL https://{HOST}/shop/{name}.tar.gz{pinned}\n"
        "  TIMEOUT 3 INACTIVITY_TIMEOUT 3)\nFetchContent_MakeAvailable(rates)\n"
    )
    return {**FILES, "CMakeLists.txt": LISTS + fetch}


def cases() -> Iterator[Case]:
    """Yield all cases of cmake."""
    right = hashlib.sha256(SOURCES).hexdigest()
    for fault in [*CONNECTION, "tls-plain", *STATUS, *CONTENT]:
        pin = right if fault in ("corrupt", "truncated", "html", "empty") else ""
        case = Case(fault, BUILD, "fetch", files=fetching(pin), site=SITE, seconds=90)
        yield unclear(case, ("html", "empty", "corrupt"), "the project's checksum, or the content")
    # FetchContent verifies certificates only where it is told to.
    for fault in TLS:
        lists = fetching()["CMakeLists.txt"].replace("TIMEOUT 3 ", "TLS_VERIFY ON TIMEOUT 3 ")
        if fault != "tls-plain":
            yield Case(fault, BUILD, "fetch", files={**FILES, "CMakeLists.txt": lists}, site=SITE, seconds=90)
    yield Case("pin-differs", BUILD, files=fetching("ab" * 32), site=SITE)
    yield Case("missing-internal", BUILD, files=fetching(name="rates-2.1.0"), site=SITE)
    yield from _agent()
    yield from _lists()
    yield from _build()


def _agent() -> Iterator[Case]:
    waits = {"CMakeLists.txt": LISTS + "execute_process(COMMAND sleep 60)\n"}
    work = Work("cmake", BUILD, FILES, size="60k", output="build", slow="cmake -S . -B build", slow_files=waits)
    yield from agent_cases(work)
    yield Case("tool-missing", BUILD, "compiler", files=FILES, env={"CC": "clang-19"})
    moved = "mkdir -p /srv/old && cp -r . /srv/old/ && cmake -S /srv/old -B /home/jenkins/workspace/shop/build >/dev/null && chmod -R a+rwX build"
    yield Case(
        "no-permission", BUILD, "leftover", files=FILES, before=moved, owner="unknown", why="a leftover, or a wrong folder"
    )
    newer = {**FILES, "CMakeLists.txt": LISTS.replace("3.16", "3.99")}
    yield Case("tool-too-old", BUILD, files=newer)


def _lists() -> Iterator[Case]:
    def lists(old: str, new: str) -> dict[str, str]:
        return {"CMakeLists.txt": LISTS.replace(old, new)}

    rows = (
        ("bad-config", "parenthesis", lists("add_executable(shop main.c)", "add_executable(shop main.c")),
        ("bad-config", "command", lists("add_library(", "add_libary(")),
        ("bad-config", "fatal", lists("enable_testing()", 'message(FATAL_ERROR "CHANNEL must be stable or beta")')),
        ("bad-config", "policy", lists("enable_testing()", "set_property(TARGET shopp PROPERTY C_STANDARD 99)")),
        ("bad-config", "arguments", lists("add_test(NAME total_of_three COMMAND shop)", "add_test(NAME)")),
        ("bad-config", "twice", lists("enable_testing()", "add_library(total main.c)")),
        ("missing-file", "source", lists("main.c", "shop.c")),
        ("missing-file", "subdirectory", lists("enable_testing()", "add_subdirectory(rates)")),
        ("missing-file", "include", lists("enable_testing()", "include(cmake/Release.cmake)")),
        ("link", "target", lists("PRIVATE total", "PRIVATE totals")),
    )
    yield from dev(BUILD, FILES, *rows)
    package = {**FILES, **lists("enable_testing()", "find_package(ZeroMQ REQUIRED)")}
    why = "a library that the project or the agent's image lacks"
    yield Case("library-missing", BUILD, files=package, owner="unknown", why=why)
    listed = {**package, "agent-image.txt": "cmake\nlibzmq3-dev (ZeroMQ)\n"}
    yield Case("library-missing", f"cat agent-image.txt\n{BUILD}", "listed", files=listed)
    yield Case("missing-file", BUILD, files={"main.c": MAIN})
    yield Case("wrong-option", BUILD.replace("-B build", "-B build --preset release"), files=FILES)
    yield Case("wrong-option", BUILD.replace("-B build", "-B build -G Ninjaa"), "generator", files=FILES)


def _build() -> Iterator[Case]:
    rows = (
        ("syntax", "", {"main.c": MAIN.replace(";", "", 1)}),
        ("type", "", {"main.c": MAIN.replace("total(3)", "total(3, 4)")}),
        ("undefined-name", "", {"total.c": "int total(int count) { return count * RATE; }\n"}),
        ("link", "", {"total.c": "int sum(int count) { return count; }\n"}),
        ("import", "", {"main.c": '#include "rates.h"\n' + MAIN}),
        ("test", "", {"total.c": "int total(int count) { return count * 11; }\n"}),
        ("panic", "test", {"total.c": "int total(int count) { int *p = 0; return *p; }\n"}),
    )
    yield from dev(TEST, FILES, *rows)
    yield Case("unknown-target", f"{BUILD} --target instal", files=FILES)
    hangs = {**FILES, "main.c": "#include <unistd.h>\n" + MAIN.replace("return", "sleep(30); return")}
    yield Case("test-timeout", f"{TEST} --timeout 2", files=hangs)
    yield Case("missing-file", "cmake --build out", "folder", files=FILES)


TOOL = Tool("cmake", cases, setup="command -v cmake || apt-get install -y -qq cmake")
