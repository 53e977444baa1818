"""A build's commit is the application's, never a shared library's: documents and logs in a table, and recorded builds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import support
from support.polling import Polling

from jenkins_poller.fetch.api import Controller
from jenkins_poller.fetch.checkouts import checkouts_of
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span
from pipeline_trace_demo.replay import Replay

APP, LIBRARY, CONFIG, OTHER = "a" * 40, "b" * 40, "c" * 40, "d" * 40
RECORDED_APP = "4ab5c2be1f00d978f65336d777dcab1c414d5e94"
RECORDED_LIBRARY = "dad135f250147b2cd5e11c30652a50ac02981841"
REMOTE = "refs/remotes/origin/main"
HOST = "https://git.example.com"
STEPS = ["Check out from version control"]
DECLARATIVE = ["Declarative: Checkout SCM", *STEPS]
OBTAINED = f"Obtained ci/Jenkinsfile from git {HOST}/app\n"
LOADING = f"""Loading library tools@main
Attempting to resolve main from remote references...
Checking out Revision {LIBRARY} (main)
"""
STEP = "[Pipeline] Start of Pipeline\n"


def data(revision: str, branch: str, name: str) -> dict[str, Any]:
    revisions = {"SHA1": revision, "branch": [{"SHA1": revision, "name": branch}]}
    return {
        "_class": "hudson.plugins.git.util.BuildData",
        "lastBuiltRevision": revisions,
        "remoteUrls": [f"{HOST}/{name}.git"],
    }


app, tools = data(APP, REMOTE, "app"), data(LIBRARY, "main", "tools")
legacy, config = data(LIBRARY, REMOTE, "tools"), data(CONFIG, REMOTE, "config")
on_main, on_change = data(APP, "main", "app"), data(APP, "PR-17", "app")


def document(
    found: Sequence[dict[str, Any]], libraries: Sequence[str] | None, steps: Sequence[str], *, multibranch: bool
) -> dict[str, Any]:
    listed = {} if libraries is None else {"libraries": [{"version": version} if version else {} for version in libraries]}
    actions: list[dict[str, Any]] = [{}, {"_class": "org.jenkinsci.plugins.workflow.libs.LibrariesAction", **listed}, *found]
    if multibranch:
        actions.append({"_class": "jenkins.scm.api.SCMRevisionAction"})
    nodes = [{"_class": "StepAtomNode", "id": str(at), "displayName": name} for at, name in enumerate(steps)]
    actions.append({"_class": "org.jenkinsci.plugins.workflow.job.views.FlowGraphAction", "nodes": nodes})
    return {"_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun", "actions": actions}


def decided(
    job: str,
    found: Sequence[dict[str, Any]],
    libraries: Sequence[str] | None = (),
    steps: Sequence[str] = (),
    log: str | None = None,
    *,
    multibranch: bool = False,
) -> tuple[str, bool]:
    """Return the application's commit, "" for none, and whether the log is worth a request."""
    said = document(found, libraries, steps, multibranch=multibranch)
    checkouts = checkouts_of(Build(HOST, job, 1), said, log)
    own = checkouts.own.revision if checkouts.own else ""
    kept = {one["lastBuiltRevision"]["SHA1"] for one in found}
    assert {one.revision for one in checkouts.others} | ({own} - {""}) == kept
    return own, checkouts.unclear


