"""One file a CI system: from the environment to the run that this process is part of.

``find`` names the file that fits, without importing any of them: this runs inside ansible-playbook, and `exec` starts fast.
"""

from __future__ import annotations

from collections.abc import Mapping

# The variables that override what a build says of its controller, and that choose how traces are cut.
JENKINS_ROOT_URL = "PIPELINE_TRACE_JENKINS_URL"
TRACE_PER = "PIPELINE_TRACE_PER"
# The values of PIPELINE_TRACE_PER: one trace for a chain of builds, or one for each build.
PER_PIPELINE, PER_BUILD = "pipeline", "build"


def system_of(environ: Mapping[str, str]) -> str:
    """Return the name of the CI system that runs this process, which is that of its file here; else nothing."""
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
    """Tell whether this process is part of a Jenkins build."""
    return bool(environ.get("BUILD_NUMBER")) and any(
        environ.get(name) for name in ("JENKINS_URL", "JENKINS_HOME", "JENKINS_NODE_COOKIE", JENKINS_ROOT_URL)
    )
