"""What 0.1.0 wrote is still read: journals, stores, a poller's state, an agent's answers, rules. See kept/0.1.0/README.md.

Only commands are used here, and the formats themselves: how the code is laid out is nothing to those files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import support

from pipeline_trace_demo.replay import Replay

Env = dict[str, str]
Spans = list[dict[str, Any]]

KEPT = support.TESTS / "kept" / "0.1.0"
JENKINS = "https://jenkins.example.com"
# Recording 11: app-build#1 and the deploys that it started; app-build#2.
CHANGE_TRACE, SECOND_TRACE = "d9a8656c23c3945686b016e4b3e52003", "28e47a2e8a2081c6d8d2ad912e851863"
CHANGE = "6fe45922eb4f5836d0423b404b96d3284390133d"
# Recording 97: shop/deploy#189 has the trace of the build that started it.
FAILED_TRACE = "732858ed316e9f3a291f437a7da231a0"
FAILED_CHANGE = "63d034dacd87e7b59b3e6168946aa5b8cd943d34"

ENDED_TRACE = "515da53432dbc73d5204ce9579c5c216"
# Span, parent, name.
ENDED = {
    ("610d2ee209218318", None, "playbook deploy.yml"),
    ("9a415c5729c3fb93", "610d2ee209218318", "Deploy"),
    ("677c096c8f1465af", "9a415c5729c3fb93", "Copy"),
    ("77ae733bf3cafb9d", "677c096c8f1465af", "web1"),
    ("cf677d4267e60d8c", "677c096c8f1465af", "web2"),
    ("371d41e0d8bbd6b1", "9a415c5729c3fb93", "Restart"),
    ("339a43c515e281fd", "371d41e0d8bbd6b1", "web1"),
    ("6dcabbeb1f5e0623", "371d41e0d8bbd6b1", "web2"),
    ("296ab8bc4b6a0520", "9a415c5729c3fb93", "Look"),
    ("a143c13e43fb89f6", "296ab8bc4b6a0520", "web1"),
    ("9dc50de29ad38a25", "296ab8bc4b6a0520", "web2"),
}
# What had been delivered of it by the state in partly/.
DELIVERED = {"77ae733bf3cafb9d", "cf677d4267e60d8c", "677c096c8f1465af", "6dcabbeb1f5e0623", "339a43c515e281fd"}

DIED = 1795968774000000000
KILLED_TRACE = "0dbd0bba1ac47de3c9295388551ccf0c"
KILLED_CLOSED = {
    ("bb9287cb6afadadb", "a090c8f38c4b95a5", "Copy"),
    ("33b591c2a39de107", "bb9287cb6afadadb", "web1"),
    ("a1409a78bea254fd", "bb9287cb6afadadb", "web2"),
}
KILLED_OPEN = {
    ("44d8e8b8d679e0a1", None, "playbook deploy.yml"),
    ("a090c8f38c4b95a5", "44d8e8b8d679e0a1", "Deploy"),
    ("5eee91604883aa99", "a090c8f38c4b95a5", "Slow"),
    ("29e724881a717ff2", "5eee91604883aa99", "web1"),
    ("270ee1620c570c96", "5eee91604883aa99", "web2"),
}

POLLED_TRACE = "38bb6e9f3f3022882ea65d9c9e8ed0c6"
POLLED = {
    ("ce062f005bff7d67", None, "RUN fail-sh"),
    ("d576f1656b2499c1", "ce062f005bff7d67", "Schedule"),
    ("cd31660e1576f244", "ce062f005bff7d67", "Allocate agent"),
    ("cab272ad12c69a51", "ce062f005bff7d67", "One"),
    ("aea4c369cb5b3726", "cab272ad12c69a51", "Shell Script"),
    ("d76f4d3c17a60245", "ce062f005bff7d67", "Compile"),
    ("b81a4e8d2cb2e6ae", "d76f4d3c17a60245", "Shell Script"),
    ("98590df81254333b", "ce062f005bff7d67", "Never"),
    ("93e21dc0c4835587", "ce062f005bff7d67", "Clean up"),
}

# As `show` gives them.
FAILED_DEPLOY = [
    ("e352176eec6e918b", "e0222dad5754a8ed", "Schedule", "UNSET"),
    ("e0222dad5754a8ed", "d47341c4534284a4", "RUN shop/deploy", "ERROR"),
    ("869f90550c10dc45", "e0222dad5754a8ed", "Allocate agent deploy", "UNSET"),
    ("b3f183eb1b8ff96b", "e0222dad5754a8ed", "Prepare inventory", "UNSET"),
    ("27261ef47a47de90", "b3f183eb1b8ff96b", "Check out from version control", "UNSET"),
    ("5ec54842818b1d1f", "b3f183eb1b8ff96b", "Shell Script", "UNSET"),
    ("59cbdadce9069432", "e0222dad5754a8ed", "Run playbook", "ERROR"),
    ("94c2ac2a23b40500", "59cbdadce9069432", "Shell Script", "ERROR"),
    ("0b0639ace123da58", "e0222dad5754a8ed", "Smoke test", "UNSET"),
    ("854e609b62da4006", "e0222dad5754a8ed", "Clean up", "UNSET"),
]
# From a host in the playbook up to the build that began it all.
WAY_UP = [
    ("7d44e56d1bc1b495", "web2"),
    ("5dae4b39757e2ee8", "Copy"),
    ("24f6d7b669201cae", "Deploy"),
    ("0edec3a9a5f22be1", "playbook deploy.yml"),
    ("d2d353badc8884b6", "Run playbook"),
    ("bbdf78d964bf4589", "RUN app-deploy"),
    ("baa59457fd89973e", "Deploy integration"),
    ("636c1ab26801f99b", "RUN app-build"),
]


def put(kept: str, folder: str | Path, env: Env) -> Path:
    """Copy the files of a kept folder into a folder of the home; return that."""
    to = Path(env["PIPELINE_TRACE_HOME"]) / folder
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in sorted((KEPT / kept).iterdir()):
        # Without its mode and times, which are the checkout's.
        shutil.copyfile(path, to / path.name)
    return to


def lines(spans: Spans) -> set[tuple[str, str | None, str]]:
    """Return span, parent and name of each."""
    found = {(span["span_id"], span["parent_span_id"], span["name"]) for span in spans}
    assert len(found) == len(spans)
    return found


def traces(spans: Spans) -> set[str]:
    return {span["trace_id"] for span in spans}


def answer(*arguments: object, env: Env) -> Any:
    """Return what a command answers as JSON; it has nothing to complain of."""
    done = support.trace(*arguments, "--format", "json", env=env, cwd=Path(env["HOME"]))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def ship(env: Env) -> str:
    """Deliver what waits; return what is said of it."""
    done = support.trace("ship", env=env)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert list((Path(env["PIPELINE_TRACE_HOME"]) / "journals").iterdir()) == []
    return done.stdout


def version(database: Path) -> int:
    """Return the version of a store's schema."""
    with closing(sqlite3.connect(database)) as opened:
        return int(opened.execute("PRAGMA user_version").fetchone()[0])


