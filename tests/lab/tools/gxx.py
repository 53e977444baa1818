"""g++: compiles, links and runs a small program in C++."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Tool
from lab.usual import Work, agent_cases, dev

BUILD = "g++ -std=c++17 -Wall -o shop src/main.cpp src/cart.cpp"
MAIN = '#include <iostream>\n#include "cart.hpp"\n\nint main() {\n    Cart cart;\n    cart.add("tea", 3);\n    std::cout << cart.total() << "\\n";\n}\n'
FILES = {
    "src/main.cpp": MAIN,
    "src/cart.hpp": "#pragma once\n#include <map>\n#include <string>\n\nclass Cart {\npublic:\n    void add(const std::string &name, int count);\n"
    "    int total() const;\n\nprivate:\n    std::map<std::string, int> counts;\n};\n",
    "src/cart.cpp": '#include "cart.hpp"\n\nvoid Cart::add(const std::string &name, int count) { counts[name] += count; }\n\n'
    "int Cart::total() const {\n    int sum = 0;\n    for (const auto &[name, count] : counts) sum += count;\n    return sum;\n}\n",
}
LONG = "#include <map>\n#include <string>\n" + "".join(
    f'template <int N> struct T{n} {{ std::map<std::string, int> m; }}; T{n}<{n}> v{n}; void f{n}() {{ v{n}.m["a"]++; }}\n'
    for n in range(1500)
)


def cases() -> Iterator[Case]:
    """Yield all cases of g++."""
    work = Work(
        "g++", BUILD, FILES, size="40k", temp="16k", memory=90, slow="g++ -O2 -c long.cpp", slow_files={"long.cpp": LONG}
    )
    yield from agent_cases(work)
    yield Case(
        "no-permission", f"{BUILD.replace('-o shop', '-o out/shop')}", files=FILES, before="mkdir out && chmod 755 out"
    )
    yield from dev(BUILD, FILES, *_source())
    yield from dev(f"{BUILD}\n./shop", FILES, *_crashes())
    yield Case("missing-file", BUILD.replace("cart.cpp", "basket.cpp"), files=FILES)
    yield Case("wrong-option", BUILD.replace("-Wall", "-Wal"), files=FILES)
    yield Case(
        "lint",
        f"{BUILD} -Wextra -Werror",
        files={**FILES, "src/main.cpp": MAIN.replace("Cart cart;", "Cart cart; int rest;")},
    )
    why = "the agent's compiler, or the project's wish"
    yield Case("tool-too-old", BUILD.replace("c++17", "c++29"), files=FILES, why=why)
    boost = {**FILES, "src/main.cpp": "#include <boost/asio.hpp>\n" + MAIN}
    yield Case("library-missing", BUILD, files=boost, owner="unknown", why="a library that the project or the image lacks")
    yield Case(
        "library-missing",
        f"grep boost agent-image.txt\n{BUILD}",
        "listed",
        files={**boost, "agent-image.txt": "build-essential\nlibboost-all-dev 1.74 (for shop and orders)\n"},
    )


def _source() -> list[tuple[str, str, dict[str, str]]]:
    header, source = FILES["src/cart.hpp"], FILES["src/cart.cpp"]
    return [
        ("syntax", "", {"src/cart.cpp": source.replace("int sum = 0;", "int sum = 0")}),
        ("syntax", "class", {"src/cart.hpp": header.replace("};", "}")}),
        ("type", "", {"src/main.cpp": MAIN.replace('"tea", 3', '3, "tea"')}),
        ("type", "template", {"src/main.cpp": MAIN.replace("cart.total()", "cart")}),
        ("type", "const", {"src/cart.cpp": source.replace("int sum = 0;", 'int sum = 0; counts["x"] = 1;')}),
        ("type", "override", {"src/cart.hpp": header.replace("int total() const;", "int total() const override;")}),
        ("undefined-name", "", {"src/main.cpp": MAIN.replace("cart.total()", "cart.sum()")}),
        ("undefined-name", "variable", {"src/cart.cpp": source.replace("return sum", "return summ")}),
        (
            "link",
            "",
            {
                "src/cart.cpp": source.replace(
                    "int Cart::total() const", "int total_of(const std::map<std::string, int> &counts)"
                )
            },
        ),
        ("link", "virtual", {"src/main.cpp": "struct Rate { virtual int of(); };\nRate rate;\n" + MAIN}),
        ("import", "", {"src/main.cpp": MAIN.replace("cart.hpp", "basket.hpp")}),
        ("test", "static", {"src/main.cpp": MAIN + 'static_assert(sizeof(Cart) == 4, "a cart is small");\n'}),
    ]


def _crashes() -> list[tuple[str, str, dict[str, str]]]:
    source = FILES["src/cart.cpp"]

    def total(body: str) -> dict[str, str]:
        return {
            "src/cart.cpp": "#include <stdexcept>\n#include <vector>\n"
            + source.replace("int sum = 0;", f"int sum = 0; {body}")
        }

    return [
        ("panic", "exception", total('throw std::runtime_error("no price for tea");')),
        ("panic", "range", total('sum = counts.at("coffee");')),
        ("panic", "null", total("int *p = nullptr; sum = *p;")),
        ("panic", "vector", total("std::vector<int> v; v.at(3);")),
        ("panic", "length", total("std::vector<int> v; v.reserve(-1);")),
    ]


TOOL = Tool("g++", cases)
