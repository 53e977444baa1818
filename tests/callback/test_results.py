"""What of a result leaves, and what does not."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils import hosts, results
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils.core import redact
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils.playbook_spans import PlaybookSpans

from pipeline_trace.place.w3c import Place
from pipeline_trace.trace.clock import start_clock


@pytest.mark.parametrize("outcome", [results.OK, results.CHANGED])
def test_a_good_result_says_nothing(outcome: str) -> None:
    assert results.extras(outcome, {"msg": "text", "stdout": "out", "stderr": "err", "changed": True, "rc": 0}) == {}


@pytest.mark.parametrize("outcome", results.TOLD)
def test_a_bad_result_tells_its_message(outcome: str) -> None:
    assert results.extras(outcome, {"msg": "went wrong"}) == {"ansible.message": "went wrong"}
    assert results.extras(outcome, {"msg": "went wrong"}, messages=False) == {}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"msg": "a"}, "a"),
        ({"msg": "a", "stderr": "b\nc\n"}, "a\nb\nc"),
        ({"msg": "", "module_stderr": "b"}, "b"),
        (
            {"msg": "a", "stderr": "\n".join(f"line {n}" for n in range(30))},
            "a\n" + "\n".join(f"line {n}" for n in range(20, 30)),
        ),
        ({}, "failed without a message"),
        ({"msg": None}, "failed without a message"),
        ({"msg": ["not", "a text"]}, "['not', 'a text']"),
        ({"msg": {"a": 1}, "stderr": 5}, "{'a': 1}\n5"),
        ({"msg": "a", "stdout": "does not leave", "invocation": {"module_args": {"password": "x"}}}, "a"),
        ({"msg": "a", "results": "no list of items"}, "a"),
        ({"msg": "failed: password=hunter2"}, "failed: password=***"),
    ],
)
def test_a_message_is_msg_and_the_last_lines_of_stderr_masked(result: dict[str, Any], message: str) -> None:
    assert results.failure_message(result) == message


def test_the_message_of_a_loop_names_the_items_that_failed() -> None:
    _, spans = a_run()
    spans.task("uuid", "Loop", {}, [])
    spans.host_start("uuid", "h1")
    spans.hosts.item("h1", results.OK, {"item": "one", "msg": "fine"})
    spans.hosts.item("h1", results.FAILED, {"item": "two", "msg": "broken"})
    away = {"_ansible_item_label": "three", "item": {"password": "x"}, "unreachable": True, "msg": "away"}
    spans.hosts.item("h1", results.FAILED, away)
    spans.hosts.item("h1", results.FAILED, {"item": "four", "_ansible_no_log": True, "msg": "secret"})
    running = spans.hosts.running("h1")
    assert running
    items = ["two: broken", "three: away", f"(hidden): {results.HIDDEN}"]
    assert running.failed == items
    assert results.failure_message({"msg": "One or more items failed"}, items).splitlines() == [
        "One or more items failed",
        *items,
    ]


def test_a_message_has_a_bounded_length() -> None:
    assert len(results.failure_message({"msg": "x" * 100_000})) < 5000
    assert len(results.failure_message({"msg": "", "stderr": "x" * 100_000}, ["y" * 600] * 10)) < 5000


# 30 MB each. A text of this kind asks for every pattern.
_LINE = "2026-11-29T12:00:00Z INFO auth-service request id=4711 user=mara path=/api/v2/items key=abc token=def took 12 ms\n"
_LARGE = {
    "text": _LINE * 270_000,
    "list": ["x" * 1000] * 30_000,
    "list of numbers": list(range(3_000_000)),
    "nested": {"a": {"b": [{"c": "y" * 30_000_000}]}},
}


@pytest.mark.parametrize("large", _LARGE.values(), ids=_LARGE)
def test_what_is_masked_does_not_grow_with_the_size_of_a_result(monkeypatch: pytest.MonkeyPatch, large: object) -> None:
    real, read = redact.search.find, [0]

    def counting(text: str) -> Any:
        read[0] += len(text)
        return real(text)

    monkeypatch.setattr(redact.search, "find", counting)
    result = {"msg": large, "stderr": large, "stdout": large, "item": large, "false_condition": large}
    for outcome in results.WORDS:
        results.extras(outcome, result)
        results.item(outcome, result)
        results.retry(1, {**result, "failed": True})
    assert 0 < read[0] < 40 * 30_000


def test_an_encrypted_variable_is_never_decrypted_for_a_text() -> None:
    class Encrypted:
        def __str__(self) -> str:
            raise AssertionError("decrypted")

    assert results.failure_message({"msg": [Encrypted()]}) == "[<Encrypted>]"
    assert results.item_label({"item": Encrypted()}) == "<Encrypted>"


@pytest.mark.parametrize("censored", [{"_ansible_no_log": True}, {"censored": "the output has been hidden"}])
def test_no_log_leaves_nothing_but_that_it_holds(censored: dict[str, Any]) -> None:
    result = {"msg": "secret", "stderr": "secret", "item": "secret", "false_condition": "secret", "attempts": 2, **censored}
    assert results.failure_message(result) == results.HIDDEN
    assert results.item_label(result) == "(hidden)"
    found = [results.extras(outcome, result) for outcome in results.WORDS]
    found += [results.item("failed", result), results.retry(1, {**result, "failed": True})]
    assert "secret" not in str(found)


def test_a_skipped_result_says_why() -> None:
    skipped = {"false_condition": "x is defined", "skip_reason": "Conditional result was False"}
    expected = {"ansible.skip.condition": "x is defined", "ansible.skip.reason": "Conditional result was False"}
    assert results.extras(results.SKIPPED, skipped) == expected
    assert results.extras(results.SKIPPED, {"false_condition": False}) == {"ansible.skip.condition": "False"}
    assert results.extras(results.SKIPPED, {}) == {}
    assert results.extras(results.OK, skipped) == {}


@pytest.mark.parametrize(
    ("host", "found"), [("h3", {"ansible.delegated_to": "h3"}), ("{{ item }}", {}), (None, {}), ("", {})]
)
def test_a_delegated_result_says_where_it_ran(host: object, found: dict[str, Any]) -> None:
    assert results.extras(results.OK, {}, host) == found


def test_attempts_are_told() -> None:
    assert results.extras(results.OK, {"attempts": 3}) == {"ansible.attempts": 3}


@pytest.mark.parametrize(
    ("result", "label"),
    [
        ({"item": "one"}, "one"),
        ({"item": "one", "_ansible_item_label": "label"}, "label"),
        ({"item": {"a": 1}}, "{'a': 1}"),
        ({"item": 0}, "0"),
        ({}, ""),
        ({"item": "token=abcdef123456"}, "token=***"),
    ],
)
def test_labels_of_items(result: dict[str, Any], label: str) -> None:
    assert results.item_label(result) == label


def test_only_failed_items_have_a_message() -> None:
    assert results.item("ok", {"item": 1, "msg": "text"}) == {"ansible.item.label": "1", "ansible.result": "ok"}
    failed = results.item("failed", {"item": 1, "msg": "text"})
    assert failed == {"ansible.item.label": "1", "ansible.result": "failed", "ansible.message": "text"}
    assert "ansible.message" not in results.item("failed", {"item": 1, "msg": "text"}, messages=False)


def test_only_failed_attempts_have_a_message() -> None:
    # Ansible's `retries` counts the first attempt too.
    assert results.retry(2, {"retries": 6, "msg": "text"}) == {"ansible.attempt": 2, "ansible.retries.left": 4}
    assert results.retry(1, {"failed": True, "msg": "text"}) == {"ansible.attempt": 1, "ansible.message": "text"}
    assert results.retry(1, {"failed": True, "msg": "text"}, messages=False) == {"ansible.attempt": 1}


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        ({"failed": True}, True),
        ({"failed": False, "rc": 1, "exception": "(traceback unavailable)"}, False),
        ({"failed_when_result": False, "rc": 1}, False),
        ({"failed_when_result": True, "rc": 0}, True),
        ({"rc": 1}, True),
        ({"rc": 0}, False),
        ({"exception": "(traceback unavailable)"}, True),
        ({"unreachable": True}, True),
        ({"changed": True, "skip_reason": "Conditional result was False"}, False),
    ],
)
def test_what_failed_is_known_though_callbacks_are_not_told(result: dict[str, Any], failed: bool) -> None:
    said = {**result, "msg": "text", "item": "one"}
    assert ("ansible.message" in results.retry(1, said)) is failed


@pytest.mark.parametrize("finished", [True, 1])
def test_an_answer_about_a_job(finished: object) -> None:
    found = results.asynchronous({"ansible_job_id": "j1", "finished": finished, "stdout": "does not leave"})
    assert found == {"ansible.async.job_id": "j1", "ansible.async.finished": True}
    assert results.asynchronous({}) == {"ansible.async.job_id": "", "ansible.async.finished": False}


def test_a_task_says_what_is_not_as_usual() -> None:
    plain = SimpleNamespace(action="debug", run_once=False, no_log=None, args={"msg": "x"})
    assert results.task(plain, arguments=False) == {"ansible.task.action": "debug"}
    assert results.task(plain, arguments=True)["ansible.task.arguments"] == "{'msg': 'x'}"
    special = SimpleNamespace(
        action="uri",
        run_once=True,
        no_log=True,
        check_mode=True,
        ignore_errors=True,
        async_val=5,
        delegate_to="h2",
        args={"a": 1},
    )
    assert results.task(special, arguments=True) == {
        "ansible.task.action": "uri",
        "ansible.task.run_once": True,
        "ansible.task.check_mode": True,
        "ansible.task.no_log": True,
        "ansible.task.ignore_errors": True,
        "ansible.task.async": True,
        "ansible.task.delegate_to": "h2",
    }


# Of hosts


class Kept:
    """A journal that only counts."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.lines = 0

    def open(self, span: Any) -> None:
        """Take a span that begins."""

    def span(self, span: Any) -> None:
        """Take a span that has ended."""

    def open_line(self, line: str) -> None:
        """Count a line."""

    def span_line(self, line: str) -> None:
        """Count a line."""
        self.lines += 1


