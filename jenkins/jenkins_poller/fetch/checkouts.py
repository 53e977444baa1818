"""Finds which of a build's checkouts is the application's: the others are of shared libraries or of other repositories.

Jenkins does not say it. The branch source's branch, the versions of the libraries and the order of the checkouts decide;
where they do not, the beginning of the build's log does. Does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from pipeline_trace.place.ci.jenkins import documents
from pipeline_trace.place.ci.jenkins.identity import Build

# The Git plugin names the branch of a checkout refs/remotes/origin/main. Of a library and in a multibranch project, it is
# only main.
_REMOTE = re.compile(r"(?:refs/)?(?:remotes/|heads/|tags/)?(?:origin/)?")
_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_UNNAMED = ("", "detached", "HEAD")
_DECLARATIVE = "Declarative: Checkout SCM"
_STEPS = ("Check out from version control", "Git")
_SHORTEST = 7

_STAMP = re.compile(r"\[\d{4}-\d\d-\d\dT[^\]]*\] ")
_STEP = "[Pipeline]"
_LIBRARY = re.compile(r"Loading library \S+@\S+|Library \S+@\S+ is cached")
_CHECKED_OUT = re.compile(r"Checking out Revision ([0-9a-f]{40,64})\b")
_JENKINSFILE = re.compile(r"(?:Obtained .+ from|Checking out(?= git \S+ into .+ to read )) (?:git (\S+)|([0-9a-f]{40,64}))")


@dataclass(frozen=True)
class Checkout:
    """A commit that a build checked out. ``branches``: as Jenkins names them. ``urls``: of the repository."""

    revision: str
    branches: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Return whether the branch has no remote in its name, as in multibranch projects and of libraries."""
        return bool(self.branches) and all(name not in _UNNAMED and branch_name(name) == name for name in self.branches)

    def fits(self, version: str) -> bool:
        """Return whether it can be this version of a library: a branch, a tag or a commit."""
        short = len(version) >= _SHORTEST and self.revision.startswith(version)
        return short or any(version == branch_name(name) for name in self.branches)


@dataclass(frozen=True)
class Checkouts:
    """A build's checkouts. ``own``: the application's; None if there is none, or if it is unclear.

    ``others``: the rest. ``unclear``: True if the log may tell which of several is the application's.
    """

    own: Checkout | None = None
    others: tuple[Checkout, ...] = ()
    unclear: bool = False


def branch_name(name: str) -> str:
    """Return a branch without its remote."""
    return name[match.end() :] if (match := _REMOTE.match(name)) else name


def checkouts_of(build: Build, document: Mapping[str, Any], log: str | None = None) -> Checkouts:
    """Return what a build checked out. ``log``: the beginning of its log; None if it was not read."""
    found = list(dict.fromkeys(_all(document)))
    branch = unquote(build.job.rpartition("/")[2]) if any(documents.actions_of(document, "SCMRevisionAction")) else ""
    case = _Case(found, branch, _versions(document), documents.graph_nodes(document))
    own = case.application() if log is None else case.application_by(_Said(log))
    others = tuple(one for one in found if own is None or one.revision != own.revision)
    return Checkouts(own, others, own is None and log is None and len(found) > 1)


def _all(document: Mapping[str, Any]) -> Iterator[Checkout]:
    for data in documents.actions_of(document, "BuildData"):
        revision = data.get("lastBuiltRevision") or {}
        if _REVISION.fullmatch(revision.get("SHA1", "").lower()):
            names = (str(branch.get("name") or "") for branch in revision.get("branch") or ())
            yield Checkout(str(revision["SHA1"]), tuple(filter(None, names)), tuple(data.get("remoteUrls") or ()))


def _versions(document: Mapping[str, Any]) -> list[str] | None:
    """Return the versions of a build's libraries, "" where Jenkins does not say; None if it does not say the libraries."""
    actions = list(documents.actions_of(document, "LibrariesAction"))
    if any("libraries" not in action for action in actions):
        return None
    return [str(library.get("version") or "") for action in actions for library in action["libraries"]]


