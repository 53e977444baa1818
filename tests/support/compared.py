"""Two runs to compare: the sample, and a green run before it with another commit, other parameters and other parts."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_trace.compare.made import comparison_of
from pipeline_trace.compare.record import Comparison
from pipeline_trace.lookup.tree import build_tree
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.span import ERROR, UNSET, Span
from support.report_samples import JENKINS, ROOT_URL, make, sample

HOUR_NS = 3600 * 10**9
BEFORE = trace_id(("jenkins", ROOT_URL, "app-build", "41"))
SHOP = "https://github.com/acme/shop"
OLD = "8c1" + "d" * 37


def failed() -> list[Span]:
    """Return the sample, with what can differ."""
    spans = sample()
    run = next(span for span in spans if span.name == "RUN app-build")
    run.attributes |= {
        c.VCS_REPOSITORY_URL: SHOP,
        f"{c.JENKINS_PARAMETER_PREFIX}VERSION": "1.7.3",
        f"{c.JENKINS_PARAMETER_PREFIX}DEPLOY_TO": "staging",
        c.JENKINS_AGENTS: ["linux-2"],
    }
    spans.append(make("scan", "tests", "trivy image app:1.7.3", 90, 96, jenkins_type="step"))
    return spans


def green() -> list[Span]:
    """Return a run an hour before that went well: it was quicker, and it deployed to production, too."""
    spans = []
    for span in failed():
        if span.name.startswith("trivy"):
            continue
        span.trace_id, span.span_id = BEFORE, span_id(("before", span.span_id))
        span.parent_id = span.parent_id and span_id(("before", span.parent_id))
        length = span.end_ns - span.start_ns
        if span.name in ("Unit test", "linux-py311", "make test", "Install packages", "Schedule"):
            length //= 2
        span.start_ns -= HOUR_NS
        span.end_ns = span.start_ns + length
        for name in (c.PIPELINE_RESULT, c.TASK_RUN_RESULT):
            if span.attributes.get(name) in c.FAILED_RESULTS or span.name == "Deploy production":
                span.attributes[name] = c.SUCCESS
        if span.attributes.get(c.ANSIBLE_RESULT) == "failed":
            span.attributes[c.ANSIBLE_RESULT] = "changed"
        if span.status_code == ERROR:
            span.status_code, span.status_message = UNSET, ""
        if span.name == "RUN app-build":
            span.attributes |= {
                c.PIPELINE_RUN_ID: "41",
                c.PIPELINE_RUN_URL: f"{ROOT_URL}/job/app-build/41/",
                c.VCS_HEAD_REVISION: OLD,
                f"{c.JENKINS_PARAMETER_PREFIX}VERSION": "1.7.2",
                c.JENKINS_AGENTS: ["linux-1"],
            }
        if span.resource.get(c.PIPELINE_RUN_ID) == JENKINS[c.PIPELINE_RUN_ID]:
            span.resource = {**span.resource, c.PIPELINE_RUN_ID: "41"}
        spans.append(span)
    spans.append(make("notify", None, "Notify", 316, 317, jenkins_type="step"))
    late = spans[-1]
    late.trace_id, late.span_id, late.resource = BEFORE, span_id(("before", late.span_id)), spans[0].resource
    late.parent_id = spans[0].span_id
    late.start_ns, late.end_ns = late.start_ns - 2 * HOUR_NS // 2, late.end_ns - HOUR_NS
    return spans


def comparison(run: Sequence[Span] | None = None, base: Sequence[Span] | None = None, note: str = "") -> Comparison:
    """Return the comparison of the first runs in some spans; of the two above."""
    one, other = (build_tree(spans)[0] for spans in (run or failed(), base or green()))
    return comparison_of(one, other, note=note)
