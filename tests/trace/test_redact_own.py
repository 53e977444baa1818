"""Users name their own secrets in a file: words, names and prefixes. All secrets here are made up."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.parse
from functools import partial
from pathlib import Path

import pytest
from support.growth import assert_linear

from pipeline_trace.trace import masking
from pipeline_trace.trace.redact import own
from pipeline_trace.trace.redact.pattern import Spans

WORD = "blue/whale & \"co\" 'ö'"


def added(text: str) -> own.Own:
    return own.parsed(text, "secrets", [])


def shown(own_: own.Own, text: str) -> str:
    spans: Spans = []
    own.find(own_, text, spans)
    for start, end in sorted(set(spans), reverse=True):
        text = f"{text[:start]}***{text[end:]}" if "***" not in text[start:end] else text
    return text


ENCODINGS = {
    "as it is": WORD,
    "URL": urllib.parse.quote(WORD, safe=""),
    "URL that keeps slashes": urllib.parse.quote(WORD),
    "form": urllib.parse.quote_plus(WORD),
    "JSON": json.dumps(WORD)[1:-1],
    "JSON in JSON": json.dumps(json.dumps(WORD))[3:-3],
    "JSON with letters of Unicode": json.dumps(WORD, ensure_ascii=False)[1:-1],
    "shell": "'blue/whale & \"co\" '\"'\"'ö'\"'\"''",
    "SQL": WORD.replace("'", "''"),
    "HTML": "blue/whale &amp; &quot;co&quot; &#x27;ö&#x27;",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_word_is_masked_in_all_encodings(encoding: str) -> None:
    assert "whale" not in shown(added(f"word: {WORD}\n"), f"it said {ENCODINGS[encoding]} twice")


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
def test_a_word_is_masked_in_base64_wherever_it_begins(before: str) -> None:
    word = "blue-whale-and-co"
    encoded = base64.b64encode(f"{before}{word}:more".encode()).decode()
    masked = shown(added(word), f"data: {encoded}")
    assert base64.b64encode(word.encode()).decode()[3:12] not in masked
    assert "***" in masked


def test_prefixes_mask_the_rest_of_the_word() -> None:
    assert shown(added("prefix: acme_\n"), "with acme_12ab-x and acme_9 and acme") == "with *** and acme_9 and acme"


def test_comments_and_empty_lines_say_nothing() -> None:
    found = added("# words\n\n  \nblue-whale\n")
    assert "blue-whale" in found.words
    assert found.problems == ()
    assert shown(found, "words of a comment") == "words of a comment"


def test_bad_lines_are_told_by_their_numbers_and_skipped() -> None:
    found = added("abc\nblue-whale\nname: a b\nprefix: x\n")
    assert found.names == found.prefixes == ()
    assert len(found.problems) == 1
    assert "1, 3, 4" in found.problems[0]
    assert "abc" not in found.problems[0]


def test_many_words_are_looked_up_in_time_that_grows_with_the_text() -> None:
    found = added("\n".join(f"blue-whale-{number}" for number in range(500)))
    assert shown(found, "a blue-whale-499, and blue-whale-x").startswith("a ***")
    assert_linear(lambda size: partial(own.find, found, "blue-whale-" * (size // 11), []), 1 << 15)


def test_only_so_many_lines_and_bytes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("blue-whale\n" * (own.MOST + 1))
    file.chmod(0o600)
    assert "lines" in own.read({masking.SECRETS: str(file)}).problems[0]
    file.write_bytes(b"x" * (own.LARGEST + 10))
    assert "bytes" in own.read({masking.SECRETS: str(file)}).problems[0]


def test_what_cannot_be_read_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path / "missing", fifo, tmp_path):
        found = own.read({masking.SECRETS: str(path)})
        assert found.words == ()
        assert len(found.problems) == 1
        assert masking.SECRETS in found.problems[0]


def test_a_file_that_others_can_read_is_used_and_told(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("blue-whale\n")
    file.chmod(0o644)
    found = own.read({masking.SECRETS: str(file)})
    assert "blue-whale" in found.words
    assert "chmod 600" in found.problems[0]


def test_the_home_may_hold_the_file_and_need_not(tmp_path: Path) -> None:
    assert own.read({"PIPELINE_TRACE_HOME": str(tmp_path)}) == own.Own()
    file = tmp_path / "secrets"
    file.write_text("blue-whale\n")
    file.chmod(0o600)
    assert "blue-whale" in own.read({"PIPELINE_TRACE_HOME": str(tmp_path)}).words
    assert own.read({}) == own.Own()


@pytest.mark.process
def test_a_process_masks_what_the_file_names_and_tells_what_is_wrong_once(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("blue-whale\nname: plate\nprefix: acme_\nx\n")
    file.chmod(0o600)
    texts = [
        "a blue-whale",
        "plate=hunter",
        "car_plate: hunter",
        "--plate hunter",
        "acme_1234",
        "a plain text",
        "blue%2Dwhale",
    ]
    code = f"from pipeline_trace.trace import redact\nfor text in {texts!r} * 2: print(redact.masked(text))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, masking.SECRETS: str(file)},
    )
    assert done.stdout.splitlines()[:6] == ["a ***", "plate=***", "car_plate: ***", "--plate ***", "***", "a plain text"]
    assert done.stderr.count("pipeline-trace:") == 1
    assert "lines of" in done.stderr
