"""The SQL of what builds held of agents, as lookup/held.py reads it from the local store. Does no I/O."""

from __future__ import annotations

from ...trace import conventions as c
from ..source import TOLD
from .columns import RESOURCE, SPAN, Attributes, first, listed, quoted
from .kinds import kind_of
from .queries import ENDED
from .schema import Schema

# What a run is asked for, and of what each part of it is.
COLUMNS, NAMES = "held, number, of_plugin", "name_0, name_1, name_2"
_NS = 10**6
_NAMES = (c.JENKINS_HELD_LABELS, c.JENKINS_HELD_WORKERS, c.JENKINS_HELD_LENGTHS_MS)


def columns(of: Attributes, number: str) -> str:
    """Return what of a run is asked for besides its job: what it held, its number, and whether Jenkins' plugin tells it.

    ``number``: SQL for the number.
    """
    return f", {_held(of)} AS held, {number} AS number, {of.has(c.PLUGIN_JOB)} AS of_plugin"


def parts(runs: str, schema: Schema, when: str) -> str:
    """Return the query for all that builds held, each part a row with its names, day, result and length.

    ``runs``: the query for their runs. ``when``: the condition that a span began in the window.
    """
    of_blocks = f"""arrayConcat([tuple('', '', {quoted(TOLD)}, arraySum(one -> one.2, blocks))],
        arrayMap(one -> tuple(one.1, '', '', one.2), blocks))"""
    # A build that both tell counts as the poller tells it.
    polled = "max(NOT of_plugin) OVER (PARTITION BY name_0, number)"
    return f"""SELECT name_0, day, held.1 AS name_1, held.2 AS name_2, held.3 AS result, held.4 AS took
        FROM (SELECT name_0, day, if(of_plugin AND notEmpty(blocks), {of_blocks}, held) AS each
            FROM (SELECT TraceId, name_0, day, held, of_plugin, {polled} AS is_polled FROM ({runs})) AS runs
            LEFT JOIN ({_blocks(schema, when)}) AS blocks_of USING (TraceId)
            WHERE NOT (of_plugin AND is_polled)) ARRAY JOIN each AS held"""


def _held(of: Attributes) -> str:
    """Return what a run tells that it held, as an array of tuples: all together, and each part of it."""
    total, told = of.span(c.JENKINS_HELD_MS), f"if({of.has(c.JENKINS_HELD_MS)}, {quoted(TOLD)}, '')"
    labels, workers, lengths = (f"JSONExtract({of.listing(name)}, 'Array(String)')" for name in _NAMES)
    each = f"tuple({labels}[at], {workers}[at], '', toInt64OrZero({lengths}[at]) * {_NS})"
    found = f"if({of.has(_NAMES[-1])}, arrayMap(at -> {each}, arrayEnumerate({lengths})), [])"
    return f"arrayConcat([tuple('', '', {told}, toInt64OrZero({total}) * {_NS})], {found})"


def _blocks(schema: Schema, when: str) -> str:
    """Return the query for the blocks of Jenkins' plugin that held executors, by trace.

    Of traces with one build, all of whose blocks have a label.
    """
    of = Attributes(as_json=schema.as_json)
    parts = " OR ".join(of.has(name) for name in (c.PLUGIN_STEP_ID, c.PLUGIN_STEP_NAME, c.PLUGIN_JOB))
    raw = f"Timestamp, Duration, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, {SPAN}, {RESOURCE}"
    spans = f"SELECT {raw} FROM {schema.spans} WHERE ({parts}) AND {when} LIMIT 1 BY TraceId, SpanId"
    label = first([of.span(c.JENKINS_AGENT_LABEL), of.span(c.PLUGIN_STEP_LABEL)])
    kinds = f"SELECT TraceId, SpanId, ParentSpanId, {kind_of(of)} AS kind, {label} AS label, {ENDED} AS ended FROM ({spans})"
    is_wait, is_block = f"kind = '{c.TYPE_AGENT}'", f"kind = '{c.TYPE_BLOCK}'"
    # An agent is given at the end of the wait for it; around that is the block.
    together = f"""SELECT TraceId, if({is_wait}, ParentSpanId, SpanId) AS block, countIf(kind = '{c.TYPE_RUN}') AS builds,
            maxIf(label, {is_wait}) AS label, countIf({is_wait}) AS waits, countIf({is_block}) AS there,
            greatest(maxIf(ended, {is_block}) - maxIf(ended, {is_wait}), 0) AS took
        FROM ({kinds}) WHERE kind IN {listed((c.TYPE_AGENT, c.TYPE_BLOCK, c.TYPE_RUN))} GROUP BY TraceId, block"""
    return f"""SELECT TraceId, groupArrayIf((label, took), waits > 0 AND there > 0) AS blocks FROM ({together})
        GROUP BY TraceId HAVING sum(builds) = 1 AND countIf(waits > 0 AND there > 0 AND label = '') = 0"""
