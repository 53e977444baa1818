"""`--from`: what reads traces answers word for word from ClickHouse as from this machine's store; nothing else asks it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import support
from support import clickhouse_schema, questions, told
from support.clickhouse import Engine, needs_engine
from support.months import HOUR_NS
from support.otlp_receiver import free_port

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.remote import remote_source
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.queries import build_name, is_run
from pipeline_trace.trace.span import ERROR, Span
from pipeline_trace_demo.replay import Replay

pytestmark = [pytest.mark.process, needs_engine]

Env = dict[str, str]
HOMES = ("demo", *told.INCIDENTS)
# When the page was made.
MADE = re.compile(r"<footer class=\"muted\">pipeline-trace, .*?</footer>")


class Read:
    """A home with a store and a table of the same spans. ``source``: the table's address. ``env``: has the home."""

    def __init__(self, folder: Path, spans: list[Span], engine: Engine, database: str) -> None:
        folder.mkdir()
        self.env = support.environ(folder)
        self.spans = told.moved(spans, time.time_ns() - HOUR_NS)
        support.store_spans(self.env, self.spans)
        clickhouse_schema.create(engine, database=database)
        clickhouse_schema.insert(engine, self.spans, database=database)
        self.source = f"clickhouse://default@127.0.0.1:{engine.port}/{database}"

    @property
    def builds(self) -> list[str]:
        """Return the names of all builds, those that failed first."""
        runs = sorted(
            (span for span in self.spans if is_run(span)), key=lambda span: (span.status_code != ERROR, span.start_ns)
        )
        return list(dict.fromkeys(build_name(*questions.key_of(run)) for run in runs))

    @property
    def commits(self) -> list[str]:
        """Return the commits that were built."""
        return sorted(
            {str(span.attributes[c.VCS_HEAD_REVISION]) for span in self.spans if c.VCS_HEAD_REVISION in span.attributes}
        )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture(scope="module")
