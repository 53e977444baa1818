"""Playbooks with one task or a few, for the agent itself, and what they say besides the log."""

from __future__ import annotations

from lab.model import Reply, Site
from lab.packages import archive

RUN = "ansible-playbook -i hosts site.yml"
LOCAL = "[app]\napp1.internal ansible_connection=local\n"
RELEASE = archive({"shop/app.py": "print('shop')\n", "shop/data.bin": b"\x07" * 900_000})
STORE = Site({"/shop/shop-1.8.0.tar.gz": Reply(RELEASE, "application/gzip")}, host="artifacts.internal")
ADDRESS = "https://artifacts.internal/shop/shop-1.8.0.tar.gz"


# Writes the results that end the playbook where the lab looks for them, and nothing into the log.
TELL = """
import json
from ansible.plugins.callback import CallbackBase

LEFT_OUT = ("invocation", "diff", "_ansible_no_log")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME, CALLBACK_NEEDS_ENABLED = 2.0, "notification", "tell", True
    found = []

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.found.clear()  # What failed before was rescued.

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self.tell("failed", result)

    def v2_runner_on_unreachable(self, result):
        self.tell("unreachable", result)

    def tell(self, event, result):
        shown = {key: value for key, value in result.result.items() if key not in LEFT_OUT}
        task = result.task
        self.found.append(
            {"event": event, "host": result.host.get_name(), "task": task.get_name(), "action": task.action, "result": shown}
        )

    def v2_playbook_on_stats(self, stats):
        if self.found:
            with open("/home/jenkins/out/task_result.json", "w") as told:
                json.dump(self.found[0] if len(self.found) == 1 else self.found, told, default=str)
"""


def play(tasks: str, more: str = "") -> dict[str, str | bytes]:
    """Return the files of a playbook for the agent itself. ``more``: keywords of the play."""
    lines = ["- name: Deploy shop", "  hosts: app", "  gather_facts: false", *(f"  {line}" for line in more.splitlines())]
    body = "".join(f"    {line}\n" if line else "\n" for line in tasks.strip("\n").splitlines())
    return {
        "hosts": LOCAL,
        "site.yml": "\n".join(lines) + f"\n  tasks:\n{body}",
        "~/.ansible/plugins/callback/tell.py": TELL,
    }


def module(name: str, arguments: str, title: str) -> str:
    """Return a task. ``arguments``: lines of YAML, not indented."""
    return f"- name: {title}\n  {name}:\n" + "".join(f"    {line}\n" for line in arguments.splitlines())


DOWNLOAD = play(module("ansible.builtin.get_url", f"url: {ADDRESS}\ndest: ./shop.tar.gz\ntimeout: 3", "Fetch the release"))
