"""Identifiers: DESIGN's scheme computed by hand, and random ones."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from hashlib import sha256

import pytest

from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import ids
from pipeline_trace.trace.ids import key_trace_id

KEYS = [
    (),
    ("key", "release-2026.11"),
    ("jenkins", "https://ci.example.com", "app-build", "7"),
    ("jenkins", "https://ci.example.com/jenkins", "Team A/déploy ünï", "1", "stage", "Prüfen 🚀", "0"),
    ("a", ""),
    ("a\nb", "c"),
]


def by_hand(kind: str, key: Sequence[str], size: int) -> str:
    text = "pipeline-trace/1\0" + kind + "".join("\0" + part for part in key)
    return sha256(text.encode("utf-8")).digest()[:size].hex()


@pytest.mark.parametrize("key", KEYS)
def test_ids_are_the_beginning_of_a_sha256_over_scheme_kind_and_parts(key: tuple[str, ...]) -> None:
    assert ids.trace_id(key) == by_hand("trace", key, 16)
    assert ids.span_id(key) == by_hand("span", key, 8)


def test_known_values_never_change_since_other_systems_hold_them() -> None:
    key = ("jenkins", "https://ci.example.com", "app-build", "7")
    assert (
        ids.trace_id(key)
        == sha256(b"pipeline-trace/1\0trace\0jenkins\0https://ci.example.com\0app-build\x007").hexdigest()[:32]
    )
    assert (
        ids.span_id(key)
        == sha256(b"pipeline-trace/1\0span\0jenkins\0https://ci.example.com\0app-build\x007").hexdigest()[:16]
    )


def test_parts_are_joined_so_that_moving_a_letter_makes_another_id() -> None:
    assert len({ids.trace_id(key) for key in (("ab", "c"), ("a", "bc"), ("abc",), ("a", "b", "c"), ("abc", ""))}) == 5


def test_a_trace_and_a_span_of_one_key_have_nothing_in_common() -> None:
    assert not ids.trace_id(("a",)).startswith(ids.span_id(("a",)))


def test_bytes_that_are_no_utf8_come_out_as_they_went_in() -> None:
    # What os.environ holds in a process in the C locale.
    part = b"d\xe9ploy".decode("utf-8", "surrogateescape")
    assert ids.span_id(("job", part)) == sha256(b"pipeline-trace/1\0span\0job\0d\xe9ploy").hexdigest()[:16]


@pytest.mark.parametrize("part", ["half \ud83d", "\udfff", "\udc00 in front"])
def test_half_a_character_in_a_name_makes_an_id_all_the_same(part: str) -> None:
    # JSON may hold "\\ud83d" alone: a stage's name that was cut in the middle of an emoji.
    assert re.fullmatch("[0-9a-f]{16}", ids.span_id(("stage", part, "0")))
    assert ids.span_id(("stage", part, "0")) == ids.span_id(("stage", part, "0"))


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
