"""The kind of a span in SQL: what trace/others.py and trace/traits.py tell of its names. Does no I/O."""

from __future__ import annotations

from ...trace import conventions as c
from ...trace.others import ALLOCATIONS, PHASES, STEP_TYPES
from ...trace.span import SERVER
from .columns import RESOURCE, SPAN, Attributes, array, first, listed, quoted

_SERVER = f"SpanKind = '{SERVER.capitalize()}'"
_ROOT = "ParentSpanId = ''"


def kind_of(of: Attributes) -> str:
    """Return the kind of a span, '' for none."""
    named = first([of.span(name) for name in (c.JENKINS_TYPE, c.SPAN_TYPE, c.ANSIBLE_TYPE)])
    run = quoted(c.TYPE_RUN)
    ended = " OR ".join(of.has(name, RESOURCE) for name in (c.TASK_STATUS, c.TASK_RUN_RESULT, c.RUN_STATUS))
    of_run = f"{of.has(c.PIPELINE_RUN_ID, RESOURCE)} AND {_SERVER} AND {of_resource(of)}"
    cases = {
        of.has(c.PROCESS_EXECUTABLE_NAME): f"if({of.has(c.PIPELINE_RESULT)}, {run}, '')",
        f"{of.has(c.PLUGIN_STEP_ID)} OR {of.has(c.PLUGIN_STEP_NAME)}": _of_plugin(of),
        f"{of.has(c.PLUGIN_JOB)} AND {of.has(c.PLUGIN_NUMBER)}": run,
        f"SpanName IN {listed(PHASES)}": f"transform(SpanName, {array(PHASES)}, {array(PHASES.values())}, '')",
        of.has(c.PIPELINE_RESULT): run,
        of.has(c.TASK_NAME): f"if({of.has(c.TASK_RUN_ID)}, '{c.TYPE_STAGE}', '{c.TYPE_STEP}')",
        of.has(c.GITHUB_STEP): quoted(c.TYPE_STEP),
        of.has(c.PIPELINE_RUN_ID): f"if({_ROOT} OR {_SERVER}, {run}, '')",
        f"{of.has(c.TASK_RUN_ID, RESOURCE)} AND {of.has(c.QUEUE_DURATION)}": quoted(c.TYPE_QUEUE),
        of.has(c.TASK_RUN_ID, RESOURCE): f"if({ended}, '{c.TYPE_STAGE}', '')",
        of_run: f"if({_ROOT}, {run}, '{c.TYPE_STAGE}')",
    }
    others = ", ".join(f"{condition}, {kind}" for condition, kind in cases.items())
    return f"multiIf({named} != '', {named}, {others}, '')"


def of_resource(of: Attributes) -> str:
    """Return whether a resource says how a run ended."""
    return f"({of.has(c.PIPELINE_RESULT, RESOURCE)} OR {of.has(c.RUN_STATUS, RESOURCE)})"


def _of_plugin(of: Attributes) -> str:
    """Return the kind of a part of a build, as Jenkins' plugin tells it."""
    function = first([of.span(c.PLUGIN_STEP_TYPE), of.span(c.TASK_TYPE)])
    name = first([of.value(holder, name) for holder in (SPAN, RESOURCE) for name in (c.TASK_NAME, c.PLUGIN_STEP_NAME)])
    kind = f"transform({function}, {array(STEP_TYPES)}, {array(STEP_TYPES.values())}, '{c.TYPE_STEP}')"
    return f"if({name} IN {listed(ALLOCATIONS)}, '{c.TYPE_AGENT}', {kind})"
