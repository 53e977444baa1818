"""Finds the commit for a reference, and its attempts, in the store and the journals. Reads a limited number of spans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..lookup.lookup import Lookup, NotFoundError, is_run_of
from ..lookup.source import Wanted
from ..trace import conventions as c
from ..trace.queries import attribute_text, revision_of
from ..trace.span import Span
from .attempt import Attempt
from .attempts import attempts_of
from .runs import RunTree

# Limits: only the newest builds are read. Builds of other commits tell which environments exist and what was deployed later.
_MOST_NOTED = 500
_MOST_TRACES = 60
_MOST_SPANS = 20_000
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_TRACE = re.compile(r"[0-9a-f]{32}")
_CHANGE = re.compile(r"(?:(?:PR|MR|CR)-|[#!])?(\d+)", re.IGNORECASE)
_SHORTEST = 7


@dataclass(frozen=True)
class FoundChange:
    """The attempts of a commit. ``commit``: "" if it is not known. ``own`` and ``others``: see steps.service_paths."""

    commit: str = ""
    change: str = ""
    repository: str = ""
    own: tuple[Attempt, ...] = ()
    others: tuple[Attempt, ...] = ()
    notes: tuple[str, ...] = ()


def find_change(lookup: Lookup, reference: str) -> FoundChange:
    """Return the attempts of the commit that a reference names.

    ``reference``: a commit (at least 7 characters), a change, a version, a trace id, a build URL, ``JOB#N``, or ``latest``
    (the newest commit). Raises NotFoundError.
    """
    reference = reference.strip()
    if reference == "latest":
        newest = lookup.noted([[Wanted("revision")]], 1)
        if not newest:
            raise NotFoundError(
                "there is no commit in the store yet; run pipeline-trace poll --once --jenkins-url URL, or name a version"
            )
        commit = revision_of(newest[0])
        return _of_commit(lookup, commit, _naming(lookup, commit))
    if _COMMIT.fullmatch(reference.lower()):
        naming = _naming(lookup, reference.lower())
        found = _commits(naming, reference.lower())
        if len(found) == 1:
            return _of_commit(lookup, found[0], naming)
        if found:
            raise NotFoundError(f"several commits begin with {reference}: {', '.join(found[:5])}; name one of them")
    if "://" in reference or ("#" in reference.lstrip("#")) or _TRACE.fullmatch(reference.lower()):
        return _of_trace(lookup, reference)
    change = _CHANGE.fullmatch(reference)
    if change and (spans := lookup.noted([[Wanted("change", change[1])]], _MOST_NOTED)):
        return _of_change(lookup, change[1], spans)
    version = _of_version(lookup, reference)
    if version:
        return version
    raise NotFoundError(
        f"there is no commit, change or version {reference!r} here; "
        "fetch builds with: pipeline-trace poll --once --jenkins-url URL"
    )


def same_commit(one: str, other: str) -> bool:
    """Return whether two commit ids are the same. Either may be shortened, to at least 7 characters."""
    shortest = min(len(one), len(other))
    return shortest >= _SHORTEST and one[:shortest] == other[:shortest]


def _naming(lookup: Lookup, commit: str) -> list[Span]:
    """Return the newest spans that name a commit, or one of the same 7 characters: a playbook may know only the short id."""
    return lookup.noted([[Wanted("revision", commit[:_SHORTEST], begins=True)]], _MOST_NOTED)


def _commits(naming: Iterable[Span], beginning: str) -> list[str]:
    """Return the commits with this beginning, newest first. A short id counts as the long one that it begins."""
    found = [one for one in dict.fromkeys(map(revision_of, naming)) if same_commit(one, beginning)]
    return [one for one in found if not any(other != one and other.startswith(one) for other in found)]


def _of_commit(lookup: Lookup, commit: str, naming: Iterable[Span], more: Iterable[str] = (), **known: str) -> FoundChange:
    """Return the attempts of a commit. ``naming``: see _naming. ``more``: traces to read besides those that name it."""
    spans = [span for span in naming if same_commit(revision_of(span), commit)]
    commit = max(map(revision_of, spans), key=len, default=commit)
    traces = list(dict.fromkeys([*more, *(span.trace_id for span in spans)]))
    outlines = lookup.outlines(traces[:_MOST_TRACES], _MOST_SPANS)
    attempts = attempts_of(outlines, lambda span: same_commit(revision_of(span), commit))
    own = [replace(one, commit=commit) for one in attempts if same_commit(one.commit, commit)]
    notes = [f"only the newest {_MOST_TRACES} of {len(traces)} traces were read"] if len(traces) > _MOST_TRACES else []
    return FoundChange(
        commit,
        known.get("change") or _first(spans, c.VCS_CHANGE_ID),
        _first(spans, c.VCS_REPOSITORY_NAME),
        tuple(own),
        (*(one for one in attempts if not same_commit(one.commit, commit)), *_others(lookup, own, commit, set(traces))),
        tuple(notes),
    )


def _others(lookup: Lookup, own: Sequence[Attempt], commit: str, known: set[str]) -> list[Attempt]:
    """Return the newest attempts of other commits in the same jobs or of the same services."""
    jobs = {one.run.rpartition("#")[0] for one in own if one.run}
    wanted = [[Wanted("pipeline", job)] for job in sorted(jobs)]
    wanted += [[Wanted("service", service)] for service in sorted({one.service for one in own if one.service})]
    if not wanted:
        return []
    traces = [span.trace_id for span in lookup.noted(wanted, _MOST_NOTED)]
    newest = [trace for trace in dict.fromkeys(traces) if trace not in known][:_MOST_TRACES]
    return [one for one in attempts_of(lookup.outlines(newest, _MOST_SPANS)) if not same_commit(one.commit, commit)]


def _of_change(lookup: Lookup, change: str, spans: Sequence[Span]) -> FoundChange:
    repositories = sorted({attribute_text(span, c.VCS_REPOSITORY_URL) for span in spans})
    commits = list(dict.fromkeys(commit for span in spans if (commit := revision_of(span))))
    if len(repositories) > 1:
        raise NotFoundError(
            f"change {change} is in several repositories ({', '.join(repositories)}); "
            f"name a commit: {', '.join(commit[:12] for commit in commits[:5])}"
        )
    if not commits:
        raise NotFoundError(f"change {change} has builds here, but none names its commit; name a build instead: JOB#N")
    found = _of_commit(lookup, commits[0], _naming(lookup, commits[0]), change=change)
    if commits[1:]:
        note = f"change {change} has {len(commits)} commits here; this is the one that was built last"
        found = replace(found, notes=(note, *found.notes))
    return found


def _of_version(lookup: Lookup, version: str) -> FoundChange | None:
    spans = lookup.noted([[Wanted("version", version)]], _MOST_NOTED)
    traces = list(dict.fromkeys(span.trace_id for span in spans))
    attempts = attempts_of(lookup.outlines(traces[:_MOST_TRACES], _MOST_SPANS))
    of_it = [one for one in attempts if one.version == version]
    commits = list(dict.fromkeys(one.commit for one in reversed(of_it) if one.commit))
    if not of_it:
        return None
    if not commits:
        return FoundChange(own=tuple(of_it), others=tuple(_others(lookup, of_it, "", set(traces))))
    found = _of_commit(lookup, commits[0], _naming(lookup, commits[0]), traces[:1])
    if commits[1:]:
        others = ", ".join(commit[:7] for commit in commits[1:4]) + (", …" if commits[4:] else "")
        note = f"{version} was deployed from {len(commits)} commits; this is the last one. The others: {others}"
        found = replace(found, notes=(note, *found.notes))
    return found


def _of_trace(lookup: Lookup, reference: str) -> FoundChange:
    trace_id = lookup.trace_id(reference)
    runs = RunTree(lookup.outlines([trace_id], _MOST_SPANS), lambda span: span.trace_id == trace_id)
    # A build that it started may stand in another trace.
    own = [span for span in runs.spans if any(one.trace_id == trace_id for one in (span, *runs.above(span)))]
    named = [run for run in runs.runs if is_run_of(run, reference)]
    commit = next((found for span in (*named, *own) if (found := runs.commit(span))), "")
    if commit:
        return _of_commit(lookup, commit, _naming(lookup, commit), [trace_id])
    attempts = tuple(attempts_of(own))
    return FoundChange(own=attempts, others=tuple(_others(lookup, attempts, "", {trace_id})))


def _first(spans: Sequence[Span], name: str) -> str:
    return next((found for span in spans if (found := attribute_text(span, name))), "")
