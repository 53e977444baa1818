"""The judge of texts: kinds, structure, noise, and what stands around a line."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import support
import yaml
from support.growth import assert_linear

from pipeline_trace.ownership import Verdict
from pipeline_trace.ownership.log.judge import verdict_of_log

SSH = "ssh: connect to host web7.example.net port 22: Connection refused"


def judge(log: str, status: int | None = 1, command: str = "", task: Any = None) -> tuple[str, str]:
    """Return owner and kind."""
    verdict = verdict_of_log(command, status, log, task)
    return verdict.owner, verdict.kind


# A small log for every kind that text can tell.
KINDS = yaml.safe_load((support.ROOT / "tests/corpus/kinds.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", KINDS, ids=lambda case: f"{case['owner']}-{case['kind']}")
def test_every_kind(case: dict[str, str]) -> None:
    assert judge(case["log"]) == (case["owner"], case["kind"])


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (124, "timeout"),
        (137, "out_of_memory"),
        (143, "terminated"),
        (-9, "out_of_memory"),
        (-15, "terminated"),
        (139, "crash"),
        (1, "unknown"),
    ],
)
def test_an_exit_status_alone_names_no_team(status: int, kind: str) -> None:
    assert judge("+ ./import.sh\nreading", status) == ("unknown", kind)


def test_only_the_last_command_decides() -> None:
    log = (
        "+ curl https://mirror.example.net/a\n"
        "curl: (6) Could not resolve host: mirror.example.net\n"
        "+ make\n"
        "a.c:1:1: error: expected ';'"
    )
    assert judge(log) == ("dev", "compile_error")


def test_what_only_shows_something_afterwards_does_not_hide_the_failure() -> None:
    assert judge("+ make\na.c:1:1: error: expected ';'\n+ cat notes.txt\nall is well\n+ exit 2") == ("dev", "compile_error")


def test_lines_that_a_diff_adds_are_no_commands() -> None:
    diff = "+ git diff\ndiff --git a/x b/x\n@@ -1 +1,3 @@\n a\n+ make\n+ rm x\n"
    assert judge(f"{diff}+ cp a b\ncp: error writing 'b': No space left on device") == ("ops", "disk_full")


@pytest.mark.parametrize(
    "noise",
    [
        "WARNING: Retrying after connection broken by 'Connection refused': https://pypi.example.net/a",
        "npm warn tarball could not resolve host mirror.example.net",
        "Download attempt 1 failed with 503 https://mirror.example.net/a, retrying",
        "curl: (7) Failed to connect to stats.example.net port 443: Connection refused (ignored)",
    ],
)
def test_recovered_tries_and_warnings_do_not_decide(noise: str) -> None:
    error = "src/a.c:3:1: error: expected ';'"
    assert judge(f"+ make\n{noise}\n{error}\nmake: *** [Makefile:1: a] Error 1") == ("dev", "compile_error")
    assert judge(f"+ make\n{error}\n{noise}") == ("dev", "compile_error")


def test_a_retry_counts_where_nothing_else_says_why() -> None:
    log = (
        "+ pip install cart\n"
        "WARNING: Retrying after connection broken by '[Errno 111] Connection refused': /simple/cart/\n"
        "ERROR: No matching distribution found for cart"
    )
    assert judge(log) == ("ops", "registry_unavailable")


def test_advice_does_not_decide() -> None:
    log = "+ npm run build\nsrc/a.ts(1,1): error TS2304: Cannot find name 'a'.\nhint: perhaps a certificate has expired"
    assert judge(log) == ("dev", "compile_error")


class TestTestRuns:
    """Words of infrastructure within tests."""

    def test_quoted_error(self) -> None:
        log = "+ pytest\n=== FAILURES ===\nE   AssertionError: assert 'Connection refused' == 'gone'\n1 failed in 0.01s"
        assert judge(log) == ("dev", "test_failure")

    def test_error_of_a_mock(self) -> None:
        log = (
            "+ pytest\n"
            "=== FAILURES ===\n"
            "    m.side_effect = OSError(28, 'x')\n"
            "E   OSError: [Errno 28] No space left on device\n"
            "1 failed in 0.1s"
        )
        assert judge(log) == ("dev", "test_failure")

    def test_network_error_of_a_mock(self) -> None:
        line = "E   ConnectionError: connect to pg9.example.net:5432: Connection refused"
        log = f"+ pytest\n=== FAILURES ===\n    monkeypatch.setattr(db, 'connect', broken)\n{line}\n1 failed in 0.1s"
        assert judge(log) == ("dev", "test_failure")
        assert judge(log.replace("monkeypatch", "config")) == ("ops", "service_unavailable")

    def test_full_disk(self) -> None:
        log = "+ pytest\n=== FAILURES ===\nE   OSError: [Errno 28] No space left on device\n1 failed in 0.1s"
        assert judge(log) == ("ops", "disk_full")

    def test_every_test_at_a_shared_host(self) -> None:
        line = 'E   OperationalError: could not translate host name "pg9.example.net" to address: Name or service not known'
        log = (
            f"+ pytest\n=== ERRORS ===\nERROR at setup of test_a\n{line}\nERROR at setup of test_b\n{line}\n2 errors in 0.1s"
        )
        assert judge(log) == ("ops", "dns")

    def test_one_of_many_tests_at_a_shared_host(self) -> None:
        line = "E   ConnectionError: HTTPConnectionPool(host='api.example.net', port=80): Connection refused"
        assert judge(f"+ pytest\n=== FAILURES ===\n{line}\n1 failed, 40 passed in 2.1s")[0] == "unknown"

    def test_localhost(self) -> None:
        line = "E   ConnectionError: connect ECONNREFUSED 127.0.0.1:5432"
        assert judge(f"+ pytest\n=== FAILURES ===\n{line}\n1 failed in 2.1s")[0] == "unknown"


class TestAround:
    """What stands around a line changes the owner."""

    def test_host_that_the_change_added(self) -> None:
        log = (
            "+ git diff\n"
            "diff --git a/inv b/inv\n"
            "@@ -1 +1,2 @@\n"
            " [web]\n"
            "+web7.example.net\n"
            "+ ssh web7.example.net true\n"
            f"{SSH}"
        )
        assert judge(log) == ("dev", "config_error")

    def test_tool_of_the_agents_image(self) -> None:
        log = "+ cat /etc/image\nprovided tools: git, xzgrep\n+ xzgrep a\nscript.sh: 2: xzgrep: not found"
        assert judge(log, 127) == ("ops", "missing_tool")

    def test_misspelt_command(self) -> None:
        assert judge("+ frobnicate a\nscript.sh: 1: frobnicate: not found", 127)[0] == "unknown"
        assert judge("+ kubeclt get\nscript.sh: 1: kubeclt: not found", 127) == ("dev", "missing_tool")

    def test_tool_that_the_manifest_lacks(self) -> None:
        log = (
            "+ cat package.json\n"
            '{"scripts": {"l": "stylelint src"}, "devDependencies": {"jest": "1"}}\n'
            "+ npm run l\n"
            "sh: 1: stylelint: not found"
        )
        assert judge(log, 127) == ("dev", "missing_tool")
        assert judge(log.replace('"jest": "1"', '"stylelint": "1"'), 127) == ("unknown", "missing_tool")

    def test_empty_variable(self) -> None:
        log = "+ VERSION=\n+ curl -fO https://files.example.net/a-.tgz\ncurl: (22) The requested URL returned error: 404"
        assert judge(log) == ("dev", "pipeline_script")

    def test_the_same_host_answers_on_another_port(self) -> None:
        log = (
            "+ pg_isready -h pg9.example.net\n"
            "pg9.example.net:5432 - accepting connections\n"
            "+ psql -h pg9.example.net -p 5439\n"
            'connection to server at "pg9.example.net", port 5439 failed: Connection refused'
        )
        assert judge(log) == ("dev", "config_error")

    def test_new_version_that_names_its_own_fault(self) -> None:
        log = (
            "+ curl -f https://cart.example.net/health\n"
            '{"error": "KeyError: \'ttl\'"}\n'
            "curl: (22) The requested URL returned error: 500"
        )
        assert judge(log)[0] == "dev"


class TestAnsible:
    """Results of tasks, as facts and as output."""

    @staticmethod
    def result(action: str, event: str = "failed", **result: Any) -> dict[str, Any]:
        return {"event": event, "host": "web7.example.net", "task": "T", "action": action, "result": result}

    def test_facts_decide_and_not_the_output(self) -> None:
        task = self.result("ansible.builtin.copy", msg="[Errno 28] No space left on device")
        assert judge("+ ansible-playbook a.yml\nsrc/a.c:1:1: error: x", 2, task=task) == ("ops", "disk_full")

    def test_unreachable_without_a_known_reason(self) -> None:
        assert judge("", 4, task=self.result("ping", "unreachable", msg="gone fishing")) == ("ops", "host_unreachable")

    def test_several_hosts(self) -> None:
        task = [self.result("ping", "unreachable", msg=SSH), self.result("ping", "unreachable", msg=SSH)]
        verdict = verdict_of_log("", 4, "", task)
        assert (verdict.owner, verdict.kind) == ("ops", "host_unreachable")
        assert "web7.example.net, web7.example.net" in verdict.evidence[1]

    def test_items_of_a_loop(self) -> None:
        items = [{"failed": False, "msg": "a"}, {"failed": True, "msg": "No package matching 'ngnix' is available"}]
        task = self.result("apt", msg="One or more items failed", results=items)
        assert judge("", 2, task=task) == ("dev", "dependency_resolution")

    def test_check_of_the_playbook_itself(self) -> None:
        assert judge("", 2, task=self.result("assert", assertion="a < b", msg="Assertion failed")) == ("dev", "config_error")
        assert judge("", 2, task=self.result("assert", assertion="ansible_memtotal_mb > 9", msg="no"))[0] == "ops"

    def test_health_of_the_new_version(self) -> None:
        task = self.result(
            "uri", msg="Status code was 503 and not [200]", status=503, url="http://web7.example.net:80/health"
        )
        assert judge("", 2, task=task) == ("unknown", "app_unhealthy")

    @pytest.mark.parametrize("passed", ["...ignoring", ""])
    def test_ignored_and_rescued_failures_do_not_decide(self, passed: str) -> None:
        """One host fails; later another one fails and goes on, since that was ignored, or rescued as the recap shows."""
        recap = ["PLAY RECAP ***", "web7.example.net : ok=1 changed=0 unreachable=0 failed=0 rescued=1"]
        log = "\n".join(
            [
                "PLAY [a] ***",
                "TASK [One] ***",
                'fatal: [web8.example.net]: FAILED! => {"msg": "\'port\' is undefined"}',
                "TASK [Two] ***",
                'fatal: [web7.example.net]: FAILED! => {"msg": "Connection refused", "url": "http://news.example.net"}',
                *([passed] if passed else recap),
            ]
        )
        assert judge(log, 2) == ("dev", "playbook_error")


def test_colours_and_marks_of_time_are_not_in_the_way() -> None:
    log = "[2026-01-01T00:00:00.000Z] + make\n[2026-01-01T00:00:01.000Z] \x1b[31msrc/a.c:1:1: error:\x1b[0m expected ';'\r\n"
    assert judge(log) == ("dev", "compile_error")


def test_odd_logs_are_no_trouble() -> None:
    for log in ("", "\n\n", "+ ", "\x00\xff", "İ" * 50 + "\nNo space left on device", "+ a\n" * 5000):
        assert isinstance(verdict_of_log("", None, log), Verdict)
    assert judge("İİİ\ncp: No space left on device") == ("ops", "disk_full")


def test_time_grows_with_a_log_of_endless_lines_and_not_with_its_square() -> None:
    lines = ['{"a":"' + "x" * 3900 + '"} error failed', "a:" * 2000 + " connection refused: not found", "." * 4000 + " 503"]
    assert_linear(lambda size: partial(verdict_of_log, "make", 1, "\n".join(lines * size)), 40)


def test_odd_results_are_no_trouble() -> None:
    for task in ({}, [], "x", [None], {"result": None}, {"result": {"msg": {"a": 1}, "results": [1, {"failed": True}]}}):
        assert isinstance(verdict_of_log("", 2, "x", task), Verdict)


def test_evidence_names_line_and_command() -> None:
    verdict = verdict_of_log("cp a b", 1, "+ cp a b\ncp: error writing 'b': No space left on device")
    assert list(verdict.evidence) == ["cp: error writing 'b': No space left on device", "command: cp a b"]
    assert verdict.next
    assert verdict.confidence > 0.9


def test_an_image_of_a_companys_registry_is_not_a_public_one() -> None:
    log = "+ docker pull registry.example.io/base:3.1\nmanifest for {} not found: manifest unknown"
    assert judge(log.format("registry.example.io/base:3.1")) == ("unknown", "image_tag")
    assert judge(log.format("python:3.99")) == ("dev", "image_tag")