def read(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Read:
    base, name = tmp_path_factory.getbasetemp(), request.param
    home = told.demo(base).folder / "told" if name == "demo" else told.incidents(base).folder / "told" / name
    return Read(tmp_path_factory.mktemp("from") / name, told.spans(home), engine, name.replace("-", "_"))


def without_time(page: str) -> str:
    found, count = MADE.subn("", page)
    assert count == 1
    return found


@pytest.mark.parametrize("read", HOMES, indirect=True)
@pytest.mark.parametrize("command", ["show", "path", "why", "deploys"])
def test_answers_are_those_of_the_store_word_for_word(read: Read, command: str) -> None:
    of = read.commits[:4] if command == "path" else read.builds[:6]
    asked = [[command], [command, "--format", "json"], *([command, one] for one in of), [command, of[0], "--format", "json"]]
    if command == "deploys":
        board = json.loads(support.trace(command, "--format", "json", env=read.env).stdout)
        service = board["services"][0]["service"]
        asked = [[command, "--format", "json"], [command, service, "--format", "json"], [command, service, "--utc"]]
    if command == "why":
        asked += [[command, of[0], "--format", form] for form in ("markdown", "slack")]
    for words in asked:
        expected = support.trace(*words, env=read.env)
        assert expected.stdout
        found = support.trace(*words, "--from", read.source, env=read.env)
        assert (found.returncode, found.stderr) == (expected.returncode, expected.stderr)
        assert found.stdout.splitlines() == expected.stdout.splitlines(), words


@pytest.mark.parametrize("read", told.INCIDENTS, indirect=True)
def test_comparisons_are_those_of_the_store_word_for_word(read: Read) -> None:
    failed = {"host-down": ("shop/build#47", "shop/deploy#140"), "broken-change": ("shop/build#64", "shop/deploy#189")}
    database = read.source.rpartition("/")[2].replace("_", "-")
    for build in failed[database]:
        for words in (["compare", build], ["compare", build, "--format", "json"]):
            expected = support.trace(*words, env=read.env)
            found = support.trace(*words, "--from", read.source, env=read.env)
            assert (found.returncode, found.stderr) == (expected.returncode, expected.stderr) == (0, "")
            assert found.stdout.splitlines() == expected.stdout.splitlines(), words


@pytest.mark.parametrize("read", ["demo"], indirect=True)
def test_without_a_green_run_both_say_what_to_do(read: Read) -> None:
    said = "there is no green run of app-build before app-build#1 here; compare it with another one: "
    for source, where in (("", ""), (read.source, f" (looked in {read.source}, 400 days back)")):
        done = support.trace("compare", "app-build#1", "--from", source, env=read.env)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"pipeline-trace: {said}pipeline-trace compare 'app-build#1' --with JOB#N{where}\n"


@pytest.mark.parametrize("read", HOMES[:1], indirect=True)
def test_every_question_has_the_same_answer(read: Read) -> None:
    store = Store(Path(read.env["PIPELINE_TRACE_HOME"]) / "traces.db")
    with closing(LocalSource(store)) as local, closing(remote_source(read.source, {})) as remote:
        for asked in questions.questions(read.spans, time.time_ns()).values():
            some = dict(list(asked.items())[::4])
            assert questions.differences(some, remote, local) == []


@pytest.mark.parametrize("read", HOMES, indirect=True)
def test_the_page_is_that_of_the_store(read: Read, tmp_path: Path) -> None:
    for name in (None, *read.builds[:2]):
        pages = []
        for source in ("", read.source):
            done = support.trace(
                "report", *([name] if name else []), "-o", tmp_path / "page", "--from", source, env=read.env
            )
            assert (done.returncode, done.stderr) == (0, "")
            pages.append(without_time((tmp_path / "page").read_text()))
        # The commands on the page ask the same source.
        assert f" --from {read.source}</code>" in pages[1]
        pages[1] = pages[1].replace(f" --from {read.source}", "")
        assert pages[0].splitlines() == pages[1].splitlines(), name


@pytest.mark.parametrize("read", ["demo"], indirect=True)
def test_the_variable_names_the_source_and_the_option_is_stronger(read: Read, tmp_path: Path, engine: Engine) -> None:
    expected = support.trace("show", env=read.env).stdout
    (tmp_path / "elsewhere").mkdir()
    empty = support.environ(tmp_path / "elsewhere")
    clickhouse_schema.create(engine, database="empty")
    named = {**empty, "PIPELINE_TRACE_SOURCE": read.source}
    assert support.trace("show", env=named).stdout == expected
    nothing = support.trace("show", "--from", read.source.rpartition("/")[0] + "/empty", env=named)
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "there is no trace here yet" in nothing.stderr
    # This machine's store.
    assert (
        support.trace("show", "--from", "", env={**read.env, "PIPELINE_TRACE_SOURCE": "clickhouse://none.invalid"}).stdout
        == expected
    )


@pytest.mark.parametrize("read", ["demo"], indirect=True)
def test_what_was_left_out_is_told_beside_the_answer(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("source", "queries"):
        monkeypatch.setattr(f"pipeline_trace.lookup.clickhouse.{module}.MOST_OF_A_TRACE", 20)
    done = support.trace("show", "--from", read.source, env=read.env)
    assert done.returncode == 0
    assert re.fullmatch(r"pipeline-trace: trace [0-9a-f]{32} has more than 20 spans; the others are left out\n", done.stderr)
    assert "left out" not in done.stdout


# A ClickHouse that is not there


@pytest.fixture
def dead(tmp_path: Path) -> Env:
    """An environment that names a source which nobody answers at, as after a kill."""
    return support.environ(tmp_path, PIPELINE_TRACE_SOURCE=f"clickhouse://reader@127.0.0.1:{free_port()}/otel")


@pytest.mark.parametrize("words", [["show"], ["path"], ["why"], ["report"], ["show", "app#1"], ["path", "17"]])
def test_what_needs_it_says_so_in_one_line(dead: Env, words: list[str]) -> None:
    done = support.trace(*words, env=dead)
    assert (done.returncode, done.stdout) == (1, "")
    said = f"pipeline-trace: {dead['PIPELINE_TRACE_SOURCE']}?table=otel_traces: "
    assert done.stderr == f"{said}nothing answers there; check host and port, and that ClickHouse runs\n"


def test_what_does_not_need_it_works_without(dead: Env, tmp_path: Path) -> None:
    with Replay(support.recording("10")) as jenkins:
        assert support.poll(jenkins.url, env=dead).returncode == 0
    log = tmp_path / "build.log"
    log.write_text("make: *** [Makefile:3: test] Error 1\n")
    for words in (
        ["show", "--from", ""],
        ["path", "--from", ""],
        ["why", "--log", str(log)],
        ["ship"],
        ["prune", "--keep", "30d"],
        ["context"],
        ["doctor"],
        ["show", "--help"],
    ):
        done = support.trace(*words, env=dead)
        assert "clickhouse" not in done.stderr, words
        assert "Traceback" not in done.stderr
        # `doctor` has more to say about this environment.
        assert done.returncode == 0 or words[0] in ("path", "doctor", "context"), (words, done.stderr)
    ran = support.spawn("exec", "--", "true", env=dead)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_source_that_is_killed_between_two_questions_is_one_line(tmp_path: Path, env: Env) -> None:
    with Engine(tmp_path / "engine") as engine:
        clickhouse_schema.create(engine)
        source = f"clickhouse://default@127.0.0.1:{engine.port}/default"
        assert "there is no trace here yet" in support.trace("show", "--from", source, env=env).stderr
        engine.kill()
        done = support.trace("show", "--from", source, env=env)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "nothing answers there" in done.stderr
