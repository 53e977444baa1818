"""The first report of a server: what it needs is ready before somebody asks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import support

from pipeline_trace.answers.headline import prepare
from pipeline_trace.ownership.log import rules

# A new process: in this one, the browser of other tests may run an event loop.
_START_AND_END = """
import os, signal, sys
from pathlib import Path
from pipeline_trace.delivery.home import Home
from pipeline_trace.ownership.log import rules
from pipeline_trace.serve import run
from pipeline_trace.serve.retention import Keep
settings = run.ServeSettings("127.0.0.1", 0, 0, Keep(3600, 1 << 30))
run.run(Home(Path(sys.argv[1])), settings, lambda listening: os.kill(os.getpid(), signal.SIGTERM))
print(rules._load.cache_info().currsize)
"""


@pytest.mark.process
def test_the_rules_are_read_when_the_server_starts(tmp_path: Path, env: dict[str, str]) -> None:
    done = support.run(sys.executable, "-c", _START_AND_END, tmp_path, env=env)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_damaged_rules_do_not_stop_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules: 5", encoding="utf-8")
    monkeypatch.setenv(rules.VARIABLE, str(path))
    prepare()
