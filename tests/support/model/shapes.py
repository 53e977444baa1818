"""Programs of every shape, by name, and any number of generated ones."""

from __future__ import annotations

import random
from collections.abc import Sequence

from .programs import (
    ABORTED,
    FAILURE,
    Agent,
    Branch,
    Catch,
    Item,
    Limit,
    Parallel,
    Program,
    Retry,
    Stage,
    Throw,
    Try,
    Wrap,
    ask,
    build,
    declarative_parallel,
    echo,
    error,
    junit,
    matrix,
    post,
    sh,
    sleep,
)

# Declarative's own names for what it does with an agent for the whole Pipeline.
_CHECKOUT = Stage("Declarative: Checkout SCM", [sh("git checkout", 400, label="Check out from version control")])


def _named(*programs: Program) -> dict[str, Program]:
    return {program.name: program for program in programs}


_SIMPLE = _named(
    Program("plain", [Agent("linux-1", [
        Stage("Build", [sh("make", 3000), echo("built")]), Stage("Test", [sh("make test")]),
    ])]),
    Program("agents", [
        Stage("Build", [Agent("linux-1", [sh("make", 2000)], wait_ms=4000)]),
        Stage("Deploy", [Agent("deploy-1", [sh("deploy", 1500)], wait_ms=9000), Agent("built-in", [sleep(1)])]),
    ]),
    Program("nested", [Agent("linux-1", [
        Stage("Outer", [
            sh("before"),
            Stage("Inner", [Stage("Innermost", [sh("deep", 1500)]), echo("after the innermost")]),
            sh("after", 700),
        ]),
        Stage("Outer", [echo("of the same name")]),
    ])]),
    Program("loose", [Agent("linux-1", [
        sh("before all stages", 800),
        Stage("One", [sh("in one")]),
        sh("between stages", 900),
        Stage("Two", [sh("in two")]),
        echo("after all stages"),
    ])]),
    Program("no-stage", [Agent("linux-1", [echo("no stage"), sh("make", 2000)])]),
    Program("no-stage-fails", [Agent("linux-1", [echo("no stage"), sh("exit 2", 600, status=2, log="boom\n")])]),
    Program("empty-stage", [Stage("Empty"), Stage("Full", [Agent("linux-1", [echo("x")])])]),
    Program("blocks", [Agent("linux-1", [Stage("Publish", [
        sh("upload", 1200, label="Upload the package"),
        Wrap("Bind credentials to variables", [sh("log in", 400)]),
        Wrap("Lock shared resource", [sh("migrate", 900)], wait_ms=12_000, log=(
            "Trying to acquire lock on [database]\nFound 0 available resource(s). Waiting for correct amount: 1.\n"
            "[database] is locked by lock-holder #1, waiting...\n"
        )),
        Wrap("Change current directory", [Wrap(body=[sh("ls")])]),
    ])])]),
    Program("syntax-error", compiles=False),
)  # fmt: skip

_PARALLELS = _named(
    Program("parallel-scripted", [Agent("linux-1", [
        Stage("Tests", [
            sh("prepare"),
            Parallel([
                Branch("unit", [sh("unit", 4000)]),
                Branch("slow", [echo("begins"), sh("slow", 9000)]),
                Branch("staged", [Stage("Inner", [sh("inner", 2000)]), Stage("Last", [sh("last", 500)])]),
            ]),
            sh("after the parallel"),
        ]),
    ])]),
    Program("parallel-agents", [Stage("Tests", [Parallel([
        Branch("linux", [Agent("linux-1", [sh("test", 3000)], wait_ms=2000)]),
        Branch("mac", [Agent("mac-1", [sh("test", 1000), Stage("Pack", [sh("pack")])], wait_ms=7000)]),
    ])])]),
    Program("parallel-declarative", [
        Stage("Prepare", [Agent("linux-1", [sh("prepare")])]),
        Stage("Tests", [declarative_parallel(
            Branch("linux", [Agent("linux-1", [Stage("Compile", [sh("cc", 2000)]), Stage("Test", [sh("test", 3000)])])]),
            Branch("windows", [Agent("deploy-1", [Stage("Compile", [sh("cl", 4000)]), Stage("Test", [echo("fine")])])]),
            Branch("docs", [Agent("built-in", [sh("sphinx", 1500)], wait_ms=3000)]),
        )]),
        Stage("Package", [Agent("linux-1", [Stage("Wheel", [sh("wheel")]), Stage("Image", [sh("image")])])]),
    ], declarative=True),
    Program("parallel-nested", [Agent("linux-1", [Stage("Outer", [Parallel([
        Branch("a", [Stage("Inner", [Parallel([
            Branch("x", [Stage("Deep", [sh("x", 1000)])]),
            Branch("y", [sh("y", 2500)]),
        ])])]),
        Branch("b", [Parallel([Branch("p", [sh("p")]), Branch("q", [sh("q", 3000)])])]),
    ])])])]),
    Program("parallel-top-level", [Agent("linux-1", [
        Stage("Prepare", [sh("prepare")]),
        Parallel([
            Branch("east", [Stage("Deploy", [sh("east", 5000)])]), Branch("west", [Stage("Deploy", [sh("west", 6000)])]),
        ]),
        Stage("Clean up", [sh("rm", 300)]),
    ])]),
    Program("parallel-only", [Parallel([
        Branch("one", [Agent("linux-1", [sh("one", 2000)])]),
        Branch("two", [Agent("linux-2", [sh("two", 1000)])]),
    ])]),
    Program("parallel-fails", [Agent("linux-1", [Stage("Tests", [Parallel([
        Branch("good", [sh("good", 5000)]),
        Branch("bad", [sh("bad", 1000, status=1, log="assertion\n")]),
    ])])])]),
    Program("parallel-fail-fast", [Agent("linux-1", [Stage("Tests", [declarative_parallel(
        Branch("good", [sh("good", 50_000)]), Branch("bad", [sh("bad", 1000, status=1)]), fail_fast=True,
    )]), Stage("Deploy", [sh("deploy")])])], declarative=True),
    Program("matrix", [Agent("linux-1", [Stage("All", [matrix(
        ["OS = 'debian', JAVA = '17'", "OS = 'debian', JAVA = '21'", "OS = 'alpine', JAVA = '21'"],
        [Stage("Compile", [sh("javac", 2000)]), Stage("Test", [sh("junit", 3000)])],
    )])])], declarative=True),
)  # fmt: skip

