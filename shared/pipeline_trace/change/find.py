"""Which commit is asked for, and the spans that tell of its way: bounded, from the store and the journals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..lookup.lookup import Finder, NotFoundError
from ..trace import conventions as c
from ..trace.span import Span
from .attempt import Attempt
from .attempts import read
from .runs import COMMITS, VERSIONS, Runs, commit_said, run_name, said

# A commit is gone with its newest builds; the others of its jobs tell what environments there are, and what came after.
_MOST_NOTED = 500
_MOST_TRACES = 60
_MOST_SPANS = 20_000
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_TRACE = re.compile(r"[0-9a-f]{32}")
_CHANGE = re.compile(r"(?:(?:PR|MR|CR)-|[#!])?(\d+)", re.IGNORECASE)
_SHORTEST = 7


@dataclass(frozen=True)
class Sought:
    """What was asked for. ``commit`` is empty where none is known; ``own`` and ``others``: see steps.ways."""

    commit: str = ""
    change: str = ""
    repository: str = ""
    own: tuple[Attempt, ...] = ()
    others: tuple[Attempt, ...] = ()
    notes: tuple[str, ...] = ()


def seek(finder: Finder, asked: str) -> Sought:
    """Find a commit (at least 7 characters), a change, a version, a trace id, a build's URL, ``JOB#N`` or ``latest``.

    ``latest`` is the newest commit. Raises NotFoundError.
    """
    asked = asked.strip()
    if asked == "latest":
        newest = finder.noted([_text(c.VCS_HEAD_REVISION)], 1)
        if not newest:
            raise NotFoundError(
                "no commit was seen here yet; run pipeline-trace poll --once --jenkins-url URL, or name a version"
            )
        return _of_commit(finder, commit_said(newest[0]))
    if _COMMIT.fullmatch(asked.lower()):
        found = _commits(finder, asked.lower())
        if len(found) == 1:
            return _of_commit(finder, found[0])
        if found:
            raise NotFoundError(f"{asked} begins several commits here: {', '.join(found[:5])}; name one of them")
    if "://" in asked or ("#" in asked.lstrip("#")) or _TRACE.fullmatch(asked.lower()):
        return _of_trace(finder, asked)
    change = _CHANGE.fullmatch(asked)
    if change and (spans := finder.noted([_text(c.VCS_CHANGE_ID, change[1])], _MOST_NOTED)):
        return _of_change(finder, change[1], spans)
    version = _of_version(finder, asked)
    if version:
        return version
    if _COMMIT.fullmatch(asked.lower()) and not asked.isdigit():
        return Sought(asked.lower())
    raise NotFoundError(
        f"nothing here is about {asked!r}, neither a commit nor a change nor a version; "
        "fetch builds with: pipeline-trace poll --once --jenkins-url URL"
    )


def same_commit(one: str, other: str) -> bool:
    """Tell whether two commits are the same, either of which may be cut short."""
    shortest = min(len(one), len(other))
    return shortest >= _SHORTEST and one[:shortest] == other[:shortest]


def _text(name: str, value: str | None = None, *, whole: bool = True) -> str:
    """Return how an attribute looks in a span's JSON form; up to its value, or with the beginning of it."""
    if value is None:
        return f'"{name}":"'
    text = json.dumps(value)
    return f'"{name}":{text if whole else text[:-1]}'


def _naming(commit: str) -> list[str]:
    """Return how spans name a commit; with as few characters as may be, since a playbook may have been told no more."""
    names = (c.VCS_HEAD_REVISION, *(f"jenkins.parameter.{name}" for name in COMMITS))
    return [_text(name, commit[:_SHORTEST], whole=False) for name in names]


def _commits(finder: Finder, beginning: str) -> list[str]:
    """Return the commits that begin so, the newest first; one that was cut short is the longer one."""
    found = [commit_said(span) for span in finder.noted(_naming(beginning), _MOST_NOTED)]
    found = [one for one in dict.fromkeys(found) if same_commit(one, beginning)]
    return [one for one in found if not any(other != one and other.startswith(one) for other in found)]


