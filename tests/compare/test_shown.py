"""A comparison in words and as JSON."""

from __future__ import annotations

import json

from support.compared import comparison, green
from support.pathways import Story

from pipeline_trace.compare.document import document_of
from pipeline_trace.compare.made import comparison_of
from pipeline_trace.compare.wording import heading, rows
from pipeline_trace.lookup.tree import build_tree
from pipeline_trace.ownership.account.text import lines_of


def test_what_differs_is_told_in_rows_the_failure_first() -> None:
    found = comparison(note="no green run had the same stages")
    assert heading(found) == (
        "app-build#42 against app-build#41: 1 failed, 1 new, 6 slower, another commit, other parameters."
    )
    url = f"https://github.com/acme/shop/compare/8c1{'d' * 37}...4f1c2d9e0b7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d"
    assert list(lines_of(rows(found))) == [
        "Compared    app-build#42, failed, 2025-03-05 15:30:12 UTC, took 5 min 18 s",
        "            app-build#41, succeeded, 2025-03-05 14:30:12 UTC, took 5 min 18 s",
        "            no green run had the same stages",
        "Failed      task Restart the service on web3, no result before",
        "            Unable to start service app: Job for app.service failed because the control process exited "
        "with error code.",
        "            Deploy staging > … > playbook deploy.yml > Deploy the application",
        f"Commits     commit: 4f1c2d9e0b7a, before 8c1ddddddddd, compare them {url}",
        "Parameters  VERSION: 1.7.3, before 1.7.2",
        "Differs     agent: linux-2, before linux-1",
        "New         step trivy image app:1.7.3, 6.0 s, in Unit test",
        "Not reached step Notify, 1.0 s",
        "            stage Deploy production, 0 ms",
        "Slower      +37.9 s: stage Unit test, 1 min 16 s, before 37.9 s",
        "            +37.7 s: branch linux-py311, 1 min 15 s, before 37.7 s, in Unit test",
        "            +37.3 s: step make test, 1 min 15 s, before 37.3 s, in Unit test > linux-py311",
        "            +16.9 s: task Install packages, 33.8 s, before 16.9 s, "
        "in Deploy staging > … > playbook deploy.yml > Deploy the application",
        "            +2.7 s: queue Schedule, 5.4 s, before 2.7 s, in Deploy staging > Building app-deploy > RUN app-deploy",
        "            +1.2 s: queue Schedule, 2.4 s, before 1.2 s",
    ]


def test_of_many_the_first_ten_are_told_and_the_others_counted() -> None:
    run, base = Story("run"), Story("base")
    above = run.run("shop/build", 2, 0, 90)
    base.run("shop/build", 1, 0, 90)
    for number in range(13):
        run.stage(f"Stage {number}", number, number + 1, above)
    one, other = (build_tree(story.spans)[0] for story in (run, base))
    found = comparison_of(one, other)
    (new,) = (row for row in rows(found) if row.label == "New")
    assert (len(new.lines), new.lines[-1]) == (11, ["and 3 more"])
    assert len(document_of(found)["new"]) == 13


def test_json_has_all_of_it_and_null_for_what_is_not_known() -> None:
    found = json.loads(json.dumps(document_of(comparison())))
    assert list(found) == [
        "run",
        "base",
        "note",
        "failed",
        "new",
        "gone",
        "not_reached",
        "slower",
        "commits",
        "same_commit",
        "built_since",
        "parameters",
        "others",
    ]
    assert (found["run"]["name"], found["run"]["took_ms"], found["note"]) == ("app-build#42", 318400.0, None)
    (broken,) = found["failed"]
    assert (broken["hosts"], broken["base"]["state"]) == (["web3"], "unset")
    assert found["slower"]["tasks"][0]["more_ms"] == 16900.0
    assert found["commits"][0]["name"] == "commit"
    assert found["same_commit"] is False


def test_two_runs_alike_have_two_lines() -> None:
    found = comparison(green(), green())
    assert heading(found).endswith("nothing is new, gone, slower or failed, the same commit.")
    assert len(list(lines_of(rows(found)))) == 2
