"""Turns the spans of a trace into its line in the list. Does no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..lookup import states, tree, wording
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_name, build_name_of, is_run, run_url_of
from ..trace.span import Span

# The limit of the text to search, in bytes. A long trace repeats its names.
_MOST_TEXT = 64 << 10
_SEARCHED = (c.PIPELINE_NAME, c.SERVICE_NAME, c.WORKER_NAME, c.VCS_HEAD_NAME, c.VCS_REPOSITORY_NAME, c.VCS_CHANGE_ID)


@dataclass(frozen=True)
class Summary:
    """A trace in the list. Times are nanoseconds since the epoch; ``end_ns`` is 0 while a span is open.

    ``url``: the first run's page on its CI server, "" for none. ``search``: the lower-case text to search, one text a line.
    """

    trace_id: str
    start_ns: int
    end_ns: int
    spans: int
    name: str
    result: str
    environments: tuple[str, ...]
    commits: tuple[str, ...]
    url: str
    search: str


def missing_parents(spans: Sequence[Span]) -> set[str]:
    """Return the ids of the parents that are not among the spans."""
    return {span.parent_id for span in spans if span.parent_id} - {span.span_id for span in spans}


def summarise(trace_id: str, spans: Sequence[Span], elsewhere: Collection[str] = ()) -> Summary:
    """Return the line for a trace with at least one span. ``elsewhere``: ids of known parents in other traces."""
    roots = tree.build_tree(spans)
    first = roots[0].span
    environments = _values(spans, (c.DEPLOYMENT_ENVIRONMENT,))
    commits = _values(spans, (c.VCS_HEAD_REVISION,))
    return Summary(
        trace_id=trace_id,
        start_ns=min(span.start_ns for span in spans),
        end_ns=0 if any(not span.end_ns for span in spans) else max(span.end_ns for span in spans),
        spans=len(spans),
        name=_name(first),
        result=tree.overall_state(roots, elsewhere),
        environments=environments,
        commits=commits,
        url=next((url for url in map(run_url_of, [first, *(root.span for root in roots)]) if url), ""),
        search=_search([trace_id, _name(first), *environments, *commits, *_values(spans, _SEARCHED), *_texts(spans)]),
    )


def texts_of(span: Span) -> tuple[str, ...]:
    """Return the texts of one span that are searched, and its environments and commits."""
    return (*_values([span], (c.DEPLOYMENT_ENVIRONMENT, c.VCS_HEAD_REVISION, *_SEARCHED)), *_texts([span]))


def _name(span: Span) -> str:
    number = attribute_text(span, c.PIPELINE_RUN_ID)
    return wording.visible(build_name(span.name, number) if is_run(span) and number else span.name)


def _values(spans: Iterable[Span], names: Sequence[str]) -> tuple[str, ...]:
    """Return the different values of these attributes, in order of appearance."""
    found: dict[str, None] = {}
    for span in spans:
        for holder in (span.attributes, span.resource):
            for name in names:
                value = holder.get(name)
                if value and isinstance(value, str):
                    found[wording.visible(value)] = None
    return tuple(found)


def _texts(spans: Iterable[Span]) -> Iterable[str]:
    for span in spans:
        yield span.name
        yield build_name_of(span)
        yield states.message(span)


def _search(texts: Iterable[str]) -> str:
    found: dict[str, None] = {}
    size = 0
    for text in texts:
        line = " ".join(text.split()).casefold()
        if line and line not in found:
            size += len(line) + 1
            if size > _MOST_TEXT:
                break
            found[line] = None
    return "\n".join(found)
