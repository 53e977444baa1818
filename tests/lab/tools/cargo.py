"""Cargo: crates from a sparse registry, build, clippy, test."""

from __future__ import annotations

from collections.abc import Iterator

from lab.agent import BUNDLE
from lab.faults import CONNECTION, CONTENT, STATUS, TLS
from lab.model import Case, Machine, Site, Tool
from lab.native import cargo_pages
from lab.tools.rustc import SETUP
from lab.usual import Work, agent_cases, dev, shown_change, unclear

BUILD, TEST = "cargo build", "cargo test"
PAGES = cargo_pages(
    "registry.example",
    ("shop-rates", "2.0.0", "pub fn of() -> u32 { 12 }\n"),
    ("shop-rates", "1.9.0", "\n"),
    ("shop-cart", "1.0.0", "\n"),
)
SITE = Site(PAGES)
MANIFEST = '[package]\nname = "shop"\nversion = "1.4.0"\nedition = "2021"\n\n[dependencies]\n'
CART = "pub fn total(counts: &[u32]) -> u32 {\n    counts.iter().sum::<u32>() * 12\n}\n"
CONFIG = (
    '[source.crates-io]\nreplace-with = "shop"\n[source.shop]\nregistry = "sparse+https://registry.example/index/"\n'
    f'[net]\nretry = 0\n[http]\ntimeout = 2\ncainfo = "{BUNDLE}"\n[term]\ncolor = "never"\n'
)
FILES = {"Cargo.toml": MANIFEST, "src/lib.rs": CART, "~/.cargo/config.toml": CONFIG}
FETCHING = {**FILES, "Cargo.toml": MANIFEST + 'shop-rates = "2.0.0"\n'}


def cases() -> Iterator[Case]:
    """Yield all cases of Cargo."""
    yield from _registry()
    yield from _agent()
    yield from dev(BUILD, FILES, *_source())
    yield from _tests()
    yield from _calls()


def _registry() -> Iterator[Case]:
    for fault in [*CONNECTION, *TLS, *STATUS, "redirect-loop", "html", "empty"]:
        yield Case(fault, BUILD, files=FETCHING, site=SITE, seconds=45)
    for fault in ["http-401", "http-403", "http-429", "http-502", "http-503", *CONTENT]:
        if fault != "redirect-loop":
            case = Case(fault, BUILD, "download", files=FETCHING, site=Site(PAGES, at="/crates/"), seconds=45)
            yield unclear(case, ("html", "empty", "corrupt"), "the checksum, or the content")
    yield Case("missing-internal", BUILD, files=FETCHING, site=Site({"/index/config.json": PAGES["/index/config.json"]}))
    before, show = shown_change("Cargo.toml", "2.0.0", "2.9.0")
    wrong = {**FILES, "Cargo.toml": MANIFEST + 'shop-rates = "2.9.0"\n'}
    yield Case("missing-version", f"{show}\n{BUILD}", files=wrong, site=SITE, before=before)
    both = {
        **FILES,
        "Cargo.toml": MANIFEST + 'shop-rates = "=2.0.0"\nrates = { package = "shop-rates", version = "=3.0.0" }\n',
    }
    yield Case("missing-version", BUILD, "listed", files=both, site=SITE)
    lock = (
        'version = 3\n\n[[package]]\nname = "shop"\nversion = "1.4.0"\ndependencies = ["shop-rates"]\n\n[[package]]\nname = "shop-rates"\n'
        f'version = "2.0.0"\nsource = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "{"ab" * 32}"\n'
    )
    yield Case("pin-differs", f"{BUILD} --locked", files={**FETCHING, "Cargo.lock": lock}, site=SITE)
    yield Case("lock-out-of-step", f"{BUILD} --locked", files=FETCHING, site=SITE)
    again = Site(PAGES, at="/crates/", fault="http-503", times=1)
    retries = {
        **FETCHING,
        "~/.cargo/config.toml": CONFIG.replace("retry = 0", "retry = 3"),
        "src/lib.rs": CART.replace("* 12", "* "),
    }
    yield Case("recovered-then-dev", BUILD, files=retries, site=again)


def _agent() -> Iterator[Case]:
    slow = {
        "src/lib.rs": "".join(
            f"pub fn f{n}(v: &[f64]) -> f64 {{ v.iter().map(|x| x * {n}.5).sum() }}\n" for n in range(30_000)
        )
    }
    work = Work(
        "cargo",
        BUILD,
        FILES,
        size="60k",
        memory=120,
        open_files=14,
        output="target",
        slow="cargo build --release",
        slow_files=slow,
    )
    yield from agent_cases(work)
    denied = "mkdir -p /home/jenkins/.cargo/registry && chown -R 0 /home/jenkins/.cargo/registry"
    yield Case("home-denied", BUILD, files=FETCHING, site=SITE, before=denied)
    why = "the compiler was killed; the log tells no cause"
    killed = Machine(kill=("KILL", "rustc --crate-name shop", 3))
    yield Case("killed", f"{BUILD} --release", "compiler", files={**FILES, **slow}, machine=killed, why=why, seconds=60)
    newer = {**FILES, "Cargo.toml": MANIFEST.replace('edition = "2021"', 'edition = "2021"\nrust-version = "9.99"')}
    yield Case("tool-too-old", BUILD, files=newer)
    yield Case("tool-missing", f"{BUILD} --config 'build.rustc=\"/usr/bin/rustc-nightly\"'", "compiler", files=FILES)
    yield Case(
        "tool-missing",
        BUILD,
        "linker",
        files={**FILES, "src/main.rs": "fn main() {}\n"},
        env={"CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER": "clang-19"},
    )