# Journals


@pytest.mark.parametrize(
    ("kept", "trace", "spans"),
    [
        ("ended", ENDED_TRACE, ENDED),
        ("killed", KILLED_TRACE, KILLED_CLOSED | KILLED_OPEN),
        ("polled", POLLED_TRACE, POLLED),
    ],
)
def test_a_kept_journal_is_delivered_whole(env: Env, kept: str, trace: str, spans: set[Any]) -> None:
    put(f"journals/{kept}", "journals", env)
    assert ship(env).startswith(f"{len(spans)} spans delivered to the local store ")
    stored = support.stored(env)
    assert (traces(stored), lines(stored)) == ({trace}, spans)


def test_kept_journals_are_delivered_together_and_once(env: Env) -> None:
    for kept in ("ended", "killed", "polled"):
        put(f"journals/{kept}", "journals", env)
    assert ship(env).startswith("28 spans delivered to the local store ")
    put("journals/ended", "journals", env)
    ship(env)
    stored = support.stored(env)
    assert len(stored) == 28
    assert traces(stored) == {ENDED_TRACE, KILLED_TRACE, POLLED_TRACE}


def test_what_a_kept_journal_says_of_its_spans_arrives(env: Env) -> None:
    put("journals/ended", "journals", env)
    put("journals/polled", "journals", env)
    ship(env)
    by_id = {span["span_id"]: span for span in support.stored(env)}
    playbook, host, run = by_id["610d2ee209218318"], by_id["a143c13e43fb89f6"], by_id["ce062f005bff7d67"]
    assert playbook["resource"] == {"service.name": "ansible", "host.name": "agent-1", "ansible.version": "2.19.14"}
    assert (playbook["start_unix_nano"], playbook["end_unix_nano"]) == (1795968767592679912, 1795968769855282055)
    assert [(e["name"], e["attributes"]["ansible.host.name"]) for e in playbook["events"]] == [
        ("recap", "web1"),
        ("recap", "web2"),
    ]
    assert (host["attributes"]["ansible.result"], host["attributes"]["ansible.message"]) == (
        "ignored",
        "non-zero return code",
    )
    assert (run["kind"], run["status"]) == ("SERVER", {"code": "ERROR", "message": "script returned exit code 2"})
    assert run["attributes"]["cicd.pipeline.run.url.full"] == f"{JENKINS}/job/fail-sh/1/"


