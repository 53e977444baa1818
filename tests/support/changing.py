"""A trace that changes at random, and the data of its page."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline_trace.lookup.tree import build_tree, walk
from pipeline_trace.lookup.usual import NO_OTHER_BUILDS
from pipeline_trace.report.pagedata import PageData
from pipeline_trace.report.rowdata import Rows
from pipeline_trace.trace.span import Span
from support.report_samples import START_NS, seconds


def page_data(spans: Sequence[Span], rows: Rows, silent: Mapping[str, int] | None = None) -> PageData:
    """Return the data of a page of spans."""
    nodes = list(walk(build_tree(spans)))
    return PageData(nodes, START_NS, seconds(400), [], NO_OTHER_BUILDS, silent=silent, made=rows)


def changed(chance: random.Random, spans: list[Span], everything: Sequence[Span]) -> None:
    """Let a span come, go, end, fail, move below another one, or begin at another time."""
    at, kind = chance.randrange(len(spans)) if spans else 0, chance.randrange(6)
    left = [span for span in everything if span.span_id not in {one.span_id for one in spans}]
    if kind == 0 and len(spans) > 1:
        del spans[at]
    elif kind == 1 and spans:
        spans[at] = replace(spans[at], end_ns=seconds(chance.randrange(400)))
    elif kind == 2 and spans:
        spans[at] = replace(spans[at], status_code="ERROR", status_message=f"broken {chance.random()}")
    elif kind == 3 and spans:
        spans[at] = replace(spans[at], parent_id=chance.choice([None, chance.choice(spans).span_id]))
    elif kind == 4 and spans:
        spans[at] = replace(spans[at], start_ns=seconds(chance.randrange(300)))
    elif left:
        spans.insert(at, chance.choice(left))
