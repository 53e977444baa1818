"""The pages in each state that a reader can meet: for the tests of their layout, and for `make screenshots`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from playwright.sync_api import Browser, Page, Route

from pipeline_trace.compare.record import Comparison
from pipeline_trace.lookup.usual import NO_OTHER_BUILDS
from pipeline_trace.report.copying import Around
from pipeline_trace.report.headline import NOTHING, Headline
from pipeline_trace.report.html import Known, page_html
from pipeline_trace.report.live import LivePage
from pipeline_trace.serve import pages
from pipeline_trace.serve.comparing import page_of
from pipeline_trace.serve.listing import Page as Listed
from pipeline_trace.serve.summary import Summary, summarise
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.span import Event, Link, Span
from support import grid_samples, now_states, time_states
from support.compared import comparison, failed, green
from support.report_pages import NOW
from support.report_samples import PATH, REFUSED, START_NS, TRACE, Verdict, make, many, sample, seconds, story

ADDRESS = "http://traces.example.org/"
SOURCE = "clickhouse://reader@clickhouse.example.com:8443/otel?table=otel_traces"
_LINKS = [("All traces", "/"), ("app-build#42", "https://ci.example.org/job/app-build/42/")]
_AROUND = Around(f"{ADDRESS}trace/{TRACE}", SOURCE, compare=f"/compare?trace={TRACE}", export=f"/trace/{TRACE}.json")
_KNOWN = Known(_LINKS, around=_AROUND)
WIDTHS = (390, 768, 1400)
# A word that no line end can be put into.
_LONG = "release-candidate-of-the-shop-backend-with-all-feature-branches-merged-" * 3
_NOTICE = (
    "too large to be read whole: /home/mara/.local/state/pipeline-trace/journals/12.jsonl (300 MB); run: pipeline-trace ship"
)
_ARABIC = "\u0646\u0634\u0631 \u0627\u0644\u062a\u0637\u0628\u064a\u0642 \u0639\u0644\u0649 staging (v4.2.0)"
_HEBREW = "\u05e4\u05e8\u05d9\u05e1\u05d4 \u05e9\u05dc app-deploy #17"


@dataclass(frozen=True)
class State:
    """A page's state. ``write`` returns its HTML; ``act`` does what leads to the state.

    ``policy``: the Content-Security-Policy that `serve` sends with it; "" where the page has its own. ``events``: what the
    server sends of a trace that goes on, before the connection ends; "" where nothing comes; None where it is away.
    """

    name: str
    write: Callable[[], str]
    act: Callable[[Page], object] = lambda page: None
    policy: str = ""
    events: str | None = ""


@contextmanager
def opened(browser: Browser, state: State, width: int, *, height: int = 900, at: str = "", **options: Any) -> Iterator[Page]:
    """Open a page in a state, as a server in the network would send it; nothing else can be asked for.

    ``at``: the end of the address.
    """
    options = {"timezone_id": "Europe/Berlin", "reduced_motion": "reduce", **options}
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    headers = {"Content-Type": "text/html; charset=utf-8"}
    if state.policy:
        headers["Content-Security-Policy"] = state.policy
    body = state.write()
    context.route("**/*", lambda route: route.fulfill(body=body, headers=headers))
    waiting: list[Route] = []
    context.route("**/events?*", lambda route: _send_events(route, state.events, waiting))
    try:
        page = context.new_page()
        page.goto(ADDRESS + at)
        state.act(page)
        yield page
    finally:
        for route in waiting:
            route.abort()
        context.close()


def _send_events(route: Route, events: str | None, waiting: list[Route]) -> None:
    if events == "":
        waiting.append(route)
    elif events is None:
        route.abort()
    else:
        route.fulfill(body=events, headers={"Content-Type": "text/event-stream"})


def all_states() -> list[State]:
    """Return all of them."""
    return [*first_and_lists(), *_lists(), *_traces(), *live(), *_details(), *_comparisons(), *_grids(), *_over_time()]


def _over_time() -> list[State]:
    return [State(name, write, policy=pages.content_policy()) for name, write in time_states.pages()]


def first_and_lists() -> list[State]:
    """Return those of the first page, and of the lists of deploys and builds."""
    return [State(name, lambda text=text: text, policy=pages.content_policy()) for name, text in now_states.pages()]


def _lists() -> list[State]:
    lines = _lines()
    running = Summary("9" * 32, START_NS, 0, 12, "playbook site.yml", "running", ("staging",), (), "", "")
    return [
        _list("list-filled", Listed([], lines, 480, ["production", "staging"], 0, ""), {}),
        _list("list-empty", Listed([], [], 0, [], 0, ""), {}),
        _list(
            "list-without-hits", Listed([], [], 0, ["staging"], 0, ""), {"q": "no such thing", "from": "2025-03-05T15:30"}
        ),
        _list("list-running", Listed([running], lines, 41, ["staging"], 12_345, _NOTICE), {"from": "soon"}),
        State("login", lambda: pages.login_page(then="/", wrong=False), policy=pages.content_policy()),
        State("login-wrong", lambda: pages.login_page(then="/", wrong=True), policy=pages.content_policy()),
        State("message", lambda: pages.message_page("Not found", f"no trace {_LONG}"), policy=pages.content_policy()),
    ]


def _list(name: str, found: Listed, fields: dict[str, str]) -> State:
    asked = pages.read_query({**fields, "page": "2" if found.total > 100 else "1"})
    store = "/home/mara/.local/state/pipeline-trace/traces.db"
    return State(
        name,
        lambda: pages.traces_page(asked, found, store=store, here="http://127.0.0.1:4318"),
        policy=pages.content_policy(),
    )


def _lines() -> list[Summary]:
    results = ("success", "failure", "error", "timeout", "cancellation", "skip", "unset")
    url = "https://jenkins.example.org/job/app/7/"
    found = [
        Summary(f"{at + 1:032x}", seconds(-at * 4000), seconds(-at * 4000 + 90), 1 + at * 431, f"RUN app-build#{at}",
                result, ("staging", "production")[: at % 3], ("4f1c2d9e0b7a6c5d",) * (at % 2), url, "")
        for at, result in enumerate(results)
    ]  # fmt: skip
    many_places = tuple(f"environment-{number}-of-the-east" for number in range(9))
    found.append(
        Summary(
            "a" * 32,
            START_NS,
            START_NS,
            1,
            _LONG,
            "failure",
            (_LONG[:90], *many_places),
            ("f" * 40,) * 5,
            f"https://{'ci.' * 20}example.org/",
            "",
        )
    )
    return [*found, summarise("b" * 32, _named(_ARABIC)), summarise("c" * 32, _named(""))]


def _named(name: str) -> list[Span]:
    return [make("named", None, name, 0, 5, jenkins_type="run")]


def _report(name: str, spans: list[Span], act: Callable[[Page], object] = lambda page: None, **more: Any) -> State:
    more = {"headline": NOTHING, "history": NO_OTHER_BUILDS, **more}
    return State(name, lambda: page_html(spans, generated_at=NOW, links=_LINKS, around=_AROUND, **more), act)


def _traces() -> list[State]:
    told, headline, history = story()
    succeeded = [make("run", None, "RUN app-build", 0, 60, jenkins_type="run", cicd_pipeline_result="success")]
    succeeded.append(make("s", "run", "Unit test", 1, 59, jenkins_type="stage", cicd_pipeline_task_run_result="success"))
    cancelled = [make("run", None, "RUN app-build", 0, 60, jenkins_type="run", cicd_pipeline_result="cancellation")]
    cancelled.append(
        make("s", "run", "Wait for input", 1, 60, jenkins_type="input", cicd_pipeline_task_run_result="cancellation")
    )
    gone = {span_id(("sample", key)) for key in ("run", "step-build")}
    return [
        _report("trace-running", _running()),
        _report("trace-failed", told, _open_panels, headline=headline, history=history),
        _report("trace-copied", told, lambda page: page.get_by_text("Copy for the chat").click(), headline=headline),
        _report("trace-copied-by-hand", told, _by_hand, headline=headline),
        _report("trace-failed-only", sample(), lambda page: page.click("#only-failed")),
        _report("trace-failed-and-incomplete", [span for span in sample() if span.span_id not in gone]),
        _report("trace-incomplete", [span for span in succeeded if span.parent_id]),
        _report("trace-succeeded", succeeded),
        _report("trace-cancelled", cancelled),
        _report("trace-empty", []),
        _report("trace-without-hits", sample(), lambda page: page.fill("#search", "no such thing")),
        _report("trace-many-rows", many(3000)),
        _report("trace-deep", _deep(), _open_panels),
        _report("trace-long-names", _long(), _open_panels, headline=_long_headline()),
        _report("trace-right-to-left", _right_to_left(), _open_panels),
    ]


def live() -> list[State]:
    """Return those of the page of a trace that goes on."""
    told, headline, history = story()
    known = Known(_LINKS, headline, history, _AROUND)
    quiet = {span.span_id: seconds(70) for span in _running() if not span.end_ns}
    deep = _deep()
    for span in deep:
        span.end_ns, span.status_code, span.attributes = 0, "UNSET", {"jenkins.type": span.attributes["jenkins.type"]}
    some = grid_samples.running()
    silent = {span.span_id: span.start_ns + 10**9 for span in some if not span.end_ns and span.name != "site.yml"}
    return [
        _live("live-running", _running(), act=_first_row),
        _live("live-away", _running(), events=None, act=lambda page: page.locator("#live-line.lost").wait_for()),
        _live("live-not-heard-of", _running(), replace(_KNOWN, silent=quiet), act=_first_row),
        _live("live-failed-and-ended", _running(), after=told, then=known, act=_ended),
        _live("live-long-way", deep),
        _live("live-waits", _waiting()),
        _live("live-grid", some, replace(_KNOWN, silent=dict(list(silent.items())[:1])), act=_open_grid),
    ]


def _live(
    name: str,
    spans: list[Span],
    known: Known | None = None,
    *,
    after: Sequence[Span] = (),
    then: Known | None = None,
    events: str | None = "",
    act: Callable[[Page], object] = lambda page: page.locator("#live-line").wait_for(),
) -> State:
    """Return the state of a page that follows its trace. ``after`` and ``then``: how it has ended."""
    page = LivePage(lambda: int(NOW.timestamp()) * 10**9)
    page.take(spans, known or _KNOWN)
    text = page.page("/trace/events")
    if then:
        mark = text.split('"mark":"')[1].split('"')[0]
        page.take(after, then)
        change = json.dumps({**(page.since(mark) or {}), "now": page.now_us()})
        events = f"event: change\ndata: {change}\n\nevent: end\ndata: {{}}\n\n"
    return State(name, lambda: text, act, events=events)


def _ended(page: Page) -> None:
    page.get_by_text("The trace has ended.").wait_for()
    _open_panels(page)


def _details() -> list[State]:
    told, headline, history = story()
    return [
        _report("details-failed-step", _busy(), lambda page: page.locator("[data-jump]").first.click()),
        _report("details-of-a-story", told, _first_row, headline=headline, history=history),
        _report("details-running", _running(), _first_row),
        _report("details-long-names", _long(), lambda page: page.locator("[data-jump]").first.click()),
        _report("details-right-to-left", _right_to_left(), _first_row),
    ]


def _comparisons() -> list[State]:
    long = failed()
    for span in long:
        span.name = f"{span.name} {_LONG}"
    several = [f"{number:040x}" for number in range(9)]
    return [
        _comparison("compare", replace(comparison(), built=several, note="no green run had the same stages")),
        _comparison("compare-long-names", comparison(long), _LONG),
        _comparison("compare-right-to-left", comparison(_right_to_left())),
        _comparison("compare-alike", comparison(green(), green())),
        _comparison("compare-nothing", None, problem=f"there is no green run of {_LONG} here; name another one"),
    ]


def _comparison(name: str, found: Comparison | None, other: str = "", problem: str = "") -> State:
    text = page_of(found, TRACE, other, source=SOURCE, problem=problem)
    return State(name, lambda: text, policy=pages.content_policy())


def _by_hand(page: Page) -> None:
    """Ask for a copy where the browser allows none."""
    page.evaluate("document.execCommand = () => false")
    page.get_by_text("Copy for the chat").click()
    page.locator("#by-hand[open]").wait_for()


def _grids() -> list[State]:
    names = ("all_kinds", "running", "one_host", "no_hosts", "of_failures_only", "two_playbooks", "middling")
    return [_report(f"grid-{name}".replace("_", "-"), getattr(grid_samples, name)(), _open_grid) for name in names]


def _open_grid(page: Page) -> None:
    page.click("#matrix > summary")
    # An empty one has no cells.
    page.locator("#matrix-counts strong").first.wait_for()


def _open_panels(page: Page) -> None:
    page.evaluate("document.querySelectorAll('main details').forEach(panel => panel.open = true)")


def _first_row(page: Page) -> None:
    page.locator("#rows .row").first.click()


def _running() -> list[Span]:
    spans = sample()[:8]
    for span in spans:
        if span.name in ("RUN app-build", "Unit test", "make test"):
            span.attributes = {key: value for key, value in span.attributes.items() if "result" not in key}
            span.end_ns, span.status_code, span.status_message = 0, "UNSET", ""
    return spans


def _waiting() -> list[Span]:
    """Return a build that runs and waits in several branches, as the poller tells it."""
    spans = [make("run", None, "RUN app-build", 0, None, jenkins_type="run", cicd_pipeline_run_id="42")]
    told = [
        (c.WAIT_AGENT, "macos", "There are no nodes with the label \u2018macos\u2019", seconds(9)),
        (c.WAIT_AGENT, _LONG, _ARABIC, seconds(20)),
        (c.WAIT_APPROVAL, "Deploy to production?", "", 0),
        (c.WAIT_LOCK, "staging", "", seconds(30)),
    ]
    for at, (kind, what, reason, since_ns) in enumerate(told):
        span = make(f"w{at}", "run", f"Branch {at}", at + 1, None, jenkins_type="branch")
        span.attributes |= {c.WAIT_KIND: kind, c.WAIT_FOR: what, c.WAIT_REASON: reason, c.WAIT_SINCE: since_ns}
        spans.append(span)
    return spans


def _busy() -> list[Span]:
    """Return a build with a failed step that has all that a span can have, and much of it."""
    run = make("run", None, "RUN app-build", 0, 300, jenkins_type="run", cicd_pipeline_result="failure")
    step = make("step", "run", "sh make deploy", 3, 290, jenkins_type="step", cicd_pipeline_task_run_result="failure")
    step.fail("\n".join([REFUSED, *(f"line {n}: the service did not come up in time, waiting for it" for n in range(30))]))
    trace = "\n".join(
        f'  File "/srv/app/deploy/steps/number_{n}.py", line {n}, in run_the_step_of_that_number' for n in range(12)
    )
    step.attributes.update(
        {
            "jenkins.log": "\n".join(
                f"[{n:03}] connecting to db{n}.staging.example.org:5432 failed, trying again" for n in range(40)
            ),
            "process.command_line": "ansible-playbook -i inventories/staging deploy.yml\n  -e version=4.2.0\n  --limit web",
            "a.name.of.an.attribute.that.is.longer.than.the.pane.is.wide.and.has.no.spaces.in.it": "short",
            "long.value": "x" * 400,
            "url.full": f"https://ci.example.org/{'job/folder/' * 20}17/",
            "list": ["one", "two\nlines", "https://ci.example.org/job/1/"],
        }
    )
    stack = {
        "exception.type": "TimeoutError",
        "exception.message": "no answer",
        "exception.stacktrace": f"Traceback:\n{trace}",
    }
    step.events += [
        Event("exception", seconds(280), stack),
        Event("retry of the whole step after a failure", seconds(-3), {"number": 2}),
    ]
    step.links += [
        Link(run.trace_id, run.span_id, {"jenkins.link": "started by"}),
        Link(trace_id(("other",)), span_id(("other",)), {"log": "two\nlines"}),
    ]
    step.resource = {**step.resource, "host.description": "first line\nsecond line"}
    return [run, step, make("after", "run", "Clean up", 290, 300, jenkins_type="cleanup")]


def _deep() -> list[Span]:
    spans = [make("0", None, "RUN deep", 0, 100, jenkins_type="run", cicd_pipeline_result="failure")]
    for depth in range(1, 40):
        kind = ("stage", "branch", "step")[depth % 3]
        name = f"Level {depth} of the nested stages"
        spans.append(make(f"{depth}", f"{depth - 1}", name, depth, 100, jenkins_type=kind, jenkins_retry_attempt=2))
        spans[-1].fail(f"level {depth} failed")
    return spans


def _long() -> list[Span]:
    spans = [make("0", None, f"RUN {_LONG}", 0, 9000, jenkins_type="run", cicd_pipeline_result="failure")]
    for number in range(4):
        spans.append(make(f"{number + 1}", f"{number}", _LONG[number:], number * 60, 9000, jenkins_type="stage"))
        spans[-1].fail(_LONG * 4)
    late = make("late", "1", "words " * 60, -90, 9999, ansible_type="host", ansible_result="unreachable")
    late.fail("words " * 200)
    return [*spans, late]


def _long_headline() -> Headline:
    steps = [
        {
            "step": _LONG[:80],
            "state": "failure",
            "failures": 12,
            "last": {"run": f"{_LONG}#17", "url": "https://ci.example.org/"},
        }
    ]
    path = {**PATH, "services": [{"service": _LONG[:60], "answer": PATH["answer"], "steps": steps}] * 2}
    evidence = [*(f"{_LONG} line {number}" for number in range(12)), *(f"line {number}" for number in range(30))]
    return Headline(Verdict("dev", "tests_failed", 0.5, evidence, f"Dev looks at {_LONG}."), path)


def _right_to_left() -> list[Span]:
    spans = [make("0", None, _ARABIC, 0, 100, jenkins_type="run", cicd_pipeline_result="failure")]
    for number, name in enumerate((_HEBREW, _ARABIC, "Deploy " + _HEBREW, _ARABIC * 5)):
        spans.append(make(f"{number + 1}", f"{number}", name, number * 10, 100, jenkins_type="stage"))
        spans[-1].fail(f"{_ARABIC}\n{_HEBREW}: exit code 2")
        spans[-1].attributes.update({"jenkins.log": f"{_ARABIC}\nplain\n{_HEBREW}", "name": _HEBREW})
    return spans
