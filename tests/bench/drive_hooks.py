"""Drives Ansible's real TaskQueueManager.send_callback with real objects, without forking: one measurement, one process.

Runs with the Python of the benchmark's environment: ``drive_hooks.py CALLBACK HOST_TASKS``; CALLBACK is a plugin's full
name, or ``none``. Notes what it measured as marks.py says.
"""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

from ansible import context
from ansible.executor import task_result
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.plugins.loader import callback_loader, init_plugin_loader
from ansible.vars.manager import VariableManager
from marks import Marks, peak_kb, reset_peak

HOSTS = 50
# ansible-core 2.19 renamed it.
Result: Any = getattr(task_result, "_RawTaskResult", None) or task_result.TaskResult  # type: ignore[attr-defined]
# What a command task returns.
RETURNED = {
    "changed": True,
    "stdout": "x" * 200,
    "stdout_lines": ["x" * 200],
    "stderr": "",
    "stderr_lines": [],
    "rc": 0,
    "cmd": ["true"],
    "start": "2026-01-01 00:00:00.000000",
    "end": "2026-01-01 00:00:00.001000",
    "delta": "0:00:00.001000",
    "msg": "",
    "invocation": {"module_args": {"cmd": "true", "creates": None, "chdir": None}},
}


class Run:
    """A play of ``count`` host-tasks over 50 hosts, and what Ansible needs around it."""

    def __init__(self, count: int) -> None:
        self.loader = DataLoader()
        names = "".join(f"h{number}," for number in range(HOSTS))
        inventory = InventoryManager(loader=self.loader, sources=[names])
        variables = VariableManager(loader=self.loader, inventory=inventory)
        self.manager = TaskQueueManager(
            inventory=inventory, variable_manager=variables, loader=self.loader, passwords={}, stdout_callback_name="minimal"
        )
        tasks = [{"name": f"task {n}", "action": {"module": "command", "cmd": "true"}} for n in range(count // HOSTS)]
        data = {"name": "play", "hosts": "all", "gather_facts": "no", "tasks": tasks}
        self.play = Play().load(data, variable_manager=variables, loader=self.loader)
        self.tasks = [task for block in self.play.tasks for task in block.block]
        self.hosts = inventory.get_hosts()

    def use(self, name: str) -> None:
        """Have one callback plugin, and no other."""
        if name == "none":
            self.manager._callback_plugins = []
            return
        plugin = callback_loader.get(name)
        assert plugin, f"no callback {name}"
        # Since ansible-core 2.19.
        getattr(plugin, "_init_callback_methods", lambda: None)()
        plugin.set_options()
        self.manager._callback_plugins = [plugin]

    def begin(self) -> None:
        """Send what comes before the first task."""
        self.manager.send_callback("v2_playbook_on_start", SimpleNamespace(_file_name="site.yml", _loader=self.loader))
        self.manager.send_callback("v2_playbook_on_play_start", self.play)

    def run_tasks(self) -> float:
        """Send all hooks of the tasks; return the seconds of this process's CPU that they cost."""
        send, began = self.manager.send_callback, time.process_time()
        for task in self.tasks:
            send("v2_playbook_on_task_start", task, is_conditional=False)
            for host in self.hosts:
                send("v2_runner_on_start", host, task)
            for host in self.hosts:
                fields = {"name": task.name, "action": task.action}
                send("v2_runner_on_ok", Result(host=host, task=task, return_data=dict(RETURNED), task_fields=fields))
        return time.process_time() - began

    def end(self) -> None:
        """Send what comes after the last task."""
        for host in self.hosts:
            self.manager._stats.increment("ok", host.name)
        disabled = [plugin for plugin in self.manager._callback_plugins if plugin.disabled]
        assert not disabled, f"{disabled} gave up"
        self.manager.send_callback("v2_playbook_on_stats", self.manager._stats)


def main(callback: str, count: int) -> None:
    """Measure one callback."""
    # First, so that its own atexit handler runs last.
    marks = Marks()
    context.CLIARGS = ImmutableDict(connection="local", forks=5, args=("site.yml",), inventory=(), extra_vars=())
    init_plugin_loader()
    run = Run(count)
    run.use(callback)
    reset_peak()
    marks.notes["before_kb"] = peak_kb()
    run.begin()
    marks.notes["hooks_cpu_s"] = run.run_tasks()
    marks.last_hook()
    run.end()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