def _source() -> list[tuple[str, str, dict[str, str]]]:
    return [
        ("syntax", "", {"src/lib.rs": CART.replace("{", "", 1)}),
        ("type", "", {"src/lib.rs": CART.replace("u32>()", "u64>()")}),
        ("type", "moved", {"src/lib.rs": CART + "pub fn twice(v: Vec<u32>) -> u32 {\n    drop(v);\n    total(&v)\n}\n"}),
        ("undefined-name", "", {"src/lib.rs": CART.replace("* 12", "* RATE")}),
        ("import", "", {"src/lib.rs": "mod rates;\n" + CART}),
        ("missing-dependency", "", {"src/lib.rs": "use shop_rates::of;\n" + CART}),
        ("bad-manifest", "", {"Cargo.toml": MANIFEST.replace('"1.4.0"', "1.4.0")}),
        ("bad-manifest", "table", {"Cargo.toml": MANIFEST.replace("[package]", "[package")}),
        ("bad-manifest", "version", {"Cargo.toml": MANIFEST.replace("1.4.0", "one")}),
        ("bad-config", "feature", {"Cargo.toml": MANIFEST + '\n[features]\ndefault = ["fast"]\n'}),
        ("bad-config", "edition", {"Cargo.toml": MANIFEST.replace("2021", "2022")}),
        ("bad-config", "path", {"Cargo.toml": MANIFEST + 'rates = { path = "../rates" }\n'}),
        ("panic", "build-script", {"build.rs": 'fn main() {\n    panic!("CHANNEL is not set");\n}\n'}),
        ("missing-file", "macro", {"src/lib.rs": CART + 'pub const TERMS: &str = include_str!("terms.txt");\n'}),
    ]


def _tests() -> Iterator[Case]:
    def check(body: str) -> dict[str, str]:
        return {
            "src/lib.rs": f"{CART}\n#[cfg(test)]\nmod tests {{\n    #[test]\n    fn cart() {{\n        {body}\n    }}\n}}\n"
        }

    refused = 'let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(); std::net::TcpStream::connect(port).expect("own test server");'
    rows = (
        ("test", "", check("assert_eq!(super::total(&[1, 2]), 35);")),
        ("test", "message", check('assert!(super::total(&[1]) > 12, "the price of one is too low");')),
        ("test-error", "", check('let n: u32 = "three".parse().unwrap(); assert_eq!(n, 3);')),
        ("test-mock", "", check(refused)),
        ("missing-file", "fixture", check('std::fs::read("fixtures/rates.json").unwrap();')),
        ("panic", "abort", check("std::process::abort();")),
        ("panic", "segfault", check("unsafe { std::ptr::null::<u32>().read_volatile() };")),
    )
    yield from dev(TEST, FILES, *rows)
    yield Case(
        "test-timeout",
        f"timeout -s INT 6 {TEST}",
        files={**FILES, **check("loop {}")},
        owner="unknown",
        why="a bare 124",
        kind="timeout",
    )
    main = {
        **FILES,
        "src/main.rs": 'fn main() {\n    let prices: Vec<u32> = Vec::new();\n    println!("{}", prices[0]);\n}\n',
    }
    yield Case("panic", "cargo run", files=main)
    yield Case(
        "test",
        TEST,
        "doc",
        files={**FILES, "src/lib.rs": "/// ```\n/// assert_eq!(shop::total(&[1]), 11);\n/// ```\n" + CART},
    )


def _calls() -> Iterator[Case]:
    yield Case("unknown-target", "cargo biuld", files=FILES)
    yield Case("unknown-target", "cargo run --bin shopp", "binary", files={**FILES, "src/main.rs": "fn main() {}\n"})
    yield Case("unknown-target", "cargo test -p rates", "package", files=FILES)
    yield Case("unknown-target", "cargo build --features fast", "feature", files=FILES)
    yield Case("wrong-option", "cargo build --optimise", files=FILES)
    yield Case("missing-file", BUILD, files={"src/lib.rs": CART, "~/.cargo/config.toml": CONFIG})
    yield Case("missing-file", BUILD, "source", files={"Cargo.toml": MANIFEST, "~/.cargo/config.toml": CONFIG})
    yield Case("lint", "RUSTFLAGS='-D warnings' cargo check", files={**FILES, "src/lib.rs": CART + "fn unused() {}\n"})
    yield Case("tool-missing", "cargo nextest run", "subcommand", files=FILES)


TOOL = Tool("cargo", cases, setup=SETUP, path=("cargo/sdk/bin",))
