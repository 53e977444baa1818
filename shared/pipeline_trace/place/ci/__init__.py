"""One module for each CI system: from the environment to the run that this process is part of.

``system_of`` names the module without an import of any of them, because `exec` must start fast.
"""

from __future__ import annotations

from collections.abc import Mapping

# These variables override the controller's URL, and choose between one trace for a chain of builds and one for each build.
JENKINS_ROOT_URL = "PIPELINE_TRACE_JENKINS_URL"
TRACE_PER = "PIPELINE_TRACE_PER"
# The values of PIPELINE_TRACE_PER.
PER_PIPELINE, PER_BUILD = "pipeline", "build"


def system_of(environ: Mapping[str, str]) -> str:
    """Return the CI system that runs this process, which is also the name of its module; empty outside CI."""
    if is_in_jenkins(environ):
        return "jenkins"
    if environ.get("GITHUB_ACTIONS") == "true" and environ.get("GITHUB_RUN_ID"):
        return "github"
    if environ.get("GITLAB_CI") == "true" and environ.get("CI_PIPELINE_ID"):
        return "gitlab"
    if environ.get("ATC_EXTERNAL_URL") and environ.get("BUILD_ID"):
        return "concourse"
    if environ.get("ZUUL_UUID"):
        return "zuul"
    return ""


def is_in_jenkins(environ: Mapping[str, str]) -> bool:
    """Return whether this process is part of a Jenkins build."""
    return bool(environ.get("BUILD_NUMBER")) and any(
        environ.get(name) for name in ("JENKINS_URL", "JENKINS_HOME", "JENKINS_NODE_COOKIE", JENKINS_ROOT_URL)
    )
