"""rustc: compiles, links and runs small programs."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Tool
from lab.usual import Work, agent_cases, dev

BUILD = "rustc --edition 2021 -o shop main.rs"
MAIN = 'mod cart;\n\nfn main() {\n    let counts = vec![1, 2];\n    println!("{}", cart::total(&counts));\n}\n'
CART = "pub fn total(counts: &[u32]) -> u32 {\n    counts.iter().sum::<u32>() * 12\n}\n"
FILES = {"main.rs": MAIN, "cart.rs": CART}
LONG = "fn main() {}\n" + "".join(
    f"pub fn f{n}(v: &[f64]) -> f64 {{ v.iter().map(|x| x * {n}.5).sum() }}\n" for n in range(40_000)
)
SETUP = 'mkdir -p sdk && cp -a "$(rustc --print sysroot)/bin" "$(rustc --print sysroot)/lib" sdk/'


def cases() -> Iterator[Case]:
    """Yield all cases of rustc."""
    work = Work(
        "rustc",
        BUILD,
        FILES,
        size="500k",
        memory=450,
        slow="rustc -O long.rs",
        slow_files={"long.rs": LONG},
    )
    yield from agent_cases(work)
    yield Case("no-permission", BUILD.replace("-o shop", "-o out/shop"), files=FILES, before="mkdir out && chmod 755 out")
    yield from dev(BUILD, FILES, *_source())
    yield from dev(f"{BUILD}\n./shop", FILES, *_crashes())
    check = '\n#[test]\nfn three() {\n    assert_eq!(total(&[1, 2]), 35, "the price of three");\n}\n'
    yield Case("test", "rustc --test -o check cart.rs\n./check", files={"cart.rs": CART + check})
    error = '\n#[test]\nfn rates() {\n    std::fs::read_to_string("rates.json").unwrap();\n}\n'
    yield Case("test-error", "rustc --test -o check cart.rs\n./check", files={"cart.rs": CART + error})
    yield Case("missing-file", BUILD.replace("main.rs", "shop.rs"), files=FILES)
    yield Case("wrong-option", f"{BUILD} --optimise", files=FILES)
    yield Case("wrong-option", BUILD.replace("2021", "2022"), "edition", files=FILES)
    why = "a target that the agent's toolchain lacks, or the pipeline's wish"
    yield Case("tool-too-old", f"{BUILD} --target aarch64-unknown-linux-musl", "target", files=FILES, why=why)
    yield Case(
        "lint",
        BUILD,
        files={**FILES, "main.rs": "#![deny(warnings)]\n" + MAIN.replace("let counts", "let rest = 1; let counts")},
    )
    missing = {**FILES, "main.rs": '#[link(name = "sodium")]\nextern "C" {}\n' + MAIN}
    yield Case("library-missing", BUILD, files=missing, owner="unknown", why="a library that the project or the image lacks")


def _source() -> list[tuple[str, str, dict[str, str]]]:
    return [
        ("syntax", "", {"cart.rs": CART.replace("{", "", 1)}),
        ("syntax", "semicolon", {"main.rs": MAIN.replace("];", "]")}),
        ("type", "", {"main.rs": MAIN.replace("1, 2", "1.5, 2.0")}),
        ("type", "borrow", {"main.rs": MAIN.replace("println!", "drop(counts);\n    println!")}),
        (
            "type",
            "lifetime",
            {"cart.rs": CART + "pub fn longer(a: &str, b: &str) -> &str {\n    if a > b { a } else { b }\n}\n"},
        ),
        ("type", "trait", {"main.rs": MAIN.replace('"{}", ', '"{}", std::thread::current(), ')}),
        ("type", "match", {"cart.rs": CART + "pub fn of(n: Option<u32>) -> u32 {\n    match n { Some(n) => n }\n}\n"}),
        ("undefined-name", "", {"main.rs": MAIN.replace("cart::total", "cart::sum")}),
        ("undefined-name", "macro", {"main.rs": MAIN.replace("println!", "printline!")}),
        ("import", "", {"main.rs": "mod rates;\n" + MAIN}),
        ("missing-dependency", "", {"main.rs": "use shop_rates::Rate;\n" + MAIN}),
        (
            "link",
            "",
            {
                "main.rs": 'extern "C" {\n    fn rate() -> u32;\n}\n'
                + MAIN.replace('println!("', 'println!("{} ", unsafe { rate() });\n    println!("')
            },
        ),
    ]


def _crashes() -> list[tuple[str, str, dict[str, str]]]:
    def total(body: str) -> dict[str, str]:
        return {"cart.rs": f"pub fn total(counts: &[u32]) -> u32 {{\n    {body}\n}}\n"}

    return [
        ("panic", "index", total("let at = counts.len(); counts[at + 1]")),
        ("panic", "unwrap", total('"three".parse::<u32>().unwrap() + counts[0]')),
        ("panic", "overflow", total("counts[0] - counts[1]")),
        ("panic", "expect", total('std::fs::read("prices.json").expect("prices"); counts[0]')),
        ("panic", "recursion", total("counts[0] + total(counts)")),
        (
            "panic",
            "borrowed",
            total("let c = std::cell::RefCell::new(1); let _a = c.borrow_mut(); let b = *c.borrow(); b + counts[0]"),
        ),
    ]


TOOL = Tool("rustc", cases, setup=SETUP, path=("rustc/sdk/bin",))
