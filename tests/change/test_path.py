"""`pipeline-trace path`: over recorded incidents of a real Jenkins, and what can be asked for."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import support
from support import put

from pipeline_trace.change.document import path_document
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.delivery.journal import Writer
from pipeline_trace.delivery.reader import Reader
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.lookup import NotFoundError, local_lookup
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.span import Link, Span
from pipeline_trace_demo.replay import Replay

SECOND = 1_000_000_000
COMMIT, OTHER = "abcdef0" + "1" * 33, "abcdef0" + "2" * 33


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The environment of a store for each recording that tells of deploys."""
    stores = {}
    for name in ("11", "72", "incident-host-down", "incident-broken-change", "98"):
        env = stores[name] = support.environ(tmp_path_factory.mktemp(f"polled{name}"))
        with Replay(support.recording(name)) as jenkins:
            done = support.poll(jenkins.url, env=env)
            assert done.returncode == 0, done.stderr
    return stores


def answered(env: dict[str, str], *arguments: str) -> tuple[str, dict[str, list[str]]]:
    """Return the line that answers, and the rows by their step, split where two blanks are."""
    done = support.trace("path", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) <= 15
    (answer,) = [line for line in lines if line.startswith("Can I deploy? ")]
    rows = [[cell for cell in line.split("  ") if cell.strip()] for line in lines]
    return answer.removeprefix("Can I deploy? "), {row[0]: [cell.strip() for cell in row[1:]] for row in rows}


