"""Answers that are changed at random: no traceback, no endless loop, and every healthy build is told."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import support
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from support.model import ModelJenkins, play, shapes
from support.polling import ROOT, Polling, Run

from jenkins_poller.poll import poller
from jenkins_poller.poll.poller import SweepError
from jenkins_poller.poll.reading import Group, ReadBuild, Reading
from pipeline_trace.delivery.destinations import otlp
from pipeline_trace.trace.span import Span
from pipeline_trace_demo.faults import Answer
from pipeline_trace_demo.replay import Replay

# Each with a job that has nothing to do with the others, and is never changed.
RECORDINGS = ["11", "20-", "36", "50", "70", "72", "g-11", "g-31", "g-36", "g-50", "g-72"]
# Of a controller with Stage View and one with Graph View: the recording and the job.
WITNESS, WITNESS_OF_TODAY = ("10", "hello-freestyle"), ("g-10", "hello")
PLUGINS = ["", "blue-ocean", "graph-view-2025"]
START_MS = 1_790_000_000_000
# Changed polls of each recording, and of each model, which has many builds.
SEEDS, SEEDS_OF_MODEL = 20, 6
# Names that people give, and what they write.
GIVEN = {"displayName", "agent", "title", "parameterDescription", "shortDescription", "userName", "builtOn", "text", "value"}
DEEP: Any = []
for _ in range(150):
    DEEP = [DEEP]
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2.5, 10**15, 2**62, 10**400, float("nan"), float("inf"), 1e300),
    *("", "x", "-1", "7", "\ud83d", "a\0b", "\x1b[31mred\n\x1b]0;t\x07", "../../x", "http://[x", "²"),
    *("9" * 5000, "y" * 100_000),
    *([], {}, [None], [[]], [{}], {"_class": None}, {"id": None, "jobs": [None], "builds": [None], "nodes": [None]}, DEEP),
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every list or object in a value with each of its keys."""
    todo = [value]
    while todo:
        one = todo.pop()
        inside = list(one.items()) if isinstance(one, dict) else list(enumerate(one))
        for key, child in inside:
            yield one, key
            if isinstance(child, dict | list):
                todo.append(child)