@pytest.mark.parametrize(
    ("found", "libraries", "steps", "commit"),
    [
        ([], [], [], ""),
        ([app], [], [], APP),
        ([app], None, [], APP),
        ([on_main], [], [], APP),
        ([tools, app], ["main"], STEPS, APP),
        ([tools, app], [""], STEPS, APP),
        ([tools, app], None, STEPS, APP),
        ([app, tools], ["main"], STEPS, APP),
        # The Jenkinsfile of a Declarative Pipeline is checked out before what its stages check out.
        ([tools, app, config], ["main"], DECLARATIVE, APP),
        ([app, config], [], DECLARATIVE, APP),
        # One commit, checked out by its branch and by its id.
        ([app, data(APP, "detached", "app")], [], STEPS, APP),
        # The library came from the cache.
        ([app], ["main"], STEPS, APP),
        ([app], ["1.4"], STEPS, APP),
        # Nothing but a library was checked out.
        ([tools], ["main"], [], ""),
        ([tools], [""], [], ""),
        ([tools], None, [], ""),
        ([legacy], ["main"], [], ""),
        ([data(LIBRARY, LIBRARY, "tools")], [LIBRARY], [], ""),
        ([data(LIBRARY, "refs/tags/v2", "tools")], ["v2"], [], ""),
    ],
)
def test_no_request_where_the_document_decides(
    found: list[dict[str, Any]], libraries: list[str] | None, steps: list[str], commit: str
) -> None:
    assert decided("shop/build", found, libraries, steps) == (commit, False)


@pytest.mark.parametrize(
    ("job", "found", "libraries", "steps", "commit"),
    [
        ("shop/main", [on_main], [], STEPS, APP),
        ("shop/main", [on_main], ["main"], STEPS, APP),
        ("shop/main", [on_main, config], [], STEPS, APP),
        ("shop/main", [config, on_main], [], STEPS, APP),
        ("shop/main", [data(LIBRARY, "v2", "tools"), on_main], ["v2"], STEPS, APP),
        ("shop/PR-17", [tools, on_change], ["main"], STEPS, APP),
        ("shop/feature%2Flogin", [tools, data(APP, "feature/login", "app")], ["main"], STEPS, APP),
        ("shop/main", [on_main], ["main"], [], ""),
    ],
)
def test_a_branch_source_builds_the_branch_of_its_job(
    job: str, found: list[dict[str, Any]], libraries: list[str], steps: list[str], commit: str
) -> None:
    assert decided(job, found, libraries, steps, multibranch=True) == (commit, False)


@pytest.mark.parametrize(
    ("found", "libraries", "log", "commit"),
    [
        # The repository that supplied the Jenkinsfile, as it is written in the job.
        ([config, app], [], OBTAINED + STEP, APP),
        ([config, app], [], f"Checking out git {HOST}/app.git into /var/x@script/1 to read Jenkinsfile\n{STEP}", APP),
        ([legacy, app], ["main"], OBTAINED + LOADING + STEP, APP),
        # A script in the job itself: what is no library, if that is one.
        ([legacy, app], ["main"], LOADING + STEP, APP),
        ([legacy, app], ["main"], f"[2026-11-29T12:39:53.101Z] {LOADING}{STEP}", APP),
        ([legacy, app], ["main", "v2"], LOADING + "Loading library more@v2\nLibrary more@v2 is cached.\n" + STEP, APP),
        ([legacy, app, config], ["main"], LOADING + STEP, ""),
        # The library is in the application's repository.
        ([data(APP, "main", "app"), app, config], ["main"], OBTAINED + LOADING.replace(LIBRARY, APP) + STEP, APP),
        ([app, config], [], "", ""),
        # What a step prints is no fact.
        ([app, config], [], STEP + OBTAINED, ""),
        ([legacy, app], ["main"], STEP, ""),
        ([legacy, app], ["main", "v2"], LOADING + STEP, ""),
    ],
)
def test_the_log_decides_where_the_document_does_not(
    found: list[dict[str, Any]], libraries: list[str], log: str, commit: str
) -> None:
    assert decided("shop/build", found, libraries, STEPS) == ("", True)
    assert decided("shop/build", found, libraries, STEPS, log) == (commit, False)