_OUTCOMES = _named(
    Program("fails", [Agent("linux-1", [
        Stage("Build", [sh("make")]),
        Stage("Deploy", [sh("deploy", 900, status=4, log="fatal: [web2]: UNREACHABLE!\n"), echo("never")]),
        Stage("Smoke test", [sh("curl")]),
        Stage("Group", [Stage("Inner", [sh("never")])]),
        post(sh("rm -rf tmp", 300)),
    ])], declarative=True),
    Program("fails-unmarked", [Agent("linux-1", [
        Stage("Deploy", [sh("deploy", status=1)]), Stage("Smoke test", [sh("curl")]),
    ])], declarative=True, marks_skips=False),
    Program("fails-scripted", [Agent("linux-1", [Stage("Build", [error("version 1.0 is not allowed")]), Stage("Never")])]),
    Program("throws", [Agent("linux-1", [Stage("Parse", [echo("parsing"), Throw()])])]),
    Program("unstable", [Agent("linux-1", [
        Stage("Test", [sh("make test", label="Run the unit tests"), junit(failed=2)]), Stage("After", [sh("goes on")]),
    ])]),
    Program("when", [_CHECKOUT, Agent("linux-1", [
        Stage("Build", [sh("make")]),
        Stage("Deploy", skipped=True),
        Stage("Group", [Stage("One"), Stage("Two")], skipped=True),
        Stage("Pair", [Parallel([
            Branch("A", [Stage("A", skipped=True)]), Branch("B", [Stage("B", [sh("b", 2000)])]),
        ])]),
        Stage("Notify", [echo("done")]),
    ])], declarative=True),
    Program("retry", [Agent("linux-1", [Stage("Flaky", [
        Retry([[sh("try", 700, status=1)], [sh("try", 800, status=1)], [echo("again"), sh("try", 900)]]),
        sh("rm n", 200),
    ])])]),
    Program("retry-fails", [Agent("linux-1", [Stage("Flaky", [Retry([[sh("try", status=1)], [sh("try", status=2)]])])])]),
    Program("timeout", [Agent("linux-1", [Stage("Slow", [Limit(3000, [sh("sleep 30", 30_000)])]), Stage("After")])]),
    Program("timeout-caught", [Agent("linux-1", [
        Stage("Slow", [Try([Limit(3000, [sh("sleep 30", 30_000)])], [echo("too slow")])]), Stage("After", [sh("x")]),
    ])]),
    Program("catch-error", [Agent("linux-1", [
        Stage("Lint", [Catch([sh("lint", status=1)], "FAILURE", "UNSTABLE")]), Stage("Build", [sh("make")]),
    ])]),
    Program("try-catch", [Agent("linux-1", [Stage("Build", [Try([sh("first", status=1)], [sh("second")])])])]),
    Program("stopped", [Agent("linux-1", [
        Stage("Build", [sh("make")]), Stage("Long", [sh("sleep 120", 120_000)]),
        Stage("After", [sh("x")]), post(echo("bye")),
    ])], declarative=True, stopped_after_ms=9000),
    Program("no-agent", [
        Stage("Build", [Agent("linux-1", [sh("make")])]),
        Stage("Mac", [Agent("", [sh("never")], label="macos", wait_ms=None)]),
    ], stopped_after_ms=30_000),
    Program("no-agent-in-branch", [Agent("linux-1", [Stage("Mac", [Parallel([
        Branch("intel", [Agent("", label="macos", wait_ms=None)]), Branch("linux", [sh("sleep 40", 40_000)]),
    ])])])], stopped_after_ms=30_000),
    Program("restarted", [Agent("linux-1", [
        Stage("Build", left_out=True), Stage("Test", left_out=True), Stage("Publish", [sh("publish")]),
        Stage("Announce", [echo("done")]),
    ])], declarative=True),
)  # fmt: skip

