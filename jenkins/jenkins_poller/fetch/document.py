"""Fetches the JSON documents of builds, with their flow graphs: of up to ten builds of a job in one request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline_trace.place.ci.jenkins import documents
from pipeline_trace.place.ci.jenkins.identity import Build

from .api import Controller, job_path
from .errors import FATAL, ApiError, Forbidden, Malformed, NotFound
from .shape import FLAG, IDENTIFIER, TEXT, VALUE, WHOLE, Shape, listed, query, shaped

BUILD, STAGE, STEP = "build", "stage", "step"
DETAILS = (BUILD, STAGE, STEP)

# Builds in one request.
AT_ONCE = 10
# Jenkins lists so many builds without loading all of them.
_LISTED = 100
# Nodes of a build in one request. A build may have 300,000 nodes; above the second limit, only its stages are fetched.
_NODES_AT_ONCE = 5000
MOST_NODES = 20_000

_AUTHORS = {"items": listed({"author": {"fullName": TEXT}})}
_REVISION = {"SHA1": TEXT, "branch": listed({"SHA1": TEXT, "name": TEXT})}
_CAUSE = {
    **dict.fromkeys(
        ("_class", "shortDescription", "upstreamProject", "upstreamUrl", "userId", "userName", "addr", "note"), TEXT
    ),
    "upstreamBuild": WHOLE,
}
_ACTION: dict[str, Shape] = {
    "_class": TEXT,
    "causes": listed(_CAUSE),
    "parameters": listed({"_class": TEXT, "name": TEXT, "value": VALUE}),
    **{f"{phase}DurationMillis": WHOLE for phase in ("waiting", "blocked", "buildable", "queuing")},
    "restartEnabled": FLAG,
    **dict.fromkeys(("failCount", "skipCount", "totalCount"), WHOLE),
    "lastBuiltRevision": _REVISION,
    "remoteUrls": listed(TEXT),
    "libraries": listed({"version": TEXT}),
}
_TIMED = {"number": WHOLE, "url": TEXT, "result": TEXT, "timestamp": WHOLE, "duration": WHOLE, "builtOn": TEXT}
_OWN: dict[str, Shape] = {
    "_class": TEXT,
    **_TIMED,
    "building": FLAG,
    "queueId": WHOLE,
    "changeSets": listed(_AUTHORS),
    "changeSet": _AUTHORS,
    "runs": listed(_TIMED),
    "actions": listed(_ACTION),
}
_NODE = {
    "_class": TEXT,
    "id": IDENTIFIER,
    "displayName": TEXT,
    "parents": listed(IDENTIFIER),
    "iconColor": TEXT,
}


def _shape(detail: str, most_nodes: int) -> dict[str, Shape]:
    if detail == BUILD:
        return _OWN
    return {**_OWN, "actions": listed({"nodes": listed(_NODE, most_nodes), **_ACTION})}


def own_document(controller: Controller, build: Build, detail: str) -> Mapping[str, Any]:
    """Return a build's JSON document, with its flow graph unless ``detail`` is BUILD.

    Raises ApiError, NotFound included; Malformed if the answer is not the build.
    """
    shape = _shape(detail, MOST_NODES + 1)
    document: Mapping[str, Any] = shaped(controller.build(build, "api/json", query(shape)), shape)
    if document.get("number") != build.number:
        raise Malformed(f"{build.name}: the answer is not the document of this build")
    return document


def own_documents(
    controller: Controller, builds: Sequence[Build], newest: int, detail: str
) -> Iterator[tuple[Build, Mapping[str, Any] | ApiError]]:
    """Yield each build with its document, or with the error. Raises ApiError if the controller itself does not answer.

    ``builds``: of one job, at most AT_ONCE. ``newest``: the job's highest build number; it tells where a build stands in
    the job's list. A request that fails is halved, down to the single build.
    """
    listing = _listed(controller, builds, newest, detail) if len(builds) > 1 else _Listing()
    for build in builds:
        document = listing.documents.get(build.number)
        if document is None or _cut(document):
            try:
                if build.number in listing.absent:
                    raise NotFound(f"{build.name} is not in the list of its job's builds")
                document = own_document(controller, build, detail)
            except FATAL:
                raise
            except ApiError as error:
                yield build, error
                continue
        yield build, document


@dataclass(frozen=True)
class _Listing:
    """Documents by build number, and the numbers of builds that do not exist."""

    documents: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    absent: frozenset[int] = frozenset()


def _listed(controller: Controller, builds: Sequence[Build], newest: int, detail: str) -> _Listing:
    """Return what one request tells of builds. Leaves out builds that must be asked for alone."""
    numbers = [build.number for build in builds]
    first, last = max(newest - max(numbers), 0), newest - min(numbers)
    if last >= _LISTED or last - first >= 2 * AT_ONCE:
        # Numbers far apart, or so old that Jenkins would load all builds above them.
        return _Listing()
    # One more than needed: it shows that the list goes on below.
    shape = _shape(detail, _NODES_AT_ONCE)
    tree = f"builds[{query(shape)}]{{{first},{last + 2}}}"
    try:
        answer = controller.document(f"{job_path(builds[0].job)}api/json", tree)
    except (*FATAL, Forbidden, NotFound):
        raise
    except ApiError:
        if len(builds) <= 2:
            return _Listing()
        half = len(builds) // 2
        parts = [_listed(controller, part, newest, detail) for part in (builds[:half], builds[half:])]
        return _Listing({**parts[0].documents, **parts[1].documents}, parts[0].absent | parts[1].absent)
    answered = [document for document in shaped(answer.get("builds"), listed(shape)) if "number" in document]
    found = {document["number"]: document for document in answered}
    ended = len(found) < last + 2 - first
    absent = {
        number
        for number in numbers
        if number not in found
        and (first == 0 or any(other > number for other in found))
        and (ended or any(other < number for other in found))
    }
    return _Listing({number: found[number] for number in numbers if number in found}, frozenset(absent))


def _cut(document: Mapping[str, Any]) -> bool:
    """Return whether the answer may have only a part of the flow graph."""
    return len(documents.graph_nodes(document)) >= _NODES_AT_ONCE


def is_pipeline(document: Mapping[str, Any]) -> bool:
    """Return whether a build is a Pipeline build."""
    return documents.short_class(document) == "WorkflowRun"


def is_running(document: Mapping[str, Any]) -> bool:
    """Return whether a build has not ended."""
    return bool(document.get("building")) or document.get("result") is None
