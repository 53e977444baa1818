"""Who was acting when it failed, and what that decides."""

from __future__ import annotations

from pathlib import Path

import pytest
import support

from pipeline_trace.ownership import DEV, UNKNOWN, Verdict
from pipeline_trace.ownership.log.judge import verdict_of_log
from pipeline_trace.ownership.log.rules import RulesError, load_rules


@pytest.mark.parametrize(
    ("command", "phase"),
    [
        ("git clone https://git.example.com/shop.git", "checkout"),
        ("actions/checkout@v4", "checkout"),
        ("pip install -r requirements.txt", "fetch"),
        ("npm ci", "fetch"),
        ("apt-get install -y jq", "fetch"),
        ("docker pull registry.example.com/base:1", "fetch"),
        ("make", "build"),
        ("mvn -B package", "build"),
        ("tsc -p .", "build"),
        ("docker build -t shop .", "build"),
        ("terraform fmt -check", "check"),
        ("eslint src", "check"),
        ("npm run lint", "check"),
        ("pytest -q", "test"),
        ("go test ./...", "test"),
        ("npm test", "test"),
        ("docker push registry.example.com/shop:1", "publish"),
        ("twine upload dist/*", "publish"),
        ("mvn deploy", "publish"),
        ("ansible-playbook site.yml", "deploy"),
        ("helm upgrade shop ./chart", "deploy"),
        ("kubectl apply -f k8s", "deploy"),
        ("rm -rf build", "cleanup"),
        ("./ci.sh", ""),
    ],
)
def test_a_command_tells_the_phase(command: str, phase: str) -> None:
    assert load_rules().phases.of_command(command) == phase


@pytest.mark.parametrize(
    ("step", "stages", "phase"),
    [
        ("Check out from version control", ["Build"], "checkout"),
        ("Archive the artifacts", ["Build"], "platform"),
        ("Shell Script", ["Unit tests", "Build"], "test"),
        ("Shell Script", ["Deploy to staging"], "deploy"),
        ("Shell Script", ["linux", "Lint"], "check"),
        ("Shell Script", ["One", "Two"], ""),
    ],
)
def test_steps_and_the_nearest_stages_tell_the_phase(step: str, stages: list[str], phase: str) -> None:
    assert load_rules().phases.of_names(step, stages) == phase


def judge(log: str, status: int | None = 1, phase: str = "") -> Verdict:
    return verdict_of_log("", status, log, phase=phase)


@pytest.mark.parametrize("task", ["Check disk space", "Test connection to load balancer", "Verify signature", "Build cache"])
def test_the_name_of_a_task_of_a_deploy_blames_nobody(task: str) -> None:
    result = {"event": "failed", "host": "web1", "task": task, "action": "ansible.builtin.shell"}
    verdict = verdict_of_log("", None, "", [{**result, "result": {"msg": "non-zero return code", "rc": 1}}])
    assert verdict.owner == UNKNOWN
    linted = verdict_of_log("", None, "", [{**result, "result": {"msg": "non-zero return code", "cmd": "eslint ."}}])
    assert (linted.owner, linted.kind) == (DEV, "lint")


def test_before_a_command_acts_a_failure_is_of_ops() -> None:
    log = 'Preparing the "docker" executor\nUsing Docker executor with image shop/ci:1 ...\nERROR: Preparation failed: xyzzy'
    assert judge(log, None).owner == "ops"


@pytest.mark.parametrize(("phase", "owner"), [("check", "dev"), ("test", "dev"), ("deploy", "unknown"), ("", "unknown")])
def test_what_no_rule_knows_is_decided_by_the_phase_of_the_stage(phase: str, owner: str) -> None:
    assert judge("xyzzy: 3 of 7 frobs failed", phase=phase).owner == owner


def test_the_command_that_a_wrapper_names_tells_the_phase() -> None:
    assert judge('xyzzy: 3 frobs failed\nerror: script "lint" exited with code 1').owner == "dev"


def test_a_command_that_printed_nothing_that_tells_decides_nothing() -> None:
    assert judge("+ make test\nworking").owner == "unknown"


class TestFrames:
    """A stack trace is of Dev only if it runs through the project's code."""

    @pytest.mark.parametrize(
        "frame",
        [
            '  File "/usr/lib/python3.11/site-packages/pip/_internal/main.py", line 3, in main',
            "    at hudson.FilePath.act(FilePath.java:1192)",
            "    at org.sonarsource.scanner.cli.Main.main(Main.java:61)",
            "    at Object.run (/home/ci/_actions/acme/tool/v1/dist/index.js:3:9)",
            "    at run (/work/shop/node_modules/tool/index.js:3:9)",
            "    at process (node:internal/process/task_queues:95:5)",
        ],
    )
    def test_a_tool_that_crashed_is_not_the_project(self, frame: str) -> None:
        assert judge(f"starting\njava.lang.IllegalStateException: xyzzy\n{frame}").owner != "dev"

    @pytest.mark.parametrize(
        "frame",
        [
            '  File "/work/shop/cart.py", line 3, in total',
            "    at com.shop.Cart.total(Cart.java:12)",
            "    at total (/work/shop/src/cart.js:3:9)",
            "\t/work/shop/cart.go:12 +0x1d",
            "   at Shop.Cart.Total() in /work/shop/Cart.cs:line 12",
        ],
    )
    def test_the_projects_frame_is_of_dev(self, frame: str) -> None:
        assert judge(f"starting\njava.lang.IllegalStateException: xyzzy\n{frame}").owner == "dev"


