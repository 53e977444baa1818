"""What runs, on the first page: what hangs is first, and each wait says whose turn it is."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

from pipeline_trace.change.board import board_of
from pipeline_trace.change.entries import Entry
from pipeline_trace.change.running import Host, Lost, Running, Took, Waits
from pipeline_trace.serve.first_page import First, parts_of
from pipeline_trace.trace import conventions as c

MINUTE = 60 * 10**9
NOW_NS = 1_800_000_000 * 10**9
USUAL = Took(4 * MINUTE, 9 * MINUTE, 12 * MINUTE, 17)


def running(name: str, minutes: int, *waits: Waits, usual: Took | None = USUAL, heard_ns: int = 0) -> Running:
    return Running(f"{minutes:032x}", [name], NOW_NS - minutes * MINUTE, [], usual, f"{name}#7", "", heard_ns, waits)


def cards(*found: Running) -> list[str]:
    text = parts_of(First(found, board_of([])), NOW_NS, store="store")["now"]
    return [" ".join(unescape(re.sub("<[^>]*>", " ", card)).split()) for card in text.split("<li ")[1:]]


def test_what_hangs_is_first_and_each_says_how_it_is() -> None:
    wait = Waits(c.WAIT_LOCK, "database", "held by migrate #7", NOW_NS - MINUTE)
    found = cards(
        running("new", 1), running("waiting", 2, wait), running("gone", 3, heard_ns=NOW_NS), running("old", 13, wait)
    )
    assert [one.partition(">")[2].split("#")[0].strip() for one in found] == [
        "▶ hangs old",
        "▶ running new",
        "‖ waits waiting",
        "◌ not heard of gone",
    ]


def test_a_wait_that_is_ops_turn_names_ops_and_one_that_nobody_is_to_blame_for_names_no_team() -> None:
    agent = Waits(c.WAIT_AGENT, "gpu", "‘gpu-1’ is offline", NOW_NS - 26 * MINUTE)
    person = Waits(c.WAIT_APPROVAL, "Deploy to production?")
    (of_agent, of_person) = cards(running("a", 27, agent), running("b", 28, person))
    assert "waits for an agent (gpu): ‘gpu-1’ is offline, for 26 min 00 s, since" in of_agent
    assert "ops Bring an agent with the label gpu online. The change is not the cause." in of_agent
    assert "waits for a person (Deploy to production?). Ask a person who may approve it. Nothing has failed." in of_person
    assert "ops" not in of_person


def test_of_many_waits_three_are_said_and_the_others_counted() -> None:
    waits = [Waits(c.WAIT_LOCK, f"db{number}") for number in range(103)]
    (one,) = cards(running("a", 1, *waits))
    assert one.count("waits for a lock") == 3
    assert "100 more of its branches wait." in one


def test_a_build_without_history_says_so() -> None:
    (one,) = cards(running("a", 1, usual=None))
    assert "fewer than three such builds succeeded" in one


def test_a_host_that_does_not_answer_is_named_with_who_looks_at_what() -> None:
    host = Host("web3", "Restart the service", NOW_NS - 5 * MINUTE, "1" * 16, Took(10**9, 4 * 10**9, 5 * 10**9, 7))
    (one,) = cards(replace(running("a", 6, usual=None), host=host))
    assert one.startswith('class="card hangs"> ▶ hangs')
    assert "web3 has not answered for 5 min 00 s; 95 % of the runs of this task there took at most 4.0 s." in one
    assert (
        "Look whether the host answers: that is ops. If it does, look at what Restart the service does there: that is dev."
        in one
    )
    assert "never took longer" not in one


def test_lengths_on_a_card_are_rounded_alike() -> None:
    host = Host("web2", "Restart", NOW_NS - 134 * 10**9, "1" * 16, Took(10**9, 4 * 10**9, 5 * 10**9, 7))
    wait = Waits(c.WAIT_LOCK, "db", "", NOW_NS - 134 * 10**9)
    (one,) = cards(replace(running("a", 3, wait), host=host, start_ns=NOW_NS - 134 * 10**9))
    assert "web2 has not answered for 2 min 10 s" in one
    assert one.count("for 2 min 10 s") == 3


def test_what_is_not_heard_of_grows_no_more() -> None:
    (one,) = cards(running("gone", 53, heard_ns=NOW_NS - 50 * MINUTE))
    assert "◌ not heard of gone#7" in one
    assert "heard of for 3 min 00 s, since" in one
    assert "53 min" not in one
    text = parts_of(First([running("gone", 53, heard_ns=NOW_NS - 50 * MINUTE)], board_of([])), NOW_NS, store="store")["now"]
    assert f'value="{3 * 60_000}"' in text


def test_a_part_that_is_not_heard_of_is_named() -> None:
    lost = Lost(["playbook site.yml", "Restart", "web2"], NOW_NS - MINUTE)
    (one,) = cards(replace(running("a", 5), lost=lost))
    assert "playbook site.yml › Restart › web2 : not heard of since 20" in one
    assert "▶ running" in one


def test_a_cell_in_which_something_runs_says_what_failed_before() -> None:
    def deploy(number: int, state: str, **more: str) -> Entry:
        end_ns = 0 if state == "running" else NOW_NS
        return Entry(f"{number:032x}", f"{number:016x}", state, number, end_ns, "pay", ("staging",), f"1.{number}", **more)

    failed = deploy(1, c.FAILURE, message="No route to host", owner="ops", kind="host_unreachable")
    board = board_of([deploy(0, c.SUCCESS), failed, deploy(2, "running")])
    text = parts_of(First([], board), NOW_NS, store="store")["where"]
    words = " ".join(unescape(re.sub("<[^>]*>", " ", text)).split())
    assert "Running 1.2" in words
    assert "✗ Failed 1.1 failing since" in words
    assert "ops: host unreachable No route to host" in words
    assert f'href="/trace/{failed.trace_id}"' in text


def test_what_is_late_has_a_command_and_a_green_cell_the_way_to_its_trace() -> None:
    (build, playbook) = cards(running("a", 14), replace(running("b", 13), run=""))
    assert "ask Jenkins: pipeline-trace why 'a#7' ." in build
    assert f"Look at where it stands, or ask: pipeline-trace why {13:032x} ." in playbook
    green = Entry("e" * 32, "f" * 16, c.SUCCESS, 1, 2, "pay", ("staging",), "1.0")
    text = parts_of(First([], board_of([green])), NOW_NS, store="store")["where"]
    assert f'href="/trace/{green.trace_id}#span-{green.span_id}"' in text
