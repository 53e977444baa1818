"""The first page and the lists of deploys and builds, in each state that a reader can meet: see page_states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline_trace.change.board import board_of
from pipeline_trace.change.entries import Entry
from pipeline_trace.change.running import Host, Lost, Running, Took, Waits
from pipeline_trace.serve.entry_pages import BUILDS, DEPLOYS, Listed, entries_page
from pipeline_trace.serve.first_page import First, first_page, parts_of
from pipeline_trace.serve.searching import read_search
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id

SECOND = 10**9
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
# 2026-11-25, a Wednesday, half past four in London.
NOW_NS = 1_795_624_200 * SECOND
STORE = "/home/mara/.local/state/pipeline-trace/traces.db"
COMMITS = ("9e0a338c41d27b5f60e8a9d3c2b1f4e5d6a7b8c9", "4f1c2d9e0b7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d")
# Words that no line end can be put into, and letters from right to left.
LONG = "release-candidate-of-the-shop-backend-with-all-feature-branches-merged-" * 3
ARABIC = "\u0627\u0644\u0645\u062a\u062c\u0631 shop (v4.2.0)"
HEBREW = "\u05e4\u05e8\u05d9\u05e1\u05d4 \u05e9\u05dc shop #17"
_MESSAGE = "web3: Failed to connect to the host via ssh: ssh: connect to host web3 port 22: No route to host"


def entry(service: str, environment: str, version: str, ago_ns: int, state: str = c.SUCCESS, **more: Any) -> Entry:
    """Return a deploy that began so long before NOW_NS, and took two minutes. ``more``: other fields of Entry."""
    key = (service, environment, version, str(ago_ns))
    failed = state in c.FAILED_RESULTS
    made = Entry(
        trace_id(("now", *key)),
        span_id(("now", *key)),
        state,
        NOW_NS - ago_ns,
        0 if state == "running" else NOW_NS - ago_ns + 2 * MINUTE,
        service,
        (environment,),
        version,
        commit=COMMITS[0],
        branch="main",
        run=f"{service}/deploy#{ago_ns // HOUR + 1}",
        url=f"https://jenkins.example.org/job/{service}/job/deploy/{ago_ns // HOUR + 1}/",
        who="mara",
        agents=("deploy-1",),
        where="Run playbook" if failed else "",
        message=_MESSAGE if failed else "",
        owner="ops" if failed else "",
        kind="host_unreachable" if failed else "",
    )
    return replace(made, **more)


def pages() -> list[tuple[str, str]]:
    """Return the name and the HTML of each state."""
    return [*_first_pages(), *_lists()]


def _first_pages() -> list[tuple[str, str]]:
    return [
        _first("now-empty", [], [], here="http://127.0.0.1:4318"),
        _first("now-calm", [], _shop()),
        _first("now-running", _running(), [*_shop(), *(deploy for one in _running() for deploy in one.deploys)]),
        _first("now-digests", [], _digests()),
        _first("now-odd-names", _odd_running(), _odd()),
        _first("now-many", [], _many(), notes=["only the newest 480 traces were read; a job that is named finds more"]),
    ]


def _first(
    name: str, running: Sequence[Running], deploys: Sequence[Entry], *, notes: Sequence[str] = (), here: str = ""
) -> tuple[str, str]:
    found = First(running, board_of(deploys), notes)
    return name, first_page(parts_of(found, NOW_NS, store=STORE), here=here)


def _shop() -> list[Entry]:
    """Return what every cell of the board can be."""
    return [
        entry("shop", "integration", "1.7.2", 3 * DAY),
        entry("shop", "integration", "1.7.3", 70 * MINUTE),
        entry("shop", "staging", "1.7.2", 2 * DAY),
        entry("shop", "staging", "1.7.3", 4 * MINUTE, c.FAILURE),
        entry("shop", "production", "1.7.1", 5 * DAY),
        entry("shop", "production", "1.7.2", 2 * DAY, c.CANCELLATION, who=""),
        entry("orders", "integration", "", DAY, commit=""),
        entry("orders", "staging", "", DAY, commit=COMMITS[1], who=""),
        entry("orders", "production", "4.2.0", 2 * HOUR, c.TIMEOUT, owner="unknown", kind=""),
        entry("", "staging", "0.1", 3 * HOUR),
    ]


def _digests() -> list[Entry]:
    """Return deploys of images, which are called by their digests."""
    digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    return [entry("shop", name, digest, at * HOUR) for at, name in enumerate(("integration", "staging", "production"), 1)]


def _running() -> list[Running]:
    """Return runs as usual, slower than usual, hanging, not heard of; without a usual time; one that is no deploy."""
    usual = Took(4 * MINUTE, 9 * MINUTE, 12 * MINUTE, 17)
    deploys = [
        entry("shop", name, "1.7.3", ago, "running", run=f"shop/deploy#{number}")
        for number, (name, ago) in enumerate(
            [("integration", 90 * SECOND), ("staging", 7 * MINUTE), ("qa", 10 * MINUTE)], 140
        )
    ]
    hanging = entry("orders", "production", "4.2.1", 3 * HOUR, "running")
    silent = entry("orders", "staging", "4.2.1", 20 * MINUTE, "running", heard_ns=NOW_NS - 11 * MINUTE)
    unknown = entry("billing", "production", "", 30 * SECOND, "running", commit="", run="", url="")
    chain = ["RUN shop/deploy", "Run playbook", "playbook site.yml", "Deploy the application", "Restart the service", "web3"]
    found = [Running(one.trace_id, chain, one.start_ns, [one], usual, one.run, one.url) for one in (*deploys, hanging)]
    found.append(Running(silent.trace_id, chain[2:], silent.start_ns, [silent], None, "", "", NOW_NS - 11 * MINUTE))
    found.append(Running(unknown.trace_id, ["playbook site.yml", "Deploy"], unknown.start_ns, [unknown], None, "", ""))
    found.append(Running(trace_id(("plain",)), ["playbook backup.yml"], NOW_NS - 41 * MINUTE, [], None, "", ""))
    lost = Lost(chain[2:], NOW_NS - 4 * MINUTE)
    found.append(Running(trace_id(("lost",)), chain[:2], NOW_NS - 9 * MINUTE, [], usual, "shop/deploy#139", "", lost=lost))
    found += [_waiting(*each) for each in enumerate(_WAITS)]
    host = Host(
        "web3.example.org",
        "Restart the service",
        NOW_NS - 7 * MINUTE,
        span_id(("web3",)),
        Took(SECOND, 4 * SECOND, 9 * SECOND, 31),
    )
    found.append(replace(found[1], trace_id=trace_id(("host",)), host=host))
    return found


_WAITS = [
    [Waits(c.WAIT_AGENT, "deploy-prod", "‘prod-deploy-1’ is offline (kernel update)", NOW_NS - 26 * MINUTE)],
    [Waits(c.WAIT_AGENT, "gpu", "There are no nodes with the label ‘gpu’")],
    [Waits(c.WAIT_APPROVAL, "Deploy to production?", "", NOW_NS - 50 * MINUTE)],
    [
        Waits(c.WAIT_LOCK, f"database {number}", "held by shop/migrate #7", NOW_NS - number * MINUTE)
        for number in (9, 8, 7, 6)
    ],
]


def _waiting(at: int, waits: Sequence[Waits]) -> Running:
    usual = None if at == 1 else Took(4 * MINUTE, 9 * MINUTE, 40 * MINUTE, 17)
    chain = ["RUN shop/build", "Test", "Allocate agent"]
    start_ns = NOW_NS - (27 + 11 * at) * MINUTE
    return Running(trace_id(("waits", str(at))), chain, start_ns, [], usual, f"shop/build#{60 + at}", "", waits=waits)


def _odd() -> list[Entry]:
    """Return deploys with texts that are long, from right to left, or empty."""
    names = (LONG, ARABIC, HEBREW, "invoice\u202efdp.exe")
    places = [("staging", LONG), (LONG[:80], ARABIC), (ARABIC, HEBREW), ("production", "")]
    return [
        entry(
            service,
            environment,
            version,
            (at + 1) * HOUR + place * MINUTE,
            c.FAILURE if place % 2 else c.SUCCESS,
            who=(LONG, HEBREW, "")[place % 3],
            message=f"{ARABIC}: {LONG}",
            where=LONG,
            kind="",
        )
        for at, service in enumerate(names)
        for place, (environment, version) in enumerate(places)
    ]


def _odd_running() -> list[Running]:
    one = entry(ARABIC, HEBREW, LONG, 5 * MINUTE, "running", run=f"{LONG}#7")
    other = entry(LONG, LONG, ARABIC, 6 * MINUTE, "running", run="", commit=LONG)
    usual = Took(MINUTE, 2 * MINUTE, 3 * MINUTE, 3)
    return [
        Running(one.trace_id, [LONG, HEBREW, ARABIC, ""], one.start_ns, [one, other], usual, one.run, one.url),
        Running(other.trace_id, [ARABIC, LONG], other.start_ns, [other], None, "", ""),
    ]


def _many() -> list[Entry]:
    environments = ("development", "integration", "test", "qa", "staging", "preprod", "production", "eu-west-1", "us-east-1")
    return [
        entry(
            f"service-{number:02}",
            environment,
            f"{number}.{20 - place}",
            (number * 7 + place * 3 + 1) * HOUR,
            c.FAILURE if (number + place) % 7 == 0 else c.SUCCESS,
        )
        for number in range(40)
        for place, environment in enumerate(environments)
        if (number * place) % 5 != 4
    ]


_SORTED = "only the newest 343 builds are sorted; a time or another filter sorts older ones, too"


def _lists() -> list[tuple[str, str]]:
    lines = [*_shop(), *_odd()]
    lines += [replace(one, state=c.SKIP) for one in lines[:1]] + [replace(one, state="unset") for one in lines[1:2]]
    builds = [replace(one, environments=("staging", "production", ARABIC)[: at % 4]) for at, one in enumerate(lines)]
    running = [deploy for one in _running() for deploy in one.deploys]
    every = {"service": "shop", "environment": "staging", "job": LONG, "branch": ARABIC, "version": "1.7.3", "agent": "a"}
    every |= {"host": "web3.example.org"}
    every |= {"commit": COMMITS[0], "owner": "ops", "kind": "host_unreachable", "q": HEBREW, "result": "failed"}
    every |= {"when": "yesterday", "zone": "60", "from": "2026-11-24T00:00", "to": "2026-11-25T00:00"}
    notice = "only the newest 480 traces were read; a job, a commit or a version that is named finds more"
    return [
        _list("deploys-filled", DEPLOYS, Listed([*running, *lines], older="/deploys?until=5"), {}),
        _list("builds-filled", BUILDS, Listed(builds, older="/builds?until=5"), {"until": "7"}),
        _list("deploys-filtered", DEPLOYS, Listed(lines[:3], notice=notice), every),
        _list(
            "builds-sorted",
            BUILDS,
            Listed(builds, "/builds?sort=longest&page=3", _SORTED),
            {"sort": "longest", "page": "2"},
        ),
        _list("deploys-empty", DEPLOYS, Listed([]), {}),
        _list("builds-loosened", BUILDS, Listed([], loosened={"job": "3", "branch": "50 or more"}), every),
        _list("builds-wrong", BUILDS, Listed([], notice=notice, loosened={}), {"when": "soon", "from": "x", "job": "no"}),
    ]


def _list(name: str, path: str, found: Listed, given: Mapping[str, str]) -> tuple[str, str]:
    return name, entries_page(path, read_search(given, NOW_NS), found, store=STORE)
