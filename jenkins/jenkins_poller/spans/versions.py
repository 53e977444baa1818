"""Turns what a build checked out into span attributes: commit, branch, repository and change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from pipeline_trace.place.ci.jenkins import documents
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace import redact
from pipeline_trace.trace.span import AttributeValue
from pipeline_trace.trace.words import PARAMETERS

from ..fetch.checkouts import Checkout, Checkouts, branch_name

_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_CHANGE = re.compile(r"(?:PR|MR|CR)-(\d+)(?:-\w+)?")


def version_control_attributes(build: Build, document: Mapping[str, Any], checkouts: Checkouts) -> dict[str, AttributeValue]:
    """Return the attributes of the application's commit, and of the other checkouts.

    They come from the checkouts, from the parameters, and from the job's name in a multibranch project.
    """
    found: dict[str, AttributeValue] = {}
    if checkouts.own:
        found[c.VCS_HEAD_REVISION] = checkouts.own.revision
        found.update(_branch(checkouts.own))
        found.update(_repository(_address(checkouts.own)))
    else:
        # A build that deploys may check out nothing, and get the commit as a parameter.
        given = documents.parameters_of(document)
        names = PARAMETERS[c.VCS_HEAD_REVISION]
        commit = next((given[name] for name in names if _REVISION.fullmatch(given.get(name, "").lower())), "")
        found.update({c.VCS_HEAD_REVISION: commit.lower()} if commit else {})
    if any(documents.actions_of(document, "SCMRevisionAction")):
        found.update(_multibranch(unquote(build.job.rpartition("/")[2])))
    return {**found, **_others(checkouts.others)}


def _branch(checkout: Checkout) -> dict[str, AttributeValue]:
    name = branch_name(next(iter(checkout.branches), ""))
    return {c.VCS_HEAD_NAME: name, c.VCS_HEAD_TYPE: "branch"} if name not in ("", "detached", "HEAD") else {}


def _address(checkout: Checkout) -> str:
    return redact.masked(next(iter(checkout.urls), "")).removesuffix("/").removesuffix(".git")


def _repository(address: str) -> dict[str, AttributeValue]:
    return {c.VCS_REPOSITORY_URL: address, c.VCS_REPOSITORY_NAME: re.split(r"[/:]", address)[-1]} if address else {}


def _others(checkouts: Sequence[Checkout]) -> dict[str, AttributeValue]:
    if not checkouts:
        return {}
    return {
        c.JENKINS_OTHER_REVISIONS: [one.revision for one in checkouts],
        c.JENKINS_OTHER_REPOSITORIES: [_address(one) for one in checkouts],
    }


def _multibranch(name: str) -> dict[str, AttributeValue]:
    change = _CHANGE.fullmatch(name)
    return {c.VCS_CHANGE_ID: change[1]} if change else {c.VCS_HEAD_NAME: name, c.VCS_HEAD_TYPE: "branch"}
