"""The tables of the store, and the steps that bring a file of an earlier version up to date. Rules: docs/decisions/0016."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from ...trace import conventions as c
from ...trace.traits import NOTED
from ..migrations import Step

# Programs of before version 6 ask with these expressions, by indexes of these names.
_NOTED_BEFORE = f"""(
    instr(body, '"{c.PIPELINE_RESULT}":') OR instr(body, '"{c.ANSIBLE_TYPE}":"{c.TYPE_PLAYBOOK}"')
    OR instr(body, '"{c.TASK_TYPE}":"{c.DEPLOY}"') OR parent_id IS NULL AND instr(body, '"{c.VCS_HEAD_REVISION}":')
)"""
_STAGES_BEFORE = " OR ".join(
    f"""instr(body, '"{c.JENKINS_TYPE}":"{kind}"')""" for kind in (c.TYPE_RUN, c.TYPE_STAGE, c.TYPE_BRANCH)
)
_TABLES = (
    """CREATE TABLE IF NOT EXISTS spans (
        trace_id TEXT NOT NULL,
        span_id TEXT NOT NULL,
        parent_id TEXT,
        end_ns INTEGER NOT NULL,
        pipeline TEXT,
        run TEXT,
        body TEXT NOT NULL,
        PRIMARY KEY (trace_id, span_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS spans_by_id ON spans (span_id)",
    "CREATE INDEX IF NOT EXISTS spans_by_parent ON spans (parent_id)",
    "CREATE INDEX IF NOT EXISTS spans_by_end ON spans (end_ns)",
    "CREATE INDEX IF NOT EXISTS spans_by_run ON spans (pipeline, run) WHERE pipeline IS NOT NULL",
    """CREATE TABLE IF NOT EXISTS changed_traces (
        trace_id TEXT PRIMARY KEY,
        changes INTEGER NOT NULL,
        arrived_s INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """INSERT OR IGNORE INTO changed_traces
        SELECT DISTINCT trace_id, 1, CAST(strftime('%s', 'now') AS INTEGER) FROM spans""",
    f"CREATE INDEX IF NOT EXISTS spans_noted ON spans (end_ns) WHERE {_NOTED_BEFORE}",
    f"CREATE INDEX IF NOT EXISTS spans_of_stages ON spans (pipeline, end_ns) WHERE {_STAGES_BEFORE}",
)
# When the last span of each trace arrived: the old ones are found by these, not by looking at all.
_BY_ARRIVAL = (
    "CREATE INDEX IF NOT EXISTS changed_traces_by_arrival ON changed_traces (arrived_s)",
    "CREATE INDEX IF NOT EXISTS traces_by_arrival ON traces (arrived_s, start_ns, trace_id)",
)
# How a body begins whose resource is in the table `resources`, where it is not compressed. Older programs write all of a
# span into its body.
BODY_START = '{"resource_id":'
# Traits by which noted spans are found.
INDEXED = ("pipeline", "service", "version", "revision", "change")
# The traits beside the spans, each resource once a trace, and what is not read into `traits` yet: `unread` has single spans,
# `unread_from` the place from which on older ones are still to be read (no row: none are).
_TRAITS = (
    """CREATE TABLE IF NOT EXISTS traits (
        trace_id TEXT NOT NULL,
        span_id TEXT NOT NULL,
        start_ns INTEGER NOT NULL,
        end_ns INTEGER NOT NULL,
        kind TEXT,
        level INTEGER NOT NULL,
        pipeline TEXT,
        run TEXT,
        result TEXT,
        service TEXT,
        environment TEXT,
        version TEXT,
        revision TEXT,
        change TEXT,
        worker TEXT,
        host TEXT,
        name TEXT,
        PRIMARY KEY (trace_id, span_id)
    ) WITHOUT ROWID""",
    f"CREATE INDEX IF NOT EXISTS traits_noted ON traits (end_ns, kind) WHERE level = {NOTED}",
    *(
        f"""CREATE INDEX IF NOT EXISTS traits_{trait} ON traits ({trait}, end_ns)
            WHERE level = {NOTED} AND {trait} IS NOT NULL"""
        for trait in INDEXED
    ),
    f"""CREATE INDEX IF NOT EXISTS traits_stages ON traits (pipeline, end_ns)
        WHERE kind IN ('{c.TYPE_RUN}', '{c.TYPE_STAGE}', '{c.TYPE_BRANCH}')""",
    f"""CREATE INDEX IF NOT EXISTS traits_waits ON traits (kind, start_ns)
        WHERE kind IN ('{c.TYPE_QUEUE}', '{c.TYPE_AGENT}')""",
    """CREATE TABLE IF NOT EXISTS resources (
        trace_id TEXT NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (trace_id, id)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS unread (
        trace_id TEXT NOT NULL, span_id TEXT NOT NULL, PRIMARY KEY (trace_id, span_id)
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS unread_from (trace_id TEXT NOT NULL, span_id TEXT NOT NULL)",
    """INSERT INTO unread_from
        SELECT '', '' WHERE EXISTS (SELECT 1 FROM spans) AND NOT EXISTS (SELECT 1 FROM unread_from)""",
    # Triggers run in older programs too, which know nothing of these tables.
    f"""CREATE TRIGGER IF NOT EXISTS spans_unread AFTER INSERT ON spans
        WHEN typeof(new.body) = 'text' AND substr(new.body, 1, {len(BODY_START)}) <> '{BODY_START}'
        BEGIN INSERT OR IGNORE INTO unread VALUES (new.trace_id, new.span_id); END""",
    """CREATE TRIGGER IF NOT EXISTS spans_gone AFTER DELETE ON spans BEGIN
        DELETE FROM traits WHERE trace_id = old.trace_id AND span_id = old.span_id;
        DELETE FROM unread WHERE trace_id = old.trace_id AND span_id = old.span_id;
        DELETE FROM resources WHERE trace_id = old.trace_id
            AND NOT EXISTS (SELECT 1 FROM spans WHERE trace_id = old.trace_id);
    END""",
)


def _index_arrivals(connection: sqlite3.Connection) -> bool:
    connection.execute(_BY_ARRIVAL[0])
    # `serve` makes this table at its first start, with the index.
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'traces'").fetchone():
        connection.execute(_BY_ARRIVAL[1])
    return False


# Older programs write into newer stores: the table spans keeps its columns, and what comes beside it has a default.
STEPS: Mapping[int, Step] = {
    # Versions before 4 lack some of these tables and indexes.
    4: _TABLES,
    5: _index_arrivals,
    # Takes no time: whoever looks for traits reads the spans that are there (filling.py).
    6: _TRAITS,
}