def changed(body: bytes, chance: random.Random) -> bytes:
    """Return an answer's body with one to three odd parts, or cut, or another one."""
    way = chance.random()
    if way < 0.1:
        return body[: chance.randrange(len(body) + 1)]
    try:
        document = json.loads(body)
    except ValueError:
        return chance.choice([b"", b"\0\xff\xfe", b"x" * 300_000, body * 3, body[: len(body) // 2]])
    if way < 0.2 or not isinstance(document, dict | list):
        return json.dumps(chance.choice(ODD)).encode()
    for _ in range(chance.choice([1, 1, 1, 2, 3, 20])):
        found = list(places(document))
        if not found:
            break
        around, key = chance.choice(found)
        how = chance.random()
        if how < 0.2:
            del around[key]
        elif how < 0.3 and isinstance(around, list):
            around.insert(key, deepcopy(around[key]))
        else:
            around[key] = deepcopy(chance.choice(ODD))
    return json.dumps(document).encode()


def renamed(body: bytes, text: str) -> bytes:
    """Return an answer's body with a text behind every name that people give."""
    try:
        document = json.loads(body)
    except ValueError:
        return body.replace(b"Running on ", f"Running on {text}".encode("utf-8", "replace"))
    for around, key in list(places(document)):
        value = around[key]
        if key in GIVEN and isinstance(value, str) and not value.endswith((" : Start", " : End")):
            around[key] = f"{value}{text}"
    return json.dumps(document).encode()


class Changes:
    """What changes some answers of a controller: those to ``victims``, each always in the same way.

    ``text``: to put behind every name instead. ``asked``: the paths of the requests so far, and the statuses.
    """

    witness = ""

    def spare(self, victims: Collection[str] = (), seed: str = "", text: str = "") -> None:
        """Change the answers to other paths from now on."""
        self.victims, self.seed, self.text = victims, seed, text
        self._bodies: dict[str, bytes] = {}
        self.asked: list[tuple[str, int]] = []

    def _answer(self, method: str, target: str, authorization: str | None) -> Answer:
        answer, path = super()._answer(method, target, authorization), unquote(target)  # type: ignore[misc]
        self.asked.append((path, answer.status))
        if self.text:
            return replace(answer, body=renamed(answer.body, self.text))
        if path not in self.victims or answer.status != 200:
            return answer
        if path not in self._bodies:
            self._bodies[path] = changed(answer.body, random.Random(f"{self.seed} {path}"))
        return replace(answer, body=self._bodies[path])


class Recorded(Changes, Replay):
    """A recorded controller."""

    def __init__(self, name: str) -> None:
        recording, self.witness = WITNESS_OF_TODAY if name.startswith("g-") else WITNESS
        super().__init__([support.recording(name), support.recording(recording)], root_url=ROOT)
        # Builds that were not recorded take a request each.
        for document in self.documents.values():
            if "nextBuildNumber" in document and not document.get("builds"):
                self.drop_job(document["fullName"])


class Modelled(Changes, ModelJenkins):
    """A controller with builds of every shape and one plugin, or none."""

    def __init__(self, plugin: str) -> None:
        builds = [play(program, start_ms=START_MS) for program in shapes.NAMED.values()]
        super().__init__(builds, {plugin} - {""}, root=ROOT)
        self.witness = builds[0].job


@cache
def jenkins_of(name: str) -> Recorded | Modelled:
    return Modelled(name).__enter__() if name in PLUGINS else Recorded(name).__enter__()


def asked(name: str, folder: Path) -> tuple[list[str], dict[Run, list[str]]]:
    """Return what a poll of the unchanged controller asks for, without the list of all jobs, and what it tells."""
    jenkins = jenkins_of(name)
    jenkins.spare()
    polling = Polling(folder, jenkins)
    polling.sweep()
    polling.state.close()
    spared = ("/api/json", f"/job/{jenkins.witness}/")
    paths = {path for path, status in jenkins.asked if status == 200 and not path.startswith(spared)}
    return sorted(path for path in paths if f"/pipelines/{jenkins.witness}/" not in path), polling.emitted


@pytest.fixture
def problems(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why builds could not be read."""
    found: list[str] = []
    read = Reading.read

    def noting(reading: Reading, group: Group) -> list[ReadBuild]:
        done = read(reading, group)
        found.extend(f"{one.build.name}: {one.problem}" for one in done if one.problem)
        return done

    monkeypatch.setattr(Reading, "read", noting)
    return found


def check(spans: list[Span]) -> None:
    for span in spans:
        assert span.name
        assert 0 <= span.start_ns <= span.end_ns < 1 << 63, span
        assert len(span.name) < 5000
    encode_spans(otlp._span_maker()(spans)).SerializeToString()


@pytest.mark.parametrize("name", [*RECORDINGS, *PLUGINS])
def test_whatever_is_changed_nothing_breaks_and_the_healthy_build_is_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problems: list[str]
) -> None:
    monkeypatch.setattr(poller, "_TOO_MANY", 1000, raising=False)
    paths, whole = asked(name, tmp_path / "whole")
    jenkins = jenkins_of(name)
    healthy = {run: ids for run, ids in whole.items() if run[0] == jenkins.witness}
    assert healthy
    for seed in range(SEEDS_OF_MODEL if name in PLUGINS else SEEDS):
        chance = random.Random(f"{name} {seed}")
        victims = {chance.choice(paths) for _ in range(chance.choice([1, 1, 2, 5]))}
        jenkins.spare(victims, f"{name} {seed}")
        polling = Polling(tmp_path / str(seed), jenkins)
        said = ""
        try:
            polling.sweep()
        except SweepError as error:
            said = str(error)
        except Exception as error:
            raise AssertionError(f"seed {seed}, changed: {victims}") from error
        assert [problem for problem in problems if "please report" in problem] == [], (seed, victims)
        assert said == "" or said.isprintable(), (seed, said)
        assert {run: ids for run, ids in polling.emitted.items() if run[0] == jenkins.witness} == healthy, (
            seed,
            victims,
            said,
        )
        assert len(jenkins.asked) < 4 * len(paths) + 100, (seed, victims)
        check(polling.spans)
        polling.state.close()


@pytest.mark.parametrize(
    "text", ["\0", "\ud83d", "\x1b[31m", "\r\n", "\u2028", "z" * 100_000], ids=lambda text: ascii(text)[:9]
)
@pytest.mark.parametrize("name", ["11", "20-", "g-11"])
def test_whatever_people_name_things_all_is_told(name: str, text: str, tmp_path: Path) -> None:
    _, whole = asked(name, tmp_path / "whole")
    jenkins = jenkins_of(name)
    jenkins.spare(text=text)
    polling = Polling(tmp_path / "poller", jenkins)
    polling.sweep()
    polling.state.close()
    # Ids of stages have names in them.
    assert {run: len(ids) for run, ids in polling.emitted.items()} == {run: len(ids) for run, ids in whole.items()}
    check(polling.spans)
    for span in polling.spans:
        words = [word for value in span.attributes.values() for word in (value if isinstance(value, list) else [value])]
        assert max(len(str(word)) for word in words) < 9000
