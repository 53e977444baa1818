"""The pictures of the docs, from the demo's incident and a playbook that runs meanwhile: `make pictures`.

Usage: .venv/bin/python scripts/pictures.py [FOLDER]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.report_pages import ARGUMENTS, CHROMIUM
from support.serving import Server

ROOT = Path(__file__).parent.parent

PICTURES = {
    "now": "/",
    "deploys": "/deploys?service=shop&result=failed",
    "service": "/service?name=shop&environment=staging",
    "job": "/job?name=shop/deploy",
    "platform": "/platform",
}
# Behind what failed on the first page: its trace, and the comparison with the last green run.
BEHIND = ("trace", "compare")
WIDTH, HEIGHT = 1200, 620
# It waits while the pictures are taken.
PLAYBOOK = """
- hosts: web1, web2
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - name: Upload the new version
      ansible.builtin.command: "true"
    - name: Restart the application
      ansible.builtin.command: sleep 600
"""
EXTRA = "deployment_environment=production app_name=shop app_version=1.7.3"


def main(folder: Path) -> None:
    """Write the pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        told = Path(temporary) / "told"
        subprocess.run(["pipeline-trace", "demo", "--incident", "-o", told], check=True, stdout=subprocess.DEVNULL)
        environ = {**os.environ, "PIPELINE_TRACE_HOME": str(told / "host-down")}
        playing = _play(Path(temporary), environ)
        try:
            with Server(environ) as server, sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
                page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT}, timezone_id="UTC")
                for name, path in PICTURES.items():
                    _shot(page, server.url + path, folder / f"{name}.png")
                page.goto(server.url)
                page.locator(".board .since-then a").first.click()
                page.goto(page.url.partition("#")[0])
                page.screenshot(path=folder / "trace.png")
                page.get_by_role("link", name="Compare with the last green run").click()
                page.screenshot(path=folder / "compare.png")
                chromium.close()
        finally:
            playing.terminate()
            playing.wait()
    sys.stdout.write(f"{len(PICTURES) + len(BEHIND)} pictures in {folder}\n")


def _play(folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    playbook = folder / "site.yml"
    playbook.write_text(PLAYBOOK)
    callback = {
        "ANSIBLE_CALLBACKS_ENABLED": "pipeline_trace.otel.deploy_trace",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
    }
    command = ["ansible-playbook", "-i", "web1,web2,", "-e", EXTRA, playbook]
    return subprocess.Popen(command, env={**environ, **callback}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _shot(page: Page, address: str, path: Path) -> None:
    page.goto(address)
    if path.stem == "now":
        page.get_by_text("Restart the application").wait_for(timeout=60_000)
    page.screenshot(path=path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs" / "images")