def document(env: dict[str, str], *arguments: str) -> dict[str, Any]:
    done = support.trace("path", "--format", "json", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_host_that_is_down_on_staging_blocks_there(polled: dict[str, dict[str, str]]) -> None:
    answer, rows = answered(polled["incident-host-down"], "9e0a338")
    assert answer.startswith("no: staging failed 4 times with the same error, last in shop/deploy#140 at Run playbook: ")
    assert answer.endswith("it was green before (shop/deploy#131)")
    assert (
        "pipeline-trace why 'shop/deploy#140'" in support.trace("path", "9e0a338", env=polled["incident-host-down"]).stdout
    )
    assert [rows[name][0] for name in ("PR checks", "review", "merge", "integration", "staging", "production")] == [
        "? not known",
        "? not known",
        "✓ passed",
        "✓ passed",
        "✗ failed",
        "✓ passed",
    ]
    assert rows["production"][-1] == "shop/deploy#132; 4 later builds did not reach this step"
    assert "orders" not in str(rows)


def test_the_other_team_on_that_host_is_kept_apart(polled: dict[str, dict[str, str]]) -> None:
    answer, rows = answered(polled["incident-host-down"], "c91ca4f")
    assert answer.startswith("no: staging failed in orders/deploy#148 at Run playbook")
    assert "shop" not in str(rows)


def test_a_broken_change_blocks_at_integration(polled: dict[str, dict[str, str]]) -> None:
    answer, rows = answered(polled["incident-broken-change"], "63d034d")
    assert answer.startswith("no: integration failed 3 times with the same error, last in shop/deploy#189")
    assert rows["merge"][0] == "✓ passed"
    assert rows["staging"] == rows["production"] == ["· not reached"]


def test_a_change_that_went_all_the_way_is_deployed(polled: dict[str, dict[str, str]]) -> None:
    answer, _ = answered(polled["incident-broken-change"], "4e3d223")
    assert answer == "yes: production is deployed (shop/deploy#186)"
    answer, rows = answered(polled["incident-host-down"], "4e3d223")
    assert answer == "yes: production had this commit (shop/deploy#126); then 9e0a338 replaced it (shop/deploy#132)"
    assert rows["production"][-1] == "shop/deploy#126; replaced by 9e0a338 (shop/deploy#132)"


def test_a_wait_for_an_approval_is_a_persons(polled: dict[str, dict[str, str]]) -> None:
    _, rows = answered(polled["98"])
    assert rows["production"][-1] == "shop/deploy#249; waited 32.8 s for a person (admin); 2 attempts"


def test_a_deploy_that_was_not_told_its_commit_is_its_builds(polled: dict[str, dict[str, str]]) -> None:
    (service,) = document(polled["11"], "app-deploy#2")["services"]
    assert service["service"] == "app"
    assert [step["state"] for step in service["steps"]] == ["not known"] * 3 + ["success"] * 4


def test_a_change_is_known_by_its_checks(polled: dict[str, dict[str, str]]) -> None:
    answer, rows = answered(polled["72"], "PR-17")
    assert answer.startswith("not known: PR checks are green (Team A/multi/PR-17#1)")
    assert (rows["PR checks"][0], rows["merge"][0]) == ("✓ passed", "? not known")
    assert answered(polled["72"], "17") == (answer, rows)


@pytest.mark.parametrize(
    "asked", ["9e0a3389c124391cbe41447c76bcbf7887009a60", "shop/deploy#140", "shop/build #44", "9E0A3389"]
)
def test_a_commit_may_be_named_by_its_builds(polled: dict[str, dict[str, str]], asked: str) -> None:
    assert document(polled["incident-host-down"], asked) == document(polled["incident-host-down"], "9e0a338")


def test_a_version_of_several_commits_is_the_last_ones(polled: dict[str, dict[str, str]]) -> None:
    found = document(polled["incident-host-down"], "1.7.3")
    assert found["commit"].startswith("9e0a338")
    assert found["notes"] == ["1.7.3 was deployed from 3 commits; this is the last one. The others: 9592095, 4e3d223"]


def test_json_has_the_evidence(polled: dict[str, dict[str, str]]) -> None:
    found = document(polled["incident-host-down"], "9e0a338")
    assert (found["repository"], found["change"]) == ("app", None)
    assert found["answer"] == {**found["services"][0]["answer"], "service": "shop"}
    assert (found["answer"]["answer"], found["answer"]["step"]) == ("no", "staging")
    staging = next(step for step in found["services"][0]["steps"] if step["step"] == "staging")
    assert (staging["attempts"], staging["failures"], staging["failed_alike"]) == (5, 4, True)
    assert staging["last"]["started"] == "2026-11-23T16:24:29.083+00:00"
    assert staging["last"]["url"].endswith("/job/shop/job/deploy/140/")
    assert {wait["what"] for wait in staging["last"]["waited"]} == {"queue"}


def test_what_is_not_there_is_said_in_one_line(polled: dict[str, dict[str, str]], tmp_path: Path) -> None:
    done = support.trace("path", "no-such-version", env=polled["incident-host-down"])
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no commit, change or version 'no-such-version' here" in done.stderr
    assert "poll --once" in done.stderr
    done = support.trace("path", env=support.environ(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("pipeline-trace: there is no commit in the store yet")


def test_a_commit_that_nobody_saw_is_a_failure_that_says_how_to_fetch_builds(polled: dict[str, dict[str, str]]) -> None:
    done = support.trace("path", "deadbeef", env=polled["incident-host-down"])
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no commit, change or version 'deadbeef' here; fetch builds with: pipeline-trace poll" in done.stderr


@pytest.mark.process
def test_playbooks_alone_have_a_path_too(tmp_path: Path) -> None:
    env = support.environ(tmp_path)
    failing = support.DEPLOY.replace("debug: {msg: copied}", "fail: {msg: no space left on device}")
    for name, text, status in (("good", support.DEPLOY, 0), ("bad", failing, 2)):
        playbook = support.write_playbook(tmp_path, text, f"{name}.yml")
        told = ("-e", f"deploy_env=stage app_name=shop app_version=1.8 git_commit={COMMIT}")
        done = support.run_playbook(playbook, *told, env=env, hosts="h1,")
        assert done.returncode == status, done.stdout
    answer, rows = answered(env, "1.8")
    assert answer.startswith("no: staging failed in playbook bad.yml: h1: no space left on device")
    assert answer.endswith("; it was green before (playbook good.yml)")
    assert rows["staging"][0] == "✗ failed"


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return find_home({"PIPELINE_TRACE_HOME": str(tmp_path / "trace-home")})


def playbook(number: int, start: int, end: int, **told: str) -> Span:
    names = {"commit": c.VCS_HEAD_REVISION, "service": c.DEPLOYMENT_NAME, "version": c.ARTIFACT_VERSION}
    made = Span(trace_id((str(number),)), span_id((str(number),)), None, "playbook site.yml", start * SECOND, end * SECOND)
    made.attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.TASK_TYPE: c.DEPLOY, c.DEPLOYMENT_ENVIRONMENT: "staging"}
    made.attributes |= {names[name]: value for name, value in told.items()}
    if end:
        made.attributes[c.TASK_RUN_RESULT] = c.SUCCESS
    return made


def path_of(place: Home, asked: str = "latest") -> dict[str, Any]:
    lookup = local_lookup(place)
    try:
        return path_document(lookup, asked)
    finally:
        lookup.close()


def test_a_beginning_that_several_commits_have_names_none(place: Home) -> None:
    put(place.store, playbook(1, 1, 2, commit=COMMIT), playbook(2, 3, 4, commit=OTHER))
    with pytest.raises(NotFoundError, match=f"several commits begin with abcdef0: {OTHER}, {COMMIT}"):
        path_of(place, "abcdef0")
    assert path_of(place, COMMIT[:8])["commit"] == COMMIT
    assert path_of(place)["commit"] == OTHER


def test_a_playbook_that_was_told_a_short_commit_belongs_to_it(place: Home) -> None:
    put(place.store, playbook(1, 1, 2, commit=COMMIT, service="shop"), playbook(2, 3, 4, commit=COMMIT[:9], service="shop"))
    for asked in (COMMIT, COMMIT[:9], COMMIT[:8]):
        found = path_of(place, asked)
        (staging,) = [step for step in found["services"][0]["steps"] if step["step"] == "staging"]
        assert (found["commit"], staging["attempts"]) == (COMMIT, 2)


def test_a_version_without_a_commit_has_a_path_too(place: Home) -> None:
    put(place.store, playbook(1, 1, 2, version="2.0", service="shop"))
    found = path_of(place, "2.0")
    assert (found["commit"], found["answer"]["answer"]) == (None, "yes")
    assert found["answer"]["reason"].startswith("staging is green (playbook site.yml)")


def test_versions_without_commits_are_told_apart(place: Home) -> None:
    put(place.store, playbook(1, 1, 2, version="2.0", service="shop"), playbook(2, 3, 4, version="2.1", service="shop"))
    later = playbook(3, 5, 6, version="2.1", service="shop")
    later.attributes[c.DEPLOYMENT_ENVIRONMENT] = "prod"
    put(place.store, later)
    (service,) = path_of(place, "2.0")["services"]
    staging, production = service["steps"][-2:]
    assert staging["replaced_by"]["version"] == "2.1"
    assert production["state"] == "not reached"
    assert service["answer"]["reason"] == "staging is green (playbook site.yml); next is production"


def test_a_playbook_that_runs_is_seen(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    # A process does not see its own locks.
    monkeypatch.setattr(Reader, "written", lambda _: True)
    writer = Writer(place.journals)
    writer.open(playbook(1, 1, 0, commit=COMMIT, service="shop"))
    found = path_of(place)
    assert found["commit"] == COMMIT
    assert found["answer"]["reason"] == "staging is running now (playbook site.yml)"
    writer.end()


def test_a_change_of_several_repositories_names_none(place: Home) -> None:
    for number, (name, commit) in enumerate((("a", COMMIT), ("b", OTHER))):
        run = playbook(number, 1, 2, commit=commit)
        run.attributes |= {c.PIPELINE_RESULT: c.SUCCESS, c.VCS_CHANGE_ID: "17", c.VCS_REPOSITORY_URL: f"https://x/{name}"}
        put(place.store, run)
    with pytest.raises(NotFoundError, match="change 17 is in several repositories"):
        path_of(place, "PR-17")


def test_a_store_of_before_is_read(place: Home) -> None:
    put(place.store, playbook(1, 1, 2, commit=COMMIT))
    with sqlite3.connect(place.store) as database:
        database.execute("DROP INDEX spans_noted")
        database.execute("PRAGMA user_version = 1")
    assert path_of(place)["commit"] == COMMIT


def test_hosts_tasks_and_plain_steps_are_not_read(place: Home) -> None:
    def of(number: int, **attributes: str) -> Span:
        made = playbook(number, 1, 2)
        made.trace_id, made.attributes = trace_id(("one",)), dict(attributes)
        return made

    started = of(5, **{c.JENKINS_TYPE: c.TYPE_STEP})
    started.links = [Link(trace_id(("x",)), span_id(("x",)), {"jenkins.link": "started"})]
    broken = of(6, **{c.JENKINS_TYPE: c.TYPE_STEP})
    broken.fail("exit status 1")
    kept = [of(1, **{c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK}), of(2, **{c.JENKINS_TYPE: c.TYPE_STAGE}), of(3), started, broken]
    left = [
        of(7, **{c.ANSIBLE_TYPE: c.TYPE_TASK}),
        of(8, **{c.ANSIBLE_TYPE: c.TYPE_HOST}),
        of(9, **{c.JENKINS_TYPE: c.TYPE_STEP}),
    ]
    put(place.store, *kept, *left)
    source = LocalSource(Store(place.store))
    assert {span.span_id for span in source.outline([trace_id(("one",))], 100)} == {span.span_id for span in kept}
    assert len(source.outline([trace_id(("one",))], 2)) == 2
    source.close()