def test_what_was_open_in_a_kept_journal_is_closed_as_an_error(env: Env) -> None:
    (journal,) = put("journals/killed", "journals", env).glob("*.journal")
    # When it was written last is all that tells when its writer died.
    os.utime(journal, ns=(DIED, DIED))
    ship(env)
    stored = support.stored(env)
    failed = [span for span in stored if span["status"]["code"] == "ERROR"]
    assert lines(failed) == KILLED_OPEN
    for span in failed:
        assert span["attributes"]["error.type"] == "interrupted"
        assert [(e["name"], e["attributes"]["reason"]) for e in span["events"]] == [("interrupted", "SIGKILL or a crash")]
        assert span["end_unix_nano"] == DIED
    assert lines([span for span in stored if span["status"]["code"] == "UNSET"]) == KILLED_CLOSED


def test_of_a_partly_shipped_kept_journal_only_the_rest_is_delivered(env: Env) -> None:
    put("journals/partly", "journals", env)
    ship(env)
    assert lines(support.stored(env)) == {span for span in ENDED if span[0] not in DELIVERED}


def test_a_receiver_that_still_refuses_leaves_a_kept_journal_waiting(env: Env) -> None:
    put("journals/partly", "journals", env)
    put("journals/killed", "journals", env)
    refused = support.trace("ship", env={**env, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert refused.returncode == 1
    # 6 of the one, and 8 of the other, those still open included.
    assert "; 14 spans wait in " in refused.stderr
    assert len(support.journals(env)) == 2


# Stores


def test_the_kept_stores_have_the_versions_that_they_are_kept_for(tmp_path: Path) -> None:
    for kept, expected in (("store", 4), ("store-2", 2)):
        copy = tmp_path / f"{kept}.db"
        shutil.copyfile(KEPT / kept / "traces.db", copy)
        assert version(copy) == expected


@pytest.mark.parametrize("asked", ["shop/deploy#189", f"{JENKINS}/job/shop/job/deploy/189/", FAILED_TRACE])
def test_show_gives_a_kept_trace_by_run_by_address_and_by_id(env: Env, asked: str) -> None:
    put("store", "", env)
    spans = answer("show", asked, env=env)
    assert traces(spans) == {FAILED_TRACE}
    assert [(s["span_id"], s["parent_span_id"], s["name"], s["status"]["code"]) for s in spans] == FAILED_DEPLOY
    run, step = spans[1], spans[7]
    assert (run["start_unix_nano"], run["end_unix_nano"]) == (1795451123471000000, 1795451129599000000)
    assert run["attributes"]["pipeline_trace.failure.kind"] == "app_unhealthy"
    assert "version 1.8.0 reports: missing setting DB_URL" in step["attributes"]["jenkins.log"]


@pytest.mark.parametrize("asked", ["latest", "app-build#1", "app-deploy#3", CHANGE_TRACE])
def test_show_gives_the_kept_builds_and_the_playbook_in_one_of_them_as_one_trace(env: Env, asked: str) -> None:
    put("store", "", env)
    spans = answer("show", asked, env=env)
    assert (len(spans), traces(spans)) == (39, {CHANGE_TRACE})
    by_id = {span["span_id"]: span for span in spans}
    way = [by_id["7d44e56d1bc1b495"]]
    while way[-1]["parent_span_id"]:
        way.append(by_id[way[-1]["parent_span_id"]])
    assert [(span["span_id"], span["name"]) for span in way] == WAY_UP


@pytest.mark.parametrize("kept", ["store", "store-2"])
def test_path_says_that_a_kept_change_is_in_production(env: Env, kept: str) -> None:
    put(kept, "", env)
    found = answer("path", CHANGE[:8], env=env)
    assert (found["commit"], found["repository"]) == (CHANGE, "app")
    assert (found["answer"]["answer"], found["answer"]["step"]) == ("yes", "production")
    (service,) = found["services"]
    assert (service["service"], service["versions"]) == ("app", ["1"])
    steps = {step["step"]: step for step in service["steps"]}
    last = {name: (step["last"]["run"], step["last"]["span_id"]) for name, step in steps.items() if step["last"]}
    assert last == {
        "merge": ("app-build#2", "53f361150bf186d3"),
        "integration": ("app-build#2", "bf0a7226418637d5"),
        "staging": ("app-build#2", "ab4e6f8d19d462bb"),
        "production": ("app-build#2", "72aff2ba791cd5bd"),
    }
    assert {step["last"]["trace_id"] for step in steps.values() if step["last"]} == {SECOND_TRACE}
    before = steps["integration"]["green_before"]
    assert (before["run"], before["trace_id"], before["span_id"]) == ("app-deploy#1", CHANGE_TRACE, "bbdf78d964bf4589")


def test_path_says_what_blocks_a_kept_change(env: Env) -> None:
    put("store", "", env)
    found = answer("path", "1.8.0", env=env)
    assert found["commit"] == FAILED_CHANGE
    assert (found["answer"]["answer"], found["answer"]["step"]) == ("no", "integration")
    (step,) = [step for step in found["services"][0]["steps"] if step["step"] == "integration"]
    assert (step["state"], step["attempts"], step["failures"]) == ("failure", 3, 3)
    last = step["last"]
    assert (last["run"], last["trace_id"], last["span_id"]) == ("shop/deploy#189", FAILED_TRACE, "e0222dad5754a8ed")
    assert (last["started"], last["failed_at"]) == ("2026-11-23T16:25:23.471+00:00", "Run playbook")


@pytest.mark.parametrize("asked", ["shop/deploy#187", "shop/deploy#188", "shop/deploy#189", FAILED_TRACE])
def test_why_judges_a_kept_failure(env: Env, asked: str) -> None:
    put("store", "", env)
    verdict = answer("why", asked, env=env)
    assert (verdict["owner"], verdict["kind"]) == ("dev", "app_unhealthy")
    assert verdict["evidence"][0] == "version 1.8.0 reports: missing setting DB_URL"


def test_why_finds_nothing_in_a_kept_trace_without_a_failure(env: Env) -> None:
    put("store", "", env)
    assert answer("why", env=env)["kind"] == "nothing_failed"


def test_a_store_of_before_version_3_is_read_and_brought_up_to_date(env: Env) -> None:
    store = put("store-2", "", env) / "traces.db"
    spans = answer("show", "app-deploy#2", env=env)
    assert (len(spans), traces(spans)) == (34, {CHANGE_TRACE})
    run = next(span for span in spans if span["span_id"] == "2155d678889ef1f5")
    assert (run["name"], run["parent_span_id"]) == ("RUN app-deploy", "dbf13e9e3fe1f1c5")
    assert version(store) >= 4


@pytest.mark.parametrize(("kept", "count"), [("store", 115), ("store-2", 47)])
def test_a_kept_store_takes_new_spans_and_keeps_its_own(env: Env, kept: str, count: int) -> None:
    put(kept, "", env)
    before = lines(support.stored(env))
    assert len(before) == count
    put("journals/ended", "journals", env)
    ship(env)
    assert lines(support.stored(env)) == before | ENDED
    assert lines(answer("show", ENDED_TRACE, env=env)) == ENDED


# The poller's state


def put_state(url: str, env: Env) -> Path:
    """Give the kept state to the poller of this address, as 0.1.0 named it; return its path."""
    folder = put("pollers", "pollers", env)
    (kept,) = folder.glob("*.db")
    return kept.rename(folder / f"{sha256(url.encode()).hexdigest()[:16]}.db")


def test_a_poller_with_the_kept_state_reads_no_build_again(env: Env) -> None:
    with Replay(support.recording("11"), root_url=JENKINS) as jenkins:
        put_state(jenkins.url, env)
        done = support.poll(jenkins.url, env=env)
        asked = [request.path for request in jenkins.requests]
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.startswith("0 builds read, 0 spans")
    assert [path for path in asked if re.search(r"/job/app-\w+/\d+/", path)] == []
    assert support.stored(env) == []


def test_a_build_that_is_read_again_stands_where_the_kept_state_says(env: Env) -> None:
    """Its upstream build is gone: without the state nobody would know."""
    with Replay(support.recording("11"), root_url=JENKINS) as jenkins:
        with closing(sqlite3.connect(put_state(jenkins.url, env))) as state, state:
            state.execute("INSERT INTO open_builds VALUES ('app-deploy', 2, 0)")
        jenkins.drop_job("app-build")
        done = support.poll(jenkins.url, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 build read")
    stored = support.stored(env)
    (run,) = support.by_type(stored, "run")
    assert traces(stored) == {CHANGE_TRACE}
    assert (run["span_id"], run["parent_span_id"]) == ("2155d678889ef1f5", "ce8dce630465cbee")


# What an agent kept of its controller's answers


@pytest.mark.process
def test_a_process_in_a_build_stands_where_the_kept_answer_says_when_jenkins_is_silent(env: Env) -> None:
    build = {
        "JENKINS_URL": "http://127.0.0.1:9/",
        "BUILD_URL": "http://127.0.0.1:9/job/app-deploy/1/",
        "PIPELINE_TRACE_JENKINS_URL": JENKINS,
        "JOB_NAME": "app-deploy",
        "BUILD_NUMBER": "1",
        "STAGE_NAME": "Run playbook",
    }
    alone = answer("context", env={**env, **build})
    assert alone["trace_id"] == "a3f8c5d76a7f127ade5e4f29166dfbcb"
    put("places", "places", env)
    found = answer("context", env={**env, **build})
    assert (found["trace_id"], found["span_id"], found["sampled"]) == (CHANGE_TRACE, "d2d353badc8884b6", True)


# Rules

FREES = "Ops frees a licence."
NO_LICENCE = "+ make model\nError: no licence left for {}\n"
SHOWN = "+ git diff HEAD~1\ndiff --git a/m.c b/m.c\n--- a/m.c\n+++ b/m.c\n@@ -1 +1,2 @@\n int a;\n+#include <matlab_9>\n"


def judge(log: str, env: Env, *arguments: object) -> tuple[str, str, str]:
    path = Path(env["HOME"]) / "build.log"
    path.write_text(log, encoding="utf-8")
    verdict = answer("why", "--log", path, *arguments, env=env)
    return verdict["owner"], verdict["kind"], verdict["next"]


@pytest.mark.parametrize(
    ("log", "status", "expected"),
    [
        (NO_LICENCE.format("matlab"), 1, ("ops", "licence_server", FREES)),
        ("The licence pool is empty\n", 1, ("ops", "licence_server", FREES)),
        # exit:, and unless: of command: and of a predicate
        (NO_LICENCE.format("matlab"), 77, ("unknown", "licence_busy", "Start it again.")),
        (NO_LICENCE.format("matlab").replace("model", "model --offline"), 77, ("ops", "licence_server", FREES)),
        ("+ key=''\n" + NO_LICENCE.format("matlab"), 77, ("ops", "licence_server", FREES)),
        # line:, and not command:
        (NO_LICENCE.format("dev_7"), 1, ("dev", "licence_of_a_developer", FREES)),
        (NO_LICENCE.format("dev_7").replace("model", "release"), 1, ("ops", "licence_server", FREES)),
        # a predicate
        (SHOWN + NO_LICENCE.format("matlab_9"), 1, ("dev", "licence_server", "Dev takes the new module out.")),
        # targets, and a rule without next:
        ("panel at http://localhost:8080/ said no\n", 1, ("dev", "panel_of_the_build", "")),
        ("panel at db:5432 said no\n", 1, ("ops", "panel_refused", "Ops asks who looks after the database.")),
        ("panel at http://panel.example.net/ said no\n", 1, ("ops", "panel_refused", "")),
        # strength: of the rule for the moon is the least
        ("the moon is wrong\n", 1, ("unknown", "moon", "Wait a week.")),
        ("the moon is wrong\npanel at http://panel.example.net/ said no\n", 1, ("ops", "panel_refused", "")),
        ("panel at http://panel.example.net/ said no\nthe moon is wrong\n", 1, ("ops", "panel_refused", "")),
    ],
)
def test_kept_rules_decide(env: Env, log: str, status: int, expected: tuple[str, str, str]) -> None:
    assert judge(log, env, "--exit-status", status, "--rules", KEPT / "rules" / "rules.yaml") == expected


def test_kept_rules_leave_alone_what_they_said_they_would(env: Env) -> None:
    trial = NO_LICENCE.format("matlab (trial licence)")
    assert judge(trial, env, "--rules", KEPT / "rules" / "rules.yaml")[1] != "licence_server"


def test_kept_rules_decide_the_kept_log_by_option_and_by_variable_and_nothing_else_does(env: Env) -> None:
    rules, log = KEPT / "rules" / "rules.yaml", KEPT / "rules" / "build.log"
    by_option = answer("why", "--log", log, "--rules", rules, env=env)
    assert (by_option["owner"], by_option["kind"]) == ("ops", "licence_server")
    assert by_option["evidence"][0] == "Error: no licence left for matlab"
    assert answer("why", "--log", log, env={**env, "PIPELINE_TRACE_RULES": str(rules)}) == by_option
    assert answer("why", "--log", log, env=env)["kind"] == "unknown"
