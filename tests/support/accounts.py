"""An account in which everything is known, for the tests of formats."""

from __future__ import annotations

from pipeline_trace.ownership import OPS, Verdict
from pipeline_trace.ownership.account.record import Account, Build, Others, Place, Start, Streak

NOON_NS = 1_795_521_600 * 10**9
MINUTE_NS = 60 * 10**9
GREEN, BROKEN = "9e0a3389c124391cbe41447c76bcbf7887009a60", "63d034dacd87e7b59b3e6168946aa5b8cd943d34"
LINE = "ssh: connect to host web2 port 22: <refused> & gone"


def build(job: str, number: int, minute: int, commit: str = "") -> Build:
    """Return a build that began so many minutes after noon."""
    return Build(f"{job}#{number}", f"https://ci.example.com/job/{job}/{number}/", NOON_NS + minute * MINUTE_NS, commit)


def account() -> Account:
    """Return the account of shop-deploy#12: it fails since #11, as orders-deploy does; web2 refuses ssh."""
    verdict = Verdict(OPS, "host_unreachable", 0.85, [LINE], "Ops looks at web2; the change is not the cause.")
    return Account(
        verdict,
        "Ops should look at web2: Ansible could not reach it, and 2 other projects fail alike.",
        build("shop-deploy", 12, 9, BROKEN),
        "a" * 32,
        because=["3 projects have had the same error since 2026-11-24 12:05:00Z: orders, shop, web"],
        line=LINE,
        seen=["task 'Copy' could not reach web2"],
        streak=Streak(
            "shop-deploy to staging",
            build("shop-deploy", 11, 5, BROKEN),
            2,
            4,
            build("shop-deploy", 10, 1, GREEN),
            [BROKEN],
            2,
            f"https://github.com/acme/shop/compare/{GREEN}...{BROKEN}",
            build("shop-deploy", 14, 30, BROKEN),
        ),
        start=Start("user", "mara", [build("shop-build", 7, 8, BROKEN), build("shop-deploy", 12, 9, BROKEN)]),
        place=Place("deploy-1", ["web2"], "staging", ["shop-build", "Deploy", "shop-deploy", "Shell Script"]),
        alike=[Others("orders-deploy to staging", "deploy-1", 2, build("orders-deploy", 9, 8))],
        fine=[Others("web-build", "deploy-1", 1, build("web-build", 4, 7))],
        then=verdict.next,
        commands=["pipeline-trace show 'shop-deploy#12'"],
        page="https://traces.example.com/" + "a" * 32,
    )