class TestSuccess:
    """What did not fail has no owner."""

    NOISE = "WARN connection refused by cache.example.com, retrying\nERROR could not resolve host stats.example.com"

    def test_an_exit_status_of_0_is_no_failure(self) -> None:
        assert (judge(self.NOISE, 0).owner, judge(self.NOISE, 0).kind) == ("unknown", "nothing_failed")

    @pytest.mark.parametrize(
        "end",
        [
            "Finished: SUCCESS",
            "Job succeeded",
            "[INFO] BUILD SUCCESS",
            "===== 12 passed in 0.31s =====",
            "test result: ok. 3 passed",
        ],
    )
    def test_a_log_that_ends_with_success_is_no_failure(self, end: str) -> None:
        assert judge(f"{self.NOISE}\n{end}", None).kind == "nothing_failed"

    def test_a_failure_after_success_counts(self) -> None:
        assert (
            judge("test result: ok. 3 passed\n+ curl x\ncurl: (6) Could not resolve host: a.example.com", None).owner
            == "ops"
        )

    def test_a_playbook_that_failed_on_one_host_did_not_end_well(self) -> None:
        recap = "PLAY RECAP ***\nweb1 : ok=1 changed=0 unreachable=0 failed=0\nweb2 : ok=0 changed=0 unreachable=1 failed=0"
        assert judge(f"PLAY [a] ***\n{recap}", None).kind != "nothing_failed"

    @pytest.mark.parametrize(
        "line",
        [
            "nodeUsageMode: EXCLUSIVE",
            "There are no merge conflicts.",
            "0 errors, 0 failures",
            "--fail-on-error is set",
            "errorCount: 0",
        ],
    )
    def test_words_of_failures_in_other_words_decide_nothing(self, line: str) -> None:
        assert judge(f"working\n{line}").owner == "unknown"


class TestTable:
    """Users change the table of phases and kinds in their own file."""

    def test_a_user_changes_who_looks_first(self, tmp_path: Path) -> None:
        own = tmp_path / "own.yaml"
        own.write_text("table:\n  deploy: {unexplained: ops}\n")
        verdict = verdict_of_log("helm upgrade shop ./chart", 1, "xyzzy failed: frob", rules=load_rules(own))
        assert verdict.owner == "ops"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("table: 3", "is not a mapping"),
            ("table:\n  shipping: {code: dev}", "unknown phase 'shipping'"),
            ("table:\n  deploy: {code: nobody}", "code: nobody"),
            ("table:\n  deploy: {cod: dev}", "cod: dev"),
            ("table:\n  deploy: 3", "unknown phase 'deploy'"),
            ("tabel: {}", "has no rules"),
        ],
    )
    def test_a_wrong_table_is_one_line(self, tmp_path: Path, text: str, said: str) -> None:
        own = tmp_path / "own.yaml"
        own.write_text(text)
        with pytest.raises(RulesError) as caught:
            load_rules(own)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_each_phase_has_an_owner_for_each_class(self) -> None:
        phases = load_rules().phases
        assert len({tuple(row) for row in phases.table.values()}) == 1
        assert set(phases.classes.values()) < set(phases.table["unseen"])


def test_each_pattern_of_the_built_in_rules_compiles() -> None:
    rules = load_rules()
    patterns = [pattern for rule in rules.rules for pattern in (rule.pattern, rule.unless)]
    phases = rules.phases
    for table in (rules.lines, phases.commands, phases.says, phases.stages, phases.steps):
        patterns += table.values()
    for pattern in patterns:
        pattern.check()
    assert len(patterns) > 100
    assert (support.ROOT / "shared/pipeline_trace/ownership/log/phases.yaml").is_file()


def test_the_docs_show_the_table() -> None:
    page = (support.ROOT / "docs/ownership.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- the table of phases.yaml -->\n")[2].partition("<!-- until here -->")[0].strip()
    table = load_rules().phases.table
    classes = list(table["unseen"])
    rows = [["phase", *classes], ["---"] * (len(classes) + 1), *([name, *row.values()] for name, row in table.items())]
    assert shown.splitlines() == ["| " + " | ".join(row) + " |" for row in rows]