@dataclass(frozen=True)
class _Case:
    """What decides without the log. ``branch``: of a multibranch project's job, else ""."""

    found: Sequence[Checkout]
    branch: str
    versions: Sequence[str] | None
    nodes: Sequence[Mapping[str, Any]]

    def application(self) -> Checkout | None:
        """Return the application's checkout; None if that is unclear."""
        perhaps = self._perhaps_libraries()
        if len(self.found) == 1:
            # A checkout that a step made is not the library's: that would be a second one.
            by_step = any(node.get("displayName") in _STEPS for node in self.nodes) and not self._is_library(self.found[0])
            return self.found[0] if not perhaps or by_step else None
        return self._choose([one for one in self.found if one not in perhaps])

    def application_by(self, said: _Said) -> Checkout | None:
        """Return the application's checkout by the log, too; None if that is still unclear."""
        left = _without(self.found, said.libraries)
        supplied = [one for one in left if said.is_jenkinsfile(one)]
        if supplied:
            return supplied[0]
        if said.sections < len(self._libraries):
            # The log does not show all libraries.
            perhaps = self._perhaps_libraries()
            left = [one for one in left if one not in perhaps]
        return self._choose(left)

    def _choose(self, left: Sequence[Checkout]) -> Checkout | None:
        """Return the application's checkout among those that are of no library; None if that is unclear."""
        if self.branch:
            of_branch = [one for one in left if self._on_branch(one)]
            if of_branch:
                return of_branch[0]
        # A Declarative Pipeline first checks out the repository of its Jenkinsfile.
        first = not self.branch and any(node.get("displayName") == _DECLARATIVE for node in self.nodes)
        commits = {one.revision for one in left}
        return left[0] if len(commits) == 1 or (commits and first) else None

    def _perhaps_libraries(self) -> list[Checkout]:
        """Return the checkouts that may be a library's."""
        on_branch = [one for one in self.found if self._on_branch(one)]
        # Of one checkout on the job's branch it is sure; of several, one may be a library's.
        rest = [one for one in self.found if len(on_branch) > 1 or one not in on_branch]
        several = len(self.found) > 1 or bool(self._libraries)
        perhaps = [one for one in rest if self._is_library(one)] if several else []
        for version in self._libraries:
            exact = [one for one in self.found if one.plain and (one.fits(version) if version else one in rest)]
            loose = exact or [one for one in rest if one.fits(version)]
            perhaps += loose or (rest if self.versions else [])
        return perhaps

    @property
    def _libraries(self) -> Sequence[str]:
        return [""] if self.versions is None else self.versions

    def _on_branch(self, one: Checkout) -> bool:
        return self.branch in one.branches

    def _is_library(self, one: Checkout) -> bool:
        return not self.branch and one.plain


def _without(found: Sequence[Checkout], libraries: Iterable[str]) -> list[Checkout]:
    """Return the checkouts without those of libraries. ``libraries``: their commits."""
    left = list(found)
    for revision in libraries:
        # An application may have the library in its own repository.
        alike = sorted((one for one in left if one.revision == revision), key=lambda one: not one.plain)
        left = [one for one in left if one is not next(iter(alike), None)]
    return left


class _Said:
    """What the beginning of a log says of checkouts.

    ``libraries``: the commits of libraries. ``sections``: how many libraries it shows, those from the cache included.
    """

    def __init__(self, log: str) -> None:
        self.libraries: set[str] = set()
        self.sections = 0
        self._jenkinsfile = ""
        before_steps, in_library = True, False
        for stamped in log.splitlines():
            stamp = _STAMP.match(stamped)
            line = stamped[stamp.end() :] if stamp else stamped
            if line.startswith(_STEP):
                before_steps = in_library = False
            elif _LIBRARY.match(line):
                in_library = True
                self.sections += line.startswith("Loading")
            elif in_library and (checked_out := _CHECKED_OUT.match(line)):
                self.libraries.add(checked_out[1])
            elif before_steps and (supplied := _JENKINSFILE.match(line)):
                self._jenkinsfile = self._jenkinsfile or supplied[1] or supplied[2]

    def is_jenkinsfile(self, one: Checkout) -> bool:
        """Return whether the Jenkinsfile came from this checkout."""
        where = _same(self._jenkinsfile)
        return bool(where) and (where == one.revision or where in map(_same, one.urls))


def _same(url: str) -> str:
    return url.removesuffix("/").removesuffix(".git")