def a_run() -> tuple[Kept, PlaybookSpans]:
    """Return a play that has begun."""
    kept = Kept()
    spans = PlaybookSpans(kept, Place("a" * 32), {"service.name": "ansible"}, attributes={}, now=start_clock())
    spans.playbook("site.yml", "playbook site.yml")
    spans.play("Deploy", {"ansible.play.strategy": "linear"})
    return kept, spans


def test_memory_does_not_grow_with_hosts_and_tasks_8353() -> None:
    kept, spans = a_run()
    names = [f"h{number}" for number in range(50)]
    result = SimpleNamespace(_result={"msg": "x" * 1000, "stdout": "y" * 10_000}, _task=SimpleNamespace(delegate_to=None))

    def task(number: int) -> None:
        spans.task(f"uuid-{number}", f"Task {number}", {}, [])
        for name in names:
            spans.host_start(f"uuid-{number}", name)
            spans.host_end(f"uuid-{number}", name, results.CHANGED, result)

    task(0)
    gc.collect()
    before = len(gc.get_objects())
    for number in range(1, 100):
        task(number)
    gc.collect()
    # The hosts, and the tasks but for the last one, which is open.
    assert kept.lines == 5000 + 99
    assert len(gc.get_objects()) - before < 200


def test_beyond_so_many_items_they_are_only_counted() -> None:
    _, spans = a_run()
    spans.task("uuid", "Loop", {}, [])
    spans.host_start("uuid", "h1")
    for number in range(hosts.MOST_EVENTS + 3):
        spans.hosts.item("h1", results.OK, {"item": number})
    running = spans.hosts.running("h1")
    assert running
    assert running.events
    assert (len(running.events), running.left_out) == (hosts.MOST_EVENTS, 3)


def test_attempts_are_counted_for_each_item() -> None:
    _, spans = a_run()
    spans.task("uuid", "Loop", {}, [])
    spans.host_start("uuid", "h1")
    # ansible-core 2.21 says the number of the attempt to come.
    for attempts in (2, 3):
        spans.hosts.retry("h1", {"attempts": attempts, "retries": 4})
    spans.hosts.item("h1", results.OK, {"item": "one"})
    spans.hosts.retry("h1", {"attempts": 1, "retries": 4})
    spans.hosts.item("h1", results.FAILED, {"item": "two"})
    running = spans.hosts.running("h1")
    assert running
    told = [event["attributes"] for event in running.events or ()]
    assert [one.get("ansible.attempt") for one in told] == [1, 2, None, 1, None]
    assert [one.get("ansible.attempts") for one in told] == [None, None, 3, None, 2]


def test_events_of_hosts_that_run_nothing_are_passed_over() -> None:
    _, spans = a_run()
    spans.hosts.item("h1", results.OK, {"item": 1})
    spans.hosts.retry("h1", {"attempts": 1})
    spans.host_event("h1", "async poll", {})
    assert spans.host_start("unknown task", "h1") == ""
    spans.host_end("unknown task", "h1", results.OK, None)
