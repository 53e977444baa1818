"""Every question that a source of spans answers, about spans that are known. Equal sources give equal answers.

for name, ask in questions(spans, now_ns)["traces"].items():
    assert ask(source) == ask(other), name
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

from pipeline_trace.lookup.source import BuildKey, Counted, TraceSource, Wanted, Window
from pipeline_trace.trace.queries import is_run
from pipeline_trace.trace.span import Span
from pipeline_trace.trace.traits import Trait, traits_of
from support.months import DAY_NS, HOUR_NS

Ask = Callable[[TraceSource], Any]
# What is asked, and how.
Question = tuple[str, Ask]
# Of so many traces and builds each, and values of a trait.
_SOME, _FEW = 20, 3
_MOST = 2000
_TRAITS: tuple[Trait, ...] = ("pipeline", "run", "service", "environment", "version", "revision", "change")


def questions(spans: Sequence[Span], now_ns: int) -> dict[str, dict[str, Ask]]:
    """Return what can be asked, by kind of question and what is asked. ``spans``: what the source has.

    ``now_ns``: the present moment.
    """
    return {
        "newest": {"newest": lambda source: source.newest()},
        "traces": dict(_traces(spans)),
        "around": dict(_around(spans)),
        "noted": dict(_noted(spans, now_ns)),
        "newest of noted": dict(_newest_noted(now_ns)),
        "builds": dict(_builds(spans)),
        "runs": dict(_runs(spans, now_ns)),
        "on hosts": dict(_on_hosts(spans, now_ns)),
        "figures": dict(_figures(now_ns)),
    }


KINDS = ("newest", "traces", "around", "noted", "newest of noted", "builds", "runs", "on hosts", "figures")


def some(values: Sequence[Any], count: int = _SOME) -> list[Any]:
    """Return about so many of many values, all if they are few."""
    return list(values[:: max(len(values) // count, 1)])


def by_id(spans: Sequence[Span]) -> list[Span]:
    """Return spans in an order: where a question promises none."""
    return sorted(spans, key=lambda span: (span.trace_id, span.span_id))


def window(spans: Sequence[Span]) -> Window:
    """Return when spans ran."""
    return Window(min(span.start_ns for span in spans), max(span.end_ns for span in spans))


def windows(now_ns: int) -> dict[str, Window]:
    """Return what questions are asked about."""
    return {
        "today": Window(now_ns - DAY_NS, now_ns),
        "some hours": Window(now_ns - 30 * HOUR_NS, now_ns - 8 * HOUR_NS),
        "a month": Window(now_ns - 31 * DAY_NS, now_ns),
        "long ago": Window(now_ns - 320 * DAY_NS, now_ns - 60 * DAY_NS),
        "a year, and the future": Window(now_ns - 395 * DAY_NS, now_ns + 9 * DAY_NS),
        "the future": Window(now_ns + HOUR_NS, now_ns + 9 * DAY_NS),
        "nothing": Window(now_ns - 10 * DAY_NS, now_ns - 10 * DAY_NS + 1),
    }


def runs_of(spans: Sequence[Span]) -> list[Span]:
    """Return the run spans, in the order of their beginning."""
    return sorted((span for span in spans if is_run(span)), key=lambda span: (span.start_ns, span.span_id))


def key_of(span: Span) -> BuildKey:
    """Return the key of the build that a span belongs to."""
    traits = traits_of(span)
    return traits.pipeline, traits.run


def _traces(spans: Sequence[Span]) -> Iterator[Question]:
    ids = sorted({span.trace_id for span in spans})
    for trace_id in [*some(ids), "f" * 32]:
        yield f"trace {trace_id}", lambda source, one=trace_id: by_id(source.trace(one))  # type: ignore[misc]
    few = some(ids)[::5]
    for asked in ([], ids[:1], few, [*few, "f" * 32]):
        yield f"outline of {len(asked)}", lambda source, of=asked: by_id(source.outline(of, 20_000))  # type: ignore[misc]
    yield "outline, bounded", lambda source: len(source.outline(few, 10))
    yield "failures", lambda source: by_id(source.outline(few, 20_000, failures=True))


def _around(spans: Sequence[Span]) -> Iterator[Question]:
    traces: dict[str, list[Span]] = {}
    for span in spans:
        traces.setdefault(span.trace_id, []).append(span)
    for trace_id in some(sorted(traces)):
        inside, ids = traces[trace_id], [span.span_id for span in traces[trace_id]]
        around, parents = [window(inside)], [span.parent_id for span in inside if span.parent_id]
        yield f"with parents of {trace_id}", lambda source, a=parents, b=around: source.traces_with(a, b)  # type: ignore[misc]
        yield f"below {trace_id}", lambda source, a=ids, b=around: source.traces_below(a, b)  # type: ignore[misc]
        yield f"below {trace_id}, but for it", lambda source, a=ids, b=around, c=trace_id: source.traces_below(a, b, [c])  # type: ignore[misc]
    # More than fit into one request.
    every = [*(f"{number:016x}" for number in range(1, 9000)), *(span.span_id for span in spans)]
    yield "with any", lambda source: source.traces_with(every, [window(spans)])
    yield "below any", lambda source: source.traces_below(every, [window(spans)])
    yield "below any, but for some", lambda source: source.traces_below(every, [window(spans)], sorted(traces)[::2])
    yield "with none", lambda source: (source.traces_with([]), source.traces_below([]), source.traces_with(["f" * 16]))


def _noted(spans: Sequence[Span], now_ns: int) -> Iterator[Question]:
    traits = [traits_of(span) for span in spans]
    asked: list[list[list[Wanted]]] = []
    for trait in _TRAITS:
        if trait in ("revision", "environment"):
            asked.append([[Wanted(trait)]])
        values = some(sorted({found for one in traits if (found := getattr(one, trait))}), _FEW)
        beginnings = [[Wanted(trait, value[: len(value) // 2 + 1], begins=True)] for value in values[:1]]
        asked.append([*([Wanted(trait, value)] for value in values[1:]), *beginnings])
    builds = ([Wanted("pipeline", job), Wanted("run", number)] for job, number in map(key_of, some(runs_of(spans), _FEW)))
    results = ([Wanted("result", word)] for word in ("failure", "error", "timeout"))
    asked += [
        list(builds),
        list(results),
        [[Wanted("result", "cancellation")]],
        [[Wanted("result", "success")]],
        [[Wanted("pipeline", "shop/build"), Wanted("result", "failure")]],
        [[Wanted("environment", "staging"), Wanted("result", "failure")]],
        [[Wanted("service", "shop"), Wanted("environment", "production")], [Wanted("revision", "a", begins=True)]],
        [[Wanted("pipeline", "no such job")], [Wanted("pipeline", "%")], [Wanted("pipeline", "_", begins=True)]],
    ]
    for groups in asked:
        yield f"noted {groups}", lambda source, one=groups: source.noted(one, _MOST)  # type: ignore[misc]
    for name, within in list(windows(now_ns).items())[1:6:4]:
        yield f"noted {name}", lambda source, one=within: source.noted([[Wanted("revision")]], _MOST, one)  # type: ignore[misc]


def _newest_noted(now_ns: int) -> Iterator[Question]:
    for most in (1, 3, 40):
        yield f"{most} noted", lambda source, one=most: source.noted([[Wanted("revision")]], one)  # type: ignore[misc]
    yield "any noted", lambda source: source.noted([[]], _MOST)
    within = Window(now_ns - 100 * DAY_NS, now_ns)
    yield "any noted of some days", lambda source: source.noted([[], [Wanted("version", "1.7.3")]], _MOST, within)
    yield "some noted", lambda source: source.noted([[Wanted("environment")], [Wanted("version")]], 7, within)


def _builds(spans: Sequence[Span]) -> Iterator[Question]:
    runs = some(runs_of(spans))
    if not runs:
        return
    asked = [([run], [window([run])]) for run in runs] + [(runs, [window([run]) for run in runs])]
    for of, around in asked:
        keys = sorted({key_of(run) for run in of})
        for fine in (True, False):
            name = f"builds {keys[:2]} {len(keys)}, hosts {fine}"
            yield name, lambda source, a=keys, b=fine, c=around: by_id(source.builds(a, fine_hosts=b, around=c))  # type: ignore[misc]
    yield "no build", lambda source: source.builds([("no such job", "1")], around=[window(spans)])


def _runs(spans: Sequence[Span], now_ns: int) -> Iterator[Question]:
    jobs = some(sorted({key_of(run)[0] for run in runs_of(spans)}), 2 * _FEW)
    for at, (name, within) in enumerate(windows(now_ns).items()):
        for most in (_MOST, 4):
            yield f"{most} runs of {name}", lambda source, a=within, b=most: source.runs(a, b)  # type: ignore[misc]
            for job in jobs[at % 2 :: 2]:
                asked = f"{most} stages of {job} of {name}"
                yield asked, lambda source, a=job, b=within, c=most: source.stages(a, b, c)  # type: ignore[misc]


def _on_hosts(spans: Sequence[Span], now_ns: int) -> Iterator[Question]:
    hosts = some(sorted({host for span in spans if (host := traits_of(span).host)}), _FEW)
    every = windows(now_ns)
    for host in [*hosts, "no such host", ""]:
        for name in ("a year, and the future", "a month"):
            ask = f"on {host} of {name}"
            yield ask, lambda source, a=host, b=every[name]: source.on_host(a, b, _MOST)  # type: ignore[misc]
            yield f"ran {ask}", lambda source, a=host, b=every[name]: source.ran_on(a, b, _MOST)  # type: ignore[misc]
    if hosts:
        yield "3 ran on a host", lambda source: source.ran_on(hosts[0], every["a year, and the future"], 3)
        yield "2 on a host", lambda source: source.on_host(hosts[0], every["a year, and the future"], 2)


def _figures(now_ns: int) -> Iterator[Question]:
    every = windows(now_ns)
    wanted = ((), (Wanted("pipeline", "shop/deploy"),), (Wanted("environment", "production"), Wanted("service")))
    for counted in get_args(Counted):
        # Few, because each costs the engine more than half a second, however little there is.
        asked = [("a year, and the future", ()), *(("a month", one) for one in wanted[: 3 if counted == "deploy" else 2])]
        for name, one in asked:
            ask = f"figures of {counted} of {name}, {one}"
            yield ask, lambda source, a=counted, b=every[name], c=one: source.figures(a, b, c)  # type: ignore[misc]
    for days in (7, 90):
        ask = f"figures of job of a year, {days} days each"
        yield ask, lambda source, a=days: source.figures("job", every["long ago"], days=a)  # type: ignore[misc]


def differences(asked: dict[str, Ask], source: TraceSource, other: TraceSource) -> list[str]:
    """Return in which questions two sources differ, a line each, and how."""
    found = {name: (ask(source), ask(other)) for name, ask in asked.items()}
    return [f"{name}: {_how(*both)}" for name, both in found.items() if both[0] != both[1]]


def _how(found: Any, expected: Any) -> str:
    if not (isinstance(found, list) and isinstance(expected, list)) or not all(
        isinstance(one, Span) for one in (*found, *expected)
    ):
        return f"{found!r:.500} instead of {expected!r:.500}"
    ours, theirs = ({(span.trace_id, span.span_id): span for span in spans} for spans in (found, expected))
    if len(found) != len(expected) or ours.keys() != theirs.keys():
        more, less = (
            [spans[key].name for key in spans.keys() - others] for spans, others in ((ours, theirs), (theirs, ours))
        )
        return f"{len(found)} instead of {len(expected)} spans, {more[:3]} more, {less[:3]} missing"
    for key, span in ours.items():
        a, b = span.to_dict(), theirs[key].to_dict()
        for name in a:
            if a[name] != b[name]:
                return f"{name} of {span.name}: {a[name]!r:.700} instead of {b[name]!r:.700}"
    return "in another order"