_OTHERS = _named(
    Program("deploys", [Agent("linux-1", [
        Stage("Build", [sh("make", 2000)]),
        Stage("Deploy staging", [build("deploy", 1, 12_000)]),
        Stage("Deploy production", [ask("Deploy to production?", 60_000), build("deploy", 2, 14_000)]),
        Stage("Tell", [build("Team Ärger/notify", 1, waits=False)]),
    ])]),
    Program("deploy-fails", [
        Stage("Build", [Agent("linux-1", [sh("make")])]),
        Stage("Deploy", [Agent("linux-1", [build("deploy", 3, 9000, result=FAILURE)])]),
    ]),
    Program("deploy", [Agent("deploy-1", [Stage("Run playbook", [sh("ansible-playbook site.yml", 6000)])])]),
    Program("refused", [Stage("Build", [Agent("linux-1", [sh("make")])]), Stage("Approve", [
        Agent("built-in", [ask("Deploy?", 5000, result=ABORTED)]),
    ]), Stage("Deploy", [Agent("linux-1", [sh("deploy")])])], declarative=True),
    Program("many-steps", [Agent("linux-1", [Stage("Loop", [echo(f"iteration {number}") for number in range(150)])])]),
)  # fmt: skip

NAMED: dict[str, Program] = {**_SIMPLE, **_PARALLELS, **_OUTCOMES, **_OTHERS}
"""The programs by name."""


class _Chance(random.Random):
    """``declarative``: stages may be skipped, and have at least a step."""

    declarative = False


def generated(seed: int) -> Program:
    """Return a program made by chance, the same for the same seed. It ends by itself."""
    chance = _Chance(seed)
    chance.declarative = declarative = chance.random() < 0.5
    body: Sequence[Item] = [_stage(chance, 3) if declarative else _item(chance, 3) for _ in range(chance.randint(1, 5))]
    whole = [Agent("linux-1", body)] if chance.random() < 0.8 else body
    return Program(f"generated-{seed}", whole, declarative=declarative, marks_skips=chance.random() < 0.7)


def _stage(chance: _Chance, depth: int) -> Stage:
    name = chance.choice(["Build", "Test", "Deploy", "Déploy ünï", "Scan: all", "x"])
    luck = chance.random()
    if luck < 0.1 and chance.declarative:
        return Stage(name, skipped=True)
    fewest = 0 if luck < 0.1 else 1
    return Stage(name, [_item(chance, depth - 1) for _ in range(chance.randint(fewest, 3))])


def _item(chance: _Chance, depth: int) -> Item:
    kinds = [_step] if depth <= 0 else [_step, _step, _stage, _parallel, _agent, _other]
    return chance.choice(kinds)(chance, depth)


def _step(chance: _Chance, depth: int) -> Item:
    ms = chance.randint(5, 9000)
    return chance.choice(
        [sh("make", ms), sh("make", ms), echo("hello"), sleep(1), junit(chance.choice([0, 0, 3])), build("deploy", 7, ms)]
        + [sh("fails", ms, status=chance.randint(1, 255))] * (chance.random() < 0.15)
    )


def _parallel(chance: _Chance, depth: int) -> Item:
    names = chance.sample(["a", "b", "c", "d", "Build"], chance.randint(1, 4))
    branches = [Branch(name, [_item(chance, depth - 1) for _ in range(chance.randint(1, 2))]) for name in names]
    fail_fast = chance.random() < 0.2
    if chance.random() < 0.4:
        return declarative_parallel(*branches, fail_fast=fail_fast)
    return Parallel(branches, fail_fast)


def _agent(chance: _Chance, depth: int) -> Item:
    body = [_item(chance, depth - 1) for _ in range(chance.randint(1, 2))]
    return Agent(chance.choice(["linux-1", "linux-2", "built-in"]), body, wait_ms=chance.randint(10, 20_000))


def _other(chance: _Chance, depth: int) -> Item:
    body = [_item(chance, depth - 1) for _ in range(chance.randint(1, 2))]
    blocks: list[Item] = [
        Retry([[*body, sh("fails", 50, status=1)], body]),
        Limit(chance.randint(500, 30_000), body),
        Catch(body),
        Try(body, [echo("caught")]),
        Wrap("Lock shared resource", body, wait_ms=chance.randint(0, 5000)),
    ]
    return chance.choice(blocks)
