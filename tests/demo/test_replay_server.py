"""The replay server, asked by a real HTTP client."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from http.client import HTTPConnection
from typing import Any

import pytest
import requests
import support
from jenkins import Jenkins, JenkinsException

from pipeline_trace_demo import story
from pipeline_trace_demo.replay import Fault, Recording, Replay, TimeMap

JOBS = "/api/json?tree=jobs[fullName,nextBuildNumber]"
BUILD = "/job/app-deploy/2/api/json?tree=number,url"


@cache
def recording(*names: str) -> Recording:
    return Recording.load(*(support.RECORDINGS / f"{name}.jsonl" for name in names))


@pytest.fixture
def jenkins() -> Iterator[Replay]:
    with Replay(recording("11-app-build-deploy")) as replay:
        yield replay


def get(replay: Replay, path: str, **options: Any) -> requests.Response:
    return requests.get(replay.url + path, timeout=5, **options)


def test_answers_as_jenkins_does(jenkins: Replay) -> None:
    answer = get(jenkins, BUILD)
    assert answer.json() == {
        "_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun",
        "number": 2,
        "url": f"{jenkins.url}/job/app-deploy/2/",
    }
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    assert answer.headers["X-Jenkins"] == "2.462.3"
    assert {"Date", "Content-Length"} <= answer.headers.keys()


def test_sweep_of_all_jobs_and_a_jobs_builds(jenkins: Replay) -> None:
    jobs = {job["fullName"]: job["nextBuildNumber"] for job in get(jenkins, JOBS).json()["jobs"]}
    assert {"app-build", "app-deploy"} <= jobs.keys()
    builds = get(jenkins, "/job/app-deploy/api/json?tree=builds[number,actions[causes[upstreamBuild]]]{0,2}").json()
    assert [build["number"] for build in builds["builds"]] == [jobs["app-deploy"] - 1, jobs["app-deploy"] - 2]
    causes = [cause for action in builds["builds"][0]["actions"] for cause in action.get("causes", [])]
    assert causes[0]["upstreamBuild"] == 1


def test_python_jenkins_gets_along_with_it(jenkins: Replay) -> None:
    client = Jenkins(jenkins.url, timeout=5)
    assert client.get_version() == "2.462.3"
    assert {"app-build", "app-deploy"} <= {job["fullname"] for job in client.get_all_jobs()}
    assert client.get_build_info("app-deploy", 2)["result"] == "SUCCESS"
    assert client.get_running_builds() == []
    with pytest.raises(JenkinsException):
        client.get_job_info("nope")


def test_connections_are_kept_alive(jenkins: Replay) -> None:
    connection = HTTPConnection(jenkins.url.removeprefix("http://"), timeout=5)
    connection.connect()
    first = connection.sock
    for path in (JOBS, "/nope", JOBS):
        connection.request("GET", path)
        connection.getresponse().read()
        assert connection.sock is first
    connection.close()


@pytest.mark.parametrize(
    "path", ["/job/nope/api/json", "/job/app-deploy/999/api/json", "/nope", "/job/app-deploy/lastFailedBuild/api/json"]
)
def test_unknown_paths(jenkins: Replay, path: str) -> None:
    answer = get(jenkins, path)
    assert (answer.status_code, answer.headers["X-Jenkins"]) == (404, "2.462.3")
    assert "<html" in answer.text


def test_wfapi_is_missing_for_freestyle_and_there_for_pipelines() -> None:
    with Replay(recording("10-hello-freestyle", "11-app-build-deploy")) as replay:
        assert get(replay, "/job/hello-freestyle/1/wfapi/describe").status_code == 404
        assert get(replay, "/job/hello-freestyle/1/api/json").json()["number"] == 1
        assert get(replay, "/job/app-deploy/2/wfapi/describe").json()["id"] == "2"
        assert "Starting building" in get(replay, "/job/app-build/1/execution/node/42/wfapi/log").json()["text"]
        assert get(replay, "/job/app-build/1/execution/node/42/wfapi/describe").json() is None
        tests = get(replay, "/job/app-build/1/testReport/api/json?tree=passCount").json()
        assert tests["passCount"] == 2


def test_malformed_tree(jenkins: Replay) -> None:
    answer = get(jenkins, "/api/json?tree=bad[")
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "text/html;charset=utf-8")
    assert answer.headers["X-Jenkins"]


def test_other_methods(jenkins: Replay) -> None:
    head = requests.head(jenkins.url + BUILD, timeout=5)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get(jenkins, BUILD).content))
    with requests.Session() as session:
        post = session.post(f"{jenkins.url}/job/app-build/build", data="json={}", timeout=5)
        assert post.status_code == 403
        assert session.get(jenkins.url + BUILD, timeout=5).status_code == 200  # the body was read
    assert get(jenkins, "/crumbIssuer/api/json").status_code == 404


@pytest.mark.parametrize(
    ("path", "full_name"),
    [
        ("/job/Team%20A/job/d%C3%A9ploy%20%C3%BCn%C3%AF", "Team A/déploy ünï"),
        ("/job/Team A/job/sub/job/leaf job", "Team A/sub/leaf job"),
        ("/job/Team%20A/job/multi/job/feature%252Flogin-page", "Team A/multi/feature%2Flogin-page"),
    ],
)
def test_names_with_spaces_accents_and_slashes(path: str, full_name: str) -> None:
    with Replay(recording("70-folders-unicode", "72-multibranch")) as replay:
        job = get(replay, f"{path}/api/json?tree=fullName,url").json()
        assert job["fullName"] == full_name
        assert requests.get(f"{job['url']}api/json", timeout=5).json()["fullName"] == full_name
        assert get(replay, f"{path}/1/api/json").json()["number"] == 1
        assert get(replay, f"{path}/lastBuild/api/json").json()["number"] >= 1


def test_a_secured_controller() -> None:
    with Replay(recording("11-app-build-deploy"), login=("ada", "s3cret")) as replay:
        anonymous = get(replay, JOBS)
        assert (anonymous.status_code, anonymous.headers["X-Jenkins"]) == (403, "2.462.3")
        assert "Authentication required" in anonymous.text
        wrong = get(replay, JOBS, auth=("ada", "no"))
        assert (wrong.status_code, "X-Jenkins" in wrong.headers) == (401, False)
        assert wrong.headers["WWW-Authenticate"] == 'Basic realm="Jenkins"'
        assert get(replay, JOBS, headers={"Authorization": "Basic ?"}).status_code == 401
        assert get(replay, JOBS, auth=("ada", "s3cret")).json()["jobs"]
        assert get(replay, "/whoAmI/api/json").json()["name"] == "anonymous"
        assert get(replay, "/whoAmI/api/json", auth=("ada", "s3cret")).json()["name"] == "ada"
        assert [request.authorized for request in replay.requests] == [False, True, True, True, False, True]


def test_served_below_a_context_path_and_configured_as_another_address() -> None:
    root = "https://jenkins.example.com/ci"
    with Replay(recording("11-app-build-deploy"), context_path="/jenkins", root_url=f"{root}/") as replay:
        assert replay.url.endswith("/jenkins")
        assert get(replay, BUILD).json()["url"] == f"{root}/job/app-deploy/2/"
        describe = get(replay, "/job/app-deploy/2/wfapi/describe").json()
        assert describe["_links"]["self"]["href"] == "/jenkins/job/app-deploy/2/wfapi/describe"
        log = get(replay, "/job/app-build/1/execution/node/42/wfapi/log").json()
        assert "<a href='/jenkins/job/app-deploy/1/'" in log["text"]
        assert log["consoleUrl"].startswith("/jenkins/job/app-build/1/")
        outside = requests.get(replay.url.removesuffix("/jenkins") + "/api/json", timeout=5)
        assert (outside.status_code, "X-Jenkins" in outside.headers) == (404, False)


def test_a_recording_made_below_a_context_path_follows_the_replay() -> None:
    with Replay(recording("91-context-path")) as replay:
        describe = get(replay, "/job/app-deploy/12/wfapi/describe").json()
        assert describe["_links"]["self"]["href"].startswith("/job/app-deploy/")


def test_times_move() -> None:
    whole = recording("11-app-build-deploy")
    start = whole.at().objects["/job/app-build/1"]["timestamp"]
    with Replay(whole, time_map=TimeMap([(start, 1_000_000)])) as replay:
        build = get(replay, "/job/app-build/1/api/json?tree=timestamp,duration").json()
        assert (build["timestamp"], build["duration"]) == (1_000_000, 29603)
        assert 0 <= get(replay, "/job/app-build/1/wfapi/describe").json()["startTimeMillis"] - 1_000_000 < 100


def test_moments_are_set_while_it_runs() -> None:
    running = recording("41-running")
    with Replay(running, moment_ms=running.moments[0] - 1) as replay:
        assert get(replay, "/api/json?tree=jobs[name]").json()["jobs"] == []
        replay.moment = running.moments[len(running.moments) // 2]
        build = "/job/long-build/1/api/json?tree=building,result"
        assert get(replay, build).json()["building"] is True
        replay.moment = None
        assert get(replay, build).json()["result"] == "SUCCESS"


FAULTY = {
    "status": (429, {"Retry-After": "7"}),
    "html": (200, {"Content-Type": "text/html;charset=utf-8"}),
    "gone": (404, {}),
    "login": (403, {"X-Jenkins": "2.462.3"}),
    "starting": (503, {}),
}


@pytest.mark.parametrize("kind", FAULTY)
def test_faults_that_answer_something_else(jenkins: Replay, kind: Any) -> None:
    status, headers = FAULTY[kind]
    jenkins.faults = [Fault("app-deploy/2", kind, status=429, headers={"Retry-After": "7"})]
    answer = get(jenkins, BUILD)
    assert answer.status_code == status
    assert headers.items() <= dict(answer.headers).items()
    if kind == "starting":
        assert not {"X-Jenkins", "Retry-After"} & answer.headers.keys()
    assert get(jenkins, JOBS).status_code == (403 if kind == "login" else 200)
    jenkins.faults = []
    assert get(jenkins, BUILD).json()["number"] == 2


def test_a_status_with_json(jenkins: Replay) -> None:
    jenkins.faults = [Fault("", "status", status=500, body='{"a":1}', content_type="application/json")]
    answer = get(jenkins, BUILD)
    assert (answer.status_code, answer.json()) == (500, {"a": 1})


def test_half_of_the_json(jenkins: Replay) -> None:
    jenkins.faults = [Fault("", "cut_json")]
    answer = get(jenkins, BUILD)
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("kind", ["cut", "close"])
def test_broken_connections(jenkins: Replay, kind: Any) -> None:
    jenkins.faults = [Fault("", kind, times=1)]
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        get(jenkins, BUILD)
    assert get(jenkins, BUILD).status_code == 200
    assert [request.status for request in jenkins.requests] == [0 if kind == "close" else 200, 200]


@pytest.mark.parametrize("kind", ["slow", "slow_body"])
def test_slow_answers(jenkins: Replay, kind: Any) -> None:
    jenkins.faults = [Fault("", kind, seconds=5, times=1), Fault("", kind, seconds=0.05)]
    with pytest.raises((requests.ReadTimeout, requests.ConnectionError)):
        requests.get(jenkins.url + BUILD, timeout=0.1)
    began = time.monotonic()
    assert get(jenkins, BUILD).json()["number"] == 2
    assert time.monotonic() - began >= 0.05


def test_a_slow_answer_does_not_hold_up_the_end() -> None:
    began = time.monotonic()
    with Replay(recording("11-app-build-deploy")) as replay:
        replay.faults = [Fault("", "slow", seconds=60)]
        with pytest.raises(requests.ReadTimeout):
            requests.get(replay.url + BUILD, timeout=0.05)
    assert time.monotonic() - began < 30


def test_faults_count_what_they_match(jenkins: Replay) -> None:
    jenkins.faults = [Fault(r"^/job/app-deploy/\d/api/json\?tree=number,url$", "gone", times=2, after=1)]
    assert [get(jenkins, BUILD).status_code for _ in range(5)] == [200, 404, 404, 200, 200]
    jenkins.faults = jenkins.faults
    assert [get(jenkins, BUILD).status_code for _ in range(2)] == [200, 404]


def test_faults_match_decoded_names() -> None:
    with Replay(recording("70-folders-unicode"), context_path="/ci") as replay:
        replay.faults = [Fault("^/job/Team A/job/déploy ünï/1/", "gone")]
        assert get(replay, "/job/Team%20A/job/d%C3%A9ploy%20%C3%BCn%C3%AF/1/api/json").status_code == 404


def test_faults_must_make_sense() -> None:
    with pytest.raises(ValueError, match="no such fault"):
        Fault("", "slwo")  # type: ignore[arg-type]


def test_requests_are_recorded(jenkins: Replay) -> None:
    get(jenkins, BUILD)
    get(jenkins, "/nope")
    first, second = jenkins.requests
    assert (first.method, first.path, first.status, first.concurrent) == ("GET", BUILD, 200, 1)
    assert second.status == 404
    assert first.ended is not None
    assert first.started <= first.ended <= second.started
    jenkins.reset()
    assert (jenkins.requests, jenkins.most_at_once) == ([], 0)


def test_one_after_the_other_is_one_at_once(jenkins: Replay) -> None:
    with requests.Session() as session:
        for _ in range(50):
            session.get(jenkins.url + BUILD, timeout=5)
    assert jenkins.most_at_once == 1


def test_requests_at_once_are_counted(jenkins: Replay) -> None:
    # Nobody is answered before all have asked.
    together = threading.Barrier(4)
    answer = jenkins._server.answerer

    def wait_and_answer(*asked: Any) -> Any:
        together.wait(5)
        return answer(*asked)

    jenkins._server.answerer = wait_and_answer
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: get(jenkins, BUILD).status_code, range(4)))
    assert answers == [200] * 4
    assert jenkins.most_at_once == 4
    assert sorted(request.concurrent for request in jenkins.requests) == [1, 2, 3, 4]


def test_vanished_builds_and_jobs(jenkins: Replay) -> None:
    jenkins.drop_build("app-deploy", 2)
    assert get(jenkins, BUILD).status_code == 404
    assert get(jenkins, "/job/app-deploy/2/wfapi/describe").status_code == 404
    numbers = get(jenkins, "/job/app-deploy/api/json?tree=builds[number]").json()["builds"]
    assert 2 not in [build["number"] for build in numbers]
    jenkins.drop_job("app-build")
    assert get(jenkins, "/job/app-build/api/json").status_code == 404
    assert "app-build" not in [job["fullName"] for job in get(jenkins, JOBS).json()["jobs"]]
    jenkins.load(recording("11-app-build-deploy"))
    assert get(jenkins, BUILD).status_code == 200


def test_edited_documents_show_everywhere(jenkins: Replay) -> None:
    jenkins.edit("/job/app-deploy/api/json", lambda job: job.update(nextBuildNumber=1))
    jobs = {job["fullName"]: job["nextBuildNumber"] for job in get(jenkins, JOBS).json()["jobs"]}
    assert jobs["app-deploy"] == 1
    jenkins.edit("/job/app-deploy/2", lambda build: {**build, "result": "ABORTED"})
    builds = get(jenkins, "/job/app-deploy/api/json?tree=builds[number,result]").json()["builds"]
    assert {build["number"]: build["result"] for build in builds}[2] == "ABORTED"
    jenkins.edit("/job/app-deploy/2/wfapi/describe", lambda describe: {**describe, "stages": []})
    assert get(jenkins, "/job/app-deploy/2/wfapi/describe").json()["stages"] == []
    assert recording("11-app-build-deploy").at().objects["/job/app-deploy/2"]["result"] == "SUCCESS"
    with pytest.raises(KeyError):
        jenkins.edit("/job/nope/api/json", lambda document: None)
    assert get(jenkins, BUILD).status_code == 200


def test_the_end_closes_connections_that_clients_keep() -> None:
    with requests.Session() as session:
        with Replay(recording("11-app-build-deploy")) as replay:
            url = replay.url + BUILD
            session.get(url, timeout=5)
        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=5)


def test_the_demos_recording_holds_one_change_only() -> None:
    with Replay(Recording.load(story.RECORDING)) as replay:
        jobs = get(replay, "/api/json?tree=jobs[fullName,nextBuildNumber,allBuilds[number]]").json()["jobs"]
    shown = {job["fullName"]: (job["nextBuildNumber"], [build["number"] for build in job["allBuilds"]]) for job in jobs}
    assert shown == {"app-build": (2, [1]), "app-deploy": (4, [3, 2, 1])}
