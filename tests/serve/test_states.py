"""How `serve` lists a real playbook while it runs elsewhere, and when it has ended."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
import support
from support.runs import Run
from support.serving import Server

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: First
      debug: {msg: done}
    - name: Second
      wait_for: {path: "{{ go }}", sleep: 1, timeout: 100}
"""


def text(url: str) -> str:
    with urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


def listed(server: Server, wanted: str) -> str:
    """Return the page with the list as soon as a result is on it."""
    deadline = time.monotonic() + 60
    while f"</span> {wanted}</span>" not in (page := text(f"{server.url}/traces")):
        assert time.monotonic() < deadline, page
        time.sleep(0.2)
    return page


@pytest.mark.process
def test_a_playbook_that_goes_on_elsewhere_is_incomplete_until_it_has_ended(tmp_path: Path) -> None:
    go = tmp_path / "go"
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    with Server(support.environ(here)) as server:
        env = support.environ(there, OTEL_EXPORTER_OTLP_ENDPOINT=server.url)
        run = Run(there / "run", env, support.write_playbook(there, PLAYBOOK), "-e", f"go={go}", hosts="h1,")
        try:
            page = listed(server, "Incomplete")
            assert "Succeeded</span>" not in page
            trace = re.search(r'href="(/trace/[0-9a-f]{32})"', page)
            assert trace
            shown = text(server.url + trace[1])
            assert "Nothing failed so far." in shown
            assert "has not arrived" in shown
        finally:
            go.touch()
        assert run.end() == 0
        assert "Incomplete</span>" not in listed(server, "Succeeded")
        assert "Nothing failed." in text(server.url + trace[1])
