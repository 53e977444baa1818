"""The few things for which spans are looked up, such as their kind, pipeline and commit: one record for every source.

The local store keeps them in columns; ClickHouse computes them (lookup/clickhouse/expressions.py says the same in SQL).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from . import conventions as c
from .queries import attribute_text, environment_of, is_playbook, parameter, result_of, revision_of, type_of
from .span import ERROR, Span

# How much of a trace a question needs: a path reads the outline, history leaves out the hosts on which all went well.
FINE_HOST, DETAIL, OUTLINE, NOTED = range(4)
# A trait that a question may name.
Trait = Literal["pipeline", "run", "result", "service", "environment", "version", "revision", "change", "worker", "host"]

# Kinds whose name tells what was done, for statistics.
NAMED_KINDS = frozenset({c.TYPE_STAGE, c.TYPE_BRANCH, c.TYPE_TASK})
PARTS = frozenset(
    {c.TYPE_QUEUE, c.TYPE_AGENT, c.TYPE_STAGE, c.TYPE_BRANCH, c.TYPE_STEP, c.TYPE_INPUT, c.TYPE_CLEANUP}
    | {c.TYPE_PLAY, c.TYPE_ROLE, c.TYPE_BLOCK, c.TYPE_TASK, c.TYPE_HOST}
)
PLAYBOOKS = frozenset({c.TYPE_PLAYBOOK, c.TYPE_COMMAND})
FAILED_HOST = frozenset({"failed", "unreachable"})
# Details that a verdict needs, whatever their result. Later attempts of a failed step count, too. A host is a detail only if
# it failed.
NEEDED = frozenset({c.TYPE_STEP, c.TYPE_HOST})


class Traits(NamedTuple):
    """What a span says of itself. Texts are "" where it does not say it.

    ``kind``: its ``jenkins.type``, ``pipeline_trace.type`` or ``ansible.type``. ``environment``: under its usual name.
    ``name``: of a stage, branch or task. ``level``: FINE_HOST, DETAIL, OUTLINE or NOTED; a question for one of them gets the
    higher ones too.
    """

    kind: str
    level: int
    pipeline: str
    run: str
    result: str
    service: str
    environment: str
    version: str
    revision: str
    change: str
    worker: str
    host: str
    name: str


def traits_of(span: Span) -> Traits:
    """Return the traits of a span. Must be fast: it runs for every span that is stored."""
    attributes = span.attributes
    kind = type_of(span) or attributes.get(c.ANSIBLE_TYPE)
    kind = kind if isinstance(kind, str) else ""
    if not kind and c.PIPELINE_RESULT in attributes:
        kind = c.TYPE_RUN
    if kind in PARTS:
        # Most spans: what is deployed is told by their run or playbook.
        service = environment = version = revision = change = ""
    else:
        service = attribute_text(span, c.DEPLOYMENT_NAME) or parameter(span, c.DEPLOYMENT_NAME)
        environment = environment_of(span)
        version = attribute_text(span, c.ARTIFACT_VERSION) or parameter(span, c.ARTIFACT_VERSION)
        revision = revision_of(span).lower()
        change = attribute_text(span, c.VCS_CHANGE_ID)
    return Traits(
        kind,
        level_of(span, kind, revision),
        attribute_text(span, c.PIPELINE_NAME),
        attribute_text(span, c.PIPELINE_RUN_ID),
        result_of(span) or (c.FAILURE if span.status_code == ERROR else ""),
        service,
        environment,
        version,
        revision,
        change,
        attribute_text(span, c.WORKER_NAME),
        _host(span) if kind == c.TYPE_HOST else "",
        span.name if kind in NAMED_KINDS else "",
    )


def level_of(span: Span, kind: str, revision: str) -> int:
    """Return how much of its trace a question must need to see a span. ``kind``, ``revision``: its traits."""
    attributes = span.attributes
    if (
        c.PIPELINE_RESULT in attributes
        or is_playbook(span)
        or attributes.get(c.TASK_TYPE) == c.DEPLOY
        or (span.parent_id is None and revision)
    ):
        return NOTED
    if c.ANSIBLE_TYPE in attributes and kind not in PLAYBOOKS:
        return FINE_HOST if kind == c.TYPE_HOST and not _host_failed(span) else DETAIL
    if kind == c.TYPE_STEP and not span.links and span.status_code != ERROR:
        return DETAIL
    return OUTLINE


def tells_failure(traits: Traits) -> bool:
    """Return whether a verdict on what failed in its trace may need a span: parts of playbooks that ended well do not."""
    if traits.level == DETAIL:
        return traits.kind in NEEDED or traits.result in c.FAILED_RESULTS
    return traits.level > DETAIL


def _host_failed(span: Span) -> bool:
    return span.status_code == ERROR or span.attributes.get(c.ANSIBLE_RESULT) in FAILED_HOST


def _host(span: Span) -> str:
    return attribute_text(span, c.ANSIBLE_HOST_NAME) or span.name
