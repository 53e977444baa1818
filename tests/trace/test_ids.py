"""Identifiers: DESIGN's scheme computed by hand, and random ones."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import islice

import pytest

from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import ids
from pipeline_trace.trace.ids import key_trace_id

# Keys, and the trace's and the span's id of each.
KNOWN = [
    ((), "93ca57ead3683e7c68599c35cbd87425", "141ff49c033baccd"),
    (("key", "release-2026.11"), "2bc715847fe12414fa155fcbe14cdcef", "4e529e2d848022ff"),
    (
        ("jenkins", "https://ci.example.com", "app-build", "7"),
        "ff1e0c2ecdd866248392a937821bd0e0",
        "ed8f1d1e3da3f55e",
    ),
    (
        ("jenkins", "https://ci.example.com/jenkins", "Team A/déploy ünï", "1", "stage", "Prüfen 🚀", "0"),
        "c23559d433b4e2880d9775f45841c373",
        "a47d776b447bd53c",
    ),
    (("a", ""), "2b0b475037c38ed339f02ba329292645", "82b3434a1d1de606"),
    (("a\nb", "c"), "f4545420ddd9fc4a17f0cdc9662cf67b", "66915ff9f17d721d"),
]


def by_hand(kind: str, key: Sequence[str], size: int) -> str:
    text = "pipeline-trace/1\0" + kind + "".join("\0" + part for part in key)
    return sha256(text.encode("utf-8")).digest()[:size].hex()


@pytest.mark.parametrize("key", [key for key, _, _ in KNOWN])
def test_ids_are_the_beginning_of_a_sha256_over_scheme_kind_and_parts(key: tuple[str, ...]) -> None:
    assert ids.trace_id(key) == by_hand("trace", key, 16)
    assert ids.span_id(key) == by_hand("span", key, 8)


def test_known_values_never_change_since_other_systems_hold_them() -> None:
    assert [(key, ids.trace_id(key), ids.span_id(key)) for key, _, _ in KNOWN] == KNOWN


def test_known_values_of_a_build_never_change_since_stores_and_backends_hold_them() -> None:
    build = Build("https://ci.example.com", "Team A/app", 7)
    assert build.trace_id == "4d129f25524da64ba186b223e39b381c"
    assert build.run_span_id == "4d9d22d55f7493ed"
    assert build.span_id("stage", "Deploy", "1") == "bf02ecdccafb6198"
    assert build.span_id("step", "42") == "1a356f5e3928c54a"
    assert build.span_id("queue") == "5d02654b7068cbe4"
    assert key_trace_id("rel-1") == "3078cf4e70873cc8162a0b9740a372e4"


def test_parts_are_joined_so_that_moving_a_letter_makes_another_id() -> None:
    assert len({ids.trace_id(key) for key in (("ab", "c"), ("a", "bc"), ("abc",), ("a", "b", "c"), ("abc", ""))}) == 5


def test_a_trace_and_a_span_of_one_key_have_nothing_in_common() -> None:
    assert not ids.trace_id(("a",)).startswith(ids.span_id(("a",)))


def test_bytes_that_are_no_utf8_come_out_as_they_went_in() -> None:
    # What os.environ holds in a process in the C locale.
    part = b"d\xe9ploy".decode("utf-8", "surrogateescape")
    assert ids.span_id(("job", part)) == sha256(b"pipeline-trace/1\0span\0job\0d\xe9ploy").hexdigest()[:16]
    assert ids.span_id(("job", part)) == "83ae47d81409b991"


@pytest.mark.parametrize(
    ("part", "known"),
    [("half \ud83d", "536efca529b1764a"), ("\udfff", "3911ac7f2801163a"), ("\udc00 in front", "38f079f6282b60be")],
)
def test_half_a_character_in_a_name_makes_an_id_all_the_same(part: str, known: str) -> None:
    # JSON may hold "\\ud83d" alone: a stage's name that was cut in the middle of an emoji.
    assert ids.span_id(("stage", part, "0")) == known


def test_an_accent_composed_and_decomposed_are_two_names_as_they_are_to_jenkins() -> None:
    assert ids.span_id(("é",)) != ids.span_id(("e\u0301",))


@pytest.mark.parametrize(("make", "digits"), [(ids.random_trace_id, 32), (ids.random_span_id, 16)])
def test_random_ids_have_the_form_that_w3c_wants(make: Callable[[], str], digits: int) -> None:
    made = {make() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(f"[0-9a-f]{{{digits}}}", value) for value in made)


@pytest.mark.parametrize(("make", "size"), [(ids.random_trace_id, 16), (ids.random_span_id, 8)])
def test_random_ids_are_never_zero(make: Callable[[], str], size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [bytes(size), bytes(size), b"\x01" + bytes(size - 1)]
    monkeypatch.setattr(os, "urandom", lambda asked: drawn.pop(0) if asked == size else pytest.fail("another size"))
    assert make() == "01" + "00" * (size - 1)
    assert not drawn


def test_many_span_ids_are_all_different_and_valid() -> None:
    drawn = list(islice(ids.span_ids(), 1000))
    assert len(set(drawn)) == 1000
    assert all(len(one) == 16 and set(one) <= set("0123456789abcdef") for one in drawn)


def test_no_span_id_of_zeros_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = iter([bytes(16), b"\1" * 8])
    monkeypatch.setattr(os, "urandom", lambda _size: next(pools))
    assert next(ids.span_ids()) == "01" * 8


@pytest.mark.process
def test_random_ids_of_forked_processes_differ() -> None:
    reading, writing = os.pipe()
    for _ in range(2):
        child = os.fork()
        if child == 0:
            os.write(writing, ids.random_span_id().encode())
            os._exit(0)
        os.waitpid(child, 0)
    os.close(writing)
    first, second = os.read(reading, 16), os.read(reading, 16)
    os.close(reading)
    assert first != second


def test_a_builds_keys_are_those_of_the_design() -> None:
    build = Build("https://ci.example.com", "Team A/app", 7)
    own = ("jenkins", "https://ci.example.com", "Team A/app", "7")
    assert build.trace_id == by_hand("trace", own, 16)
    assert build.run_span_id == by_hand("span", own, 8)
    assert build.span_id("stage", "Deploy", "1") == by_hand("span", (*own, "stage", "Deploy", "1"), 8)
    assert build.span_id("step", "42") == by_hand("span", (*own, "step", "42"), 8)
    assert build.span_id("queue") == by_hand("span", (*own, "queue"), 8)


def test_a_given_key_has_a_name_space_of_its_own() -> None:
    assert key_trace_id("rel-1") == by_hand("trace", ("key", "rel-1"), 16)