@pytest.mark.parametrize(
    ("log", "commit"),
    [(f"Obtained Jenkinsfile from {APP}\n{LOADING}{STEP}", APP), (LOADING + STEP, APP), ("", "")],
)
def test_a_library_on_the_branch_of_the_job_is_told_apart_by_the_log(log: str, commit: str) -> None:
    found = [tools, on_main]
    assert decided("shop/main", found, ["main"], STEPS, multibranch=True) == ("", True)
    assert decided("shop/main", found, ["main"], STEPS, log, multibranch=True) == (commit, False)


def polled(folder: Path, jenkins: Replay, job: str) -> tuple[Span, int]:
    """Return the run of a job's first build, and how often its log was asked for."""
    polling = Polling(folder, jenkins)
    polling.sweep()
    (run,) = [span for span in polling.spans if span.name == f"RUN {job}" and span.attributes[c.PIPELINE_RUN_ID] == "1"]
    return run, sum(f"/{job}/1/consoleText" in request.path for request in jenkins.requests)


def test_a_recorded_build_with_a_library_has_the_applications_commit(tmp_path: Path) -> None:
    with Replay(support.recording("r9")) as jenkins:
        run, logs = polled(tmp_path, jenkins, "libapp")
    assert logs == 0
    assert run.attributes[c.VCS_HEAD_REVISION] == RECORDED_APP
    assert run.attributes[c.VCS_REPOSITORY_URL] == "/srv/git/app"
    assert run.attributes[c.JENKINS_OTHER_REVISIONS] == [RECORDED_LIBRARY]
    assert run.attributes[c.JENKINS_OTHER_REPOSITORIES] == ["/srv/git/library"]


def test_the_log_of_a_recorded_build_tells_the_library_and_is_asked_for_once(tmp_path: Path) -> None:
    def like_the_application(found: dict[str, Any]) -> dict[str, Any]:
        for action in found["actions"]:
            for branch in action.get("lastBuiltRevision", {}).get("branch", ()):
                branch["name"] = REMOTE
        return found

    with Replay(support.recording("r9")) as jenkins:
        jenkins.edit("/job/libapp/1/api/json", like_the_application)
        run, logs = polled(tmp_path, jenkins, "libapp")
    assert logs == 1
    assert run.attributes[c.VCS_HEAD_REVISION] == RECORDED_APP


def test_of_a_long_log_only_the_beginning_is_read() -> None:
    with Replay(support.recording("r9")) as jenkins:
        controller = Controller(jenkins.url, first_pause=0.001)
        path = "job/libapp/1/consoleText"
        whole = controller.beginning(path, 1 << 20)
        assert whole == controller.text(path, 1 << 20)
        assert controller.beginning(path, 100) == whole[:100]
        assert controller.beginning(path, 1 << 20) == whole


def test_a_librarys_checkout_before_the_applications_changes_nothing(tmp_path: Path) -> None:
    def with_library(found: dict[str, Any]) -> dict[str, Any]:
        return {**found, "actions": [tools, *found["actions"]]}

    with Replay(support.recording("11")) as jenkins:
        jenkins.edit("/job/app-build/1/api/json", with_library)
        run, _ = polled(tmp_path, jenkins, "app-build")
    assert run.attributes[c.VCS_HEAD_REVISION] == "6fe45922eb4f5836d0423b404b96d3284390133d"
    assert run.attributes[c.JENKINS_OTHER_REVISIONS] == [LIBRARY]


def test_a_librarys_commit_is_never_deployable(tmp_path: Path) -> None:
    env = support.environ(tmp_path)
    with Replay(support.recording("r9")) as jenkins:
        assert support.poll(jenkins.url, env=env).returncode == 0
    assert support.trace("path", RECORDED_LIBRARY, env=env).returncode == 1
    done = support.trace("path", "--format", "json", RECORDED_APP, env=env)
    assert done.returncode == 0, done.stderr
    path = json.loads(done.stdout)
    assert path["answer"]["answer"] == "not known"
    assert [step["step"] for step in path["services"][0]["steps"] if step["last"]] == ["merge"]
