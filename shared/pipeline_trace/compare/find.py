"""Finds the run that a reference names, and the one to compare it with: the last green one of the same kind."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress

from ..change.runs import RunTree
from ..lookup.lookup import Lookup, NotFoundError, is_run_of
from ..lookup.source import ALWAYS, Wanted, Window
from ..lookup.states import state
from ..lookup.tree import Node, build_tree, walk
from ..lookup.twice import once_a_build
from ..lookup.wording import visible
from ..ownership.failure import Trace
from ..ownership.judge import deciding_lines, referenced
from ..ownership.log.rules import RulesError, load_rules
from ..place.ci.jenkins.identity import build_on_page
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_key, environment_of, is_playbook, is_run, run_url_of
from ..trace.span import ERROR, Span
from .made import comparison_of, name_of
from .record import Comparison

# Of a job's green runs the newest are looked at; of these, the stages and environments of so many.
_MOST_GREEN = 200
_MOST_LOOKED_AT = 20
_MOST_SPANS = 20_000
_BROKEN = c.FAILED_RESULTS | {c.CANCELLATION}
_OTHER_STAGES = "no green run had the same stages: this is the last green one"


class NoGreenRunError(NotFoundError):
    """There is no green run to compare with. The message says what to do."""


def compare(lookup: Lookup, reference: str, other: str = "") -> Comparison:
    """Return the comparison of a run with another one.

    ``reference``: a trace id, a build URL, ``JOB#N`` or ``latest``. ``other``: the one to compare it with; "" for the last
    green one of the same job, environment and stages that began before. Raises NotFoundError, NoGreenRunError.
    """
    spans = lookup.spans(reference)
    run = _named(spans, reference)
    if other:
        base, note = _named(lookup.spans(other), other), ""
        if (base.span.trace_id, base.span.span_id) == (run.span.trace_id, run.span.span_id):
            raise NotFoundError(f"{other} is the same run; name another one to compare {reference} with")
    else:
        base, note = _last_green(lookup, run, RunTree(spans), reference)
    return comparison_of(run, base, between=_between(lookup, run.span, base.span), note=note, deciding=_deciding(run))


def _deciding(run: Node) -> dict[str, str]:
    with suppress(RulesError):
        # `why` reports the error in the rules.
        return deciding_lines((node.span for node in walk([run]) if node.span.status_code == ERROR), load_rules())
    return {}


def _named(spans: Sequence[Span], reference: str) -> Node:
    """Return the run or playbook that a reference names; of a trace, what failed last. Raises NotFoundError."""
    named = [span for span in spans if is_run_of(span, reference)]
    start = named[0] if named else referenced(Trace(spans), reference)
    node = next(node for node in walk(build_tree(spans)) if node.span is start)
    # A command may be around it.
    found = next((one for one in walk([node]) if is_run(one.span) or is_playbook(one.span)), None)
    if found is None:
        raise NotFoundError(f"there is no build and no playbook in {reference} to compare; name a build: JOB#N")
    return found


def _last_green(lookup: Lookup, run: Node, tree: RunTree, reference: str) -> tuple[Node, str]:
    """Return the last green run of the same kind before a run, and what a reader must know of the choice.

    Raises NoGreenRunError.
    """
    environment = _environment(tree, run.span)
    green = [span for span in _green(lookup, run.span) if environment_of(span) in ("", environment)][:_MOST_LOOKED_AT]
    outlines = RunTree(lookup.outlines([span.trace_id for span in green], _MOST_SPANS))
    here = [span for span in green if _environment(outlines, span) == environment]
    fitting = (span for span in here if _has_stages(outlines, span, tree, run.span))
    chosen, note = next(fitting, None), ""
    if chosen is None:
        if not here:
            raise NoGreenRunError(_none(run.span, environment, reference))
        chosen, note = here[0], _OTHER_STAGES
    nodes = walk(build_tree(lookup.spans(chosen.trace_id)))
    return next(node for node in nodes if node.span.span_id == chosen.span_id), note


def _green(lookup: Lookup, run: Span) -> list[Span]:
    """Return green runs of the same job, or of the same playbook, that began before a run, newest first."""
    wanted = [Wanted("result", c.SUCCESS)]
    if is_run(run):
        wanted.insert(0, Wanted("pipeline", build_key(run)[0]))
    elif environment_of(run):
        wanted.insert(0, Wanted("environment", environment_of(run)))
    found = lookup.noted([wanted], _MOST_GREEN, Window(0, run.end_ns or ALWAYS.to_ns))
    before = [span for span in found if span.start_ns < run.start_ns and _is_alike(span, run)]
    return sorted(once_a_build(before), key=lambda span: span.start_ns, reverse=True)


def _between(lookup: Lookup, run: Span, base: Span) -> list[Span]:
    """Return the job's runs that began after the base and before a run, to the same environment."""
    if not is_run(run) or build_key(run)[0] != build_key(base)[0]:
        return []
    within = Window(base.end_ns, run.end_ns or ALWAYS.to_ns)
    found = lookup.noted([[Wanted("pipeline", build_key(run)[0])]], _MOST_GREEN, within)
    return [
        span
        for span in found
        if base.start_ns < span.start_ns < run.start_ns
        and _is_alike(span, run)
        and environment_of(span) == environment_of(run)
    ]


def _is_alike(span: Span, run: Span) -> bool:
    """Return whether a span is a run of the same job of the same controller, or of the same playbook and deploy."""
    if is_run(run):
        pages = [build_on_page(run_url_of(one)) for one in (span, run)]
        controllers = {page.controller for page in pages if page}
        return is_run(span) and build_key(span)[0] == build_key(run)[0] and len(controllers) < len(pages)
    deployed = [(one.name, attribute_text(one, c.DEPLOYMENT_NAME), environment_of(one)) for one in (span, run)]
    return is_playbook(span) and deployed[0] == deployed[1]


def _environment(tree: RunTree, span: Span) -> str:
    return tree.environment(span) if is_run(span) else environment_of(span)


def _has_stages(outlines: RunTree, green: Span, tree: RunTree, run: Span) -> bool:
    """Return whether a green run has all stages that a run had, and none that the run left out before it failed."""
    mine = tree.stages(run)
    ran = {stage.name for stage in mine if state(stage) != c.SKIP}
    broke_ns = min((stage.end_ns for stage in mine if state(stage) in _BROKEN), default=ALWAYS.to_ns)
    left_out = {stage.name for stage in mine if state(stage) == c.SKIP and stage.start_ns < broke_ns} - ran
    its = {stage.name for stage in outlines.stages(green) if state(stage) != c.SKIP}
    return ran <= its and not left_out & its


def _none(run: Span, environment: str, reference: str) -> str:
    """Return that there is no run to compare with, and what to do."""
    job = build_key(run)[0] if is_run(run) else run.name
    to = f" to {environment}" if environment else ""
    named = name_of(run) if is_run(run) else visible(reference)
    return (
        f"there is no green run of {visible(job)}{visible(to)} before {name_of(run)} here; compare it with another one: "
        f"pipeline-trace compare {shlex.quote(named)} --with JOB#N"
    )
