"""Says what a trace is about, for the head of its page: what was deployed, where, and who started it. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..change.attempt import CHECKS, LOCAL, MERGE, Attempt
from ..change.attempts import attempts_of
from ..change.runs import RunTree
from ..lookup.tree import Node, walk
from ..ownership.account.causes import cause_of
from ..ownership.account.codehost import change_url, commit_url, repository_of, repository_url
from ..ownership.account.shown import clean
from ..trace import conventions as c
from ..trace.queries import (
    agents_of,
    attribute_text,
    build_name_of,
    environment_of,
    is_dry_run,
    is_playbook,
    is_run,
    run_url_of,
)
from ..trace.span import Span
from ..trace.traits import PLAYBOOKS

_COMMIT = 12
# Of several services, versions or agents, a head names so many.
_MOST_NAMED = 3
_NO_ENVIRONMENTS = frozenset({LOCAL, CHECKS, MERGE})


@dataclass(frozen=True)
class Named:
    """A text, and the address of the page about it; "" for none."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Heading:
    """What a trace is about. What is not known is empty. All texts are masked.

    ``name``: the build (JOB#N), else the name of the first span. ``build``: the build with its page; ``is_build``: whether
    the trace is about all of it, not only about a playbook in it; ``is_exact``: whether its name is shown as it is, without
    a mask and without signs for letters that nobody sees. ``environments``: where something was deployed, whether that went
    well or not. ``tried``: what was only tried, by dry runs. ``tag``: whether ``branch`` is a tag. ``started_by``: who or
    what, in words. ``ran_on``: agents; without any, the host of the command.
    """

    name: str
    build: Named | None = None
    is_build: bool = False
    is_exact: bool = True
    services: Sequence[str] = ()
    versions: Sequence[str] = ()
    environments: Sequence[str] = ()
    tried: Sequence[str] = ()
    commits: Sequence[Named] = ()
    branch: str = ""
    tag: bool = False
    changes: Sequence[Named] = ()
    repository: Named | None = None
    started_by: str = ""
    ran_on: Sequence[str] = ()


@dataclass(frozen=True)
class Fact:
    """A row of the head: a label, and what it says. ``left_out``: how many more there are."""

    label: str
    said: Sequence[Named]
    left_out: int


def heading_of(roots: Sequence[Node]) -> Heading:
    """Return what the trace with these roots is about."""
    spans = list(_outline(roots))
    main = _main(spans)
    if main is None:
        return Heading(clean(roots[0].span.name) if roots else "")
    tree, attempts = RunTree(spans), [one for one in attempts_of(spans) if one.state != c.SKIP]
    deploys = [one for one in attempts if one.step not in _NO_ENVIRONMENTS]
    commits = _unlike(tree.commit(main) or one.commit for one in (*deploys, *attempts)) or _unlike([tree.commit(main)])
    source = _checked_out(spans, commits)
    address, build = repository_of(source) if source else "", clean(build_name_of(main))
    return Heading(
        name=build if build and is_run(main) else clean(main.name),
        build=Named(build, clean(run_url_of(main))) if build else None,
        is_build=bool(build) and is_run(main),
        is_exact=build == build_name_of(main),
        services=_unlike(clean(one.service) for one in deploys or attempts if not _is_job(one)),
        versions=_unlike(clean(one.version) for one in attempts),
        environments=_unlike(clean(one.step) for one in deploys),
        tried=_unlike(_tried(one) for one in spans if is_dry_run(one)),
        commits=tuple(Named(clean(one), clean(commit_url(address, one))) for one in commits),
        branch=clean(_first([source, main], c.VCS_HEAD_NAME).removeprefix("origin/")),
        tag=_first([source, main], c.VCS_HEAD_TYPE) == "tag",
        changes=_changes([main, *spans], address),
        repository=_repository(source, address) if address else None,
        started_by=cause_of(main).words,
        ran_on=_unlike(clean(agent) for span in spans for agent in agents_of(span))
        or _unlike([clean(_first([main], c.HOST_NAME))]),
    )


def facts_of(heading: Heading) -> list[Fact]:
    """Return the rows of the head, in the order in which people ask for them."""
    rows: list[tuple[str, str, Sequence[Named]]] = [
        ("Build", "Build", [heading.build] if heading.build and not heading.is_build else []),
        ("Service", "Services", _plain(heading.services)),
        ("Version", "Versions", _plain(heading.versions)),
        ("Environment", "Environments", _plain(heading.environments)),
        ("Dry run", "Dry runs", _plain(heading.tried)),
        ("Commit", "Commits", [Named(one.text[:_COMMIT], one.url) for one in heading.commits]),
        *([("Tag", "Tag", _plain([heading.branch]))] if heading.tag else [("Branch", "Branch", _plain([heading.branch]))]),
        ("Change", "Changes", heading.changes),
        ("Repository", "Repository", [heading.repository] if heading.repository else []),
        ("Started by", "Started by", _plain([heading.started_by])),
        ("Ran on", "Ran on", _plain(heading.ran_on)),
    ]
    return [
        Fact(several if said[1:] else one, said[:_MOST_NAMED], len(said[_MOST_NAMED:]))
        for one, several, said in rows
        if said
    ]


def _outline(roots: Sequence[Node]) -> Iterator[Span]:
    """Yield the spans without plays, tasks and hosts: what is deployed is told by playbooks and what is around them."""
    for node in walk(roots):
        kind = attribute_text(node.span, c.ANSIBLE_TYPE)
        if not kind or kind in PLAYBOOKS:
            yield node.span


def _main(spans: Sequence[Span]) -> Span | None:
    """Return the span that the trace is about: the first run, else the first playbook, else the first span."""
    return next(filter(is_run, spans), None) or next(filter(is_playbook, spans), None) or next(iter(spans), None)


def _tried(span: Span) -> str:
    """Return what a dry run would have deployed, and that it did not."""
    what = " ".join(attribute_text(span, name) for name in (c.DEPLOYMENT_NAME, c.ARTIFACT_VERSION))
    said = " \N{RIGHTWARDS ARROW} ".join(filter(None, [clean(what).strip(), clean(environment_of(span))]))
    return f"{said}: nothing was changed" if said else "nothing was changed"


def _is_job(attempt: Attempt) -> bool:
    """Return whether a service's name is only that of the job: then nobody said what the job builds."""
    return attempt.service == attempt.run.rpartition("#")[0]


def _checked_out(spans: Iterable[Span], commits: Sequence[str]) -> Span | None:
    """Return the first span that says from which repository the first commit is."""
    known = (span for span in spans if commits and attribute_text(span, c.VCS_HEAD_REVISION) == commits[0])
    return next((span for span in known if repository_of(span)), None)


def _repository(source: Span | None, address: str) -> Named:
    name = _first([source], c.VCS_REPOSITORY_NAME) or re.split("[/:]", address)[-1]
    return Named(clean(name), clean(repository_url(address)))


def _changes(spans: Iterable[Span], repository: str) -> tuple[Named, ...]:
    ids = _unlike(attribute_text(span, c.VCS_CHANGE_ID) for span in spans)
    return tuple(Named(clean(f"#{one}" if one.isdecimal() else one), clean(change_url(repository, one))) for one in ids)


def _first(spans: Iterable[Span | None], name: str) -> str:
    return next((found for span in spans if span and (found := attribute_text(span, name))), "")


def _unlike(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts that say something, each once."""
    return tuple(filter(None, dict.fromkeys(texts)))


def _plain(texts: Sequence[str]) -> list[Named]:
    return [Named(text) for text in texts if text]