def _of_commit(finder: Finder, commit: str, *, more: Iterable[str] = (), **known: str) -> Sought:
    """``more``: traces that are read beside those in which the commit is named."""
    spans = [span for span in finder.noted(_naming(commit), _MOST_NOTED) if same_commit(commit_said(span), commit)]
    commit = max(map(commit_said, spans), key=len, default=commit)
    traces = list(dict.fromkeys([*more, *(span.trace_id for span in spans)]))
    attempts = read(finder.outlines(traces[:_MOST_TRACES], _MOST_SPANS))
    own = [replace(one, commit=commit) for one in attempts if same_commit(one.commit, commit)]
    notes = [f"only the newest {_MOST_TRACES} of {len(traces)} traces were read"] if len(traces) > _MOST_TRACES else []
    return Sought(
        commit,
        known.get("change") or _first(spans, c.VCS_CHANGE_ID),
        _first(spans, c.VCS_REPOSITORY_NAME),
        tuple(own),
        (*(one for one in attempts if not same_commit(one.commit, commit)), *_others(finder, own, commit, set(traces))),
        tuple(notes),
    )


def _others(finder: Finder, own: Sequence[Attempt], commit: str, known: set[str]) -> list[Attempt]:
    """Return the newest attempts of other commits by the same jobs and of the same services."""
    jobs = {one.run.rpartition("#")[0] for one in own if one.run}
    texts = [_text(c.PIPELINE_NAME, job) for job in sorted(jobs)]
    texts += [_text(c.DEPLOYMENT_NAME, service) for service in sorted({one.service for one in own if one.service})]
    if not texts:
        return []
    traces = [span.trace_id for span in finder.noted(texts, _MOST_NOTED)]
    wanted = [trace for trace in dict.fromkeys(traces) if trace not in known][:_MOST_TRACES]
    return [one for one in read(finder.outlines(wanted, _MOST_SPANS)) if not same_commit(one.commit, commit)]


def _of_change(finder: Finder, change: str, spans: Sequence[Span]) -> Sought:
    repositories = sorted({said(span, c.VCS_REPOSITORY_URL) for span in spans})
    commits = list(dict.fromkeys(commit for span in spans if (commit := commit_said(span))))
    if len(repositories) > 1:
        raise NotFoundError(
            f"change {change} is in several repositories ({', '.join(repositories)}); "
            f"name a commit: {', '.join(commit[:12] for commit in commits[:5])}"
        )
    if not commits:
        raise NotFoundError(f"change {change} was built here, but of which commit is not known; name the build: JOB#N")
    sought = _of_commit(finder, commits[0], change=change)
    if commits[1:]:
        note = f"change {change} had {len(commits)} commits here; this is the one built last"
        sought = replace(sought, notes=(note, *sought.notes))
    return sought


def _of_version(finder: Finder, version: str) -> Sought | None:
    names = (c.ARTIFACT_VERSION, *(f"jenkins.parameter.{name}" for name in VERSIONS))
    spans = finder.noted([_text(name, version) for name in names], _MOST_NOTED)
    traces = list(dict.fromkeys(span.trace_id for span in spans))
    attempts = read(finder.outlines(traces[:_MOST_TRACES], _MOST_SPANS))
    of_it = [one for one in attempts if one.version == version]
    commits = list(dict.fromkeys(one.commit for one in reversed(of_it) if one.commit))
    if not of_it:
        return None
    if not commits:
        return Sought(own=tuple(of_it), others=tuple(_others(finder, of_it, "", set(traces))))
    sought = _of_commit(finder, commits[0], more=traces[:1])
    if commits[1:]:
        others = ", ".join(commit[:7] for commit in commits[1:4]) + (", …" if commits[4:] else "")
        note = f"{version} was deployed from {len(commits)} commits; this is the last one, others: {others}"
        sought = replace(sought, notes=(note, *sought.notes))
    return sought


def _of_trace(finder: Finder, asked: str) -> Sought:
    trace_id = finder.trace_id(asked)
    runs = Runs(finder.outlines([trace_id], _MOST_SPANS))
    own = [span for span in runs.spans if span.trace_id == trace_id]
    named = [run for run in runs.runs if run_name(run) == asked.replace(" #", "#") or said(run, c.PIPELINE_RUN_URL) == asked]
    commit = next((found for span in (*named, *own) if (found := runs.commit(span))), "")
    if commit:
        return _of_commit(finder, commit, more=[trace_id])
    attempts = tuple(read(own))
    return Sought(own=attempts, others=tuple(_others(finder, attempts, "", {trace_id})))


def _first(spans: Sequence[Span], name: str) -> str:
    return next((found for span in spans if (found := said(span, name))), "")
