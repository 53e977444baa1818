# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Ansible's hooks, each a line or two: what they mean is in plugin_utils/playbook_spans.py."""

from __future__ import annotations

DOCUMENTATION = r"""
name: deploy_trace
type: notification
short_description: Traces playbooks with OpenTelemetry, within the trace of the Jenkins build that runs them
version_added: "0.1.0"
description:
  - Makes a span of every playbook, play, task and host, while the playbook runs.
  - The spans are part of the trace that E(TRACEPARENT) names, else of the Jenkins build that runs the playbook, which
    C(pipeline-trace poll) reports. Nothing has to be handed over.
  - They go to the OpenTelemetry Collector or backend that E(OTEL_EXPORTER_OTLP_ENDPOINT) names; without it into a local
    store, which C(pipeline-trace show) and C(pipeline-trace report) read.
  - Whatever goes wrong in here is one warning; the playbook's result is its own.
author: The pipeline-trace authors (@pipeline-trace)
requirements:
  - enabled in C(callbacks_enabled)
  - opentelemetry-sdk and opentelemetry-exporter-otlp (Python), to send to a Collector or backend
options:
  flush_limit:
    description: How many seconds the end of ansible-playbook may wait until all spans are delivered.
    type: float
    default: 5.0
    env:
      - name: PIPELINE_TRACE_FLUSH_LIMIT
    ini:
      - section: callback_deploy_trace
        key: flush_limit
  trace_per:
    description:
      - V(pipeline) makes one trace of a chain of Jenkins builds; the controller is asked for the chain.
      - V(build) makes a trace of every build, linked to its upstream, and nobody is asked; set it for
        C(pipeline-trace poll) too.
    type: str
    choices: [pipeline, build]
    default: pipeline
    env:
      - name: PIPELINE_TRACE_PER
    ini:
      - section: callback_deploy_trace
        key: trace_per
"""

import functools
import os
from pathlib import Path

from ansible import context
from ansible.module_utils.ansible_release import __version__ as ansible_version
from ansible.plugins.callback import CallbackBase

PROBLEM = ""
try:
    from ansible_collections.pipeline_trace.otel.plugins.plugin_utils.recorder import Recorder
except ImportError as error:
    Recorder = None
    PROBLEM = f"{error}; run {os.sys.executable} -m pip install pipeline-trace"


def _safely(hook):
    """Whatever goes wrong in a hook is one warning, and the end of the tracing of this run."""

    @functools.wraps(hook)
    def safe(self, *args, **kwargs):
        if self.disabled:
            return
        try:
            hook(self, *args, **kwargs)
        except Exception as problem:
            self._give_up(f"{type(problem).__name__}: {problem}")

    return safe


class CallbackModule(CallbackBase):
    """Makes spans of what runs."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "pipeline_trace.otel.deploy_trace"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, display=None, options=None):
        super().__init__(display, options)
        self._recorder = None
        if Recorder is None:
            self._give_up(PROBLEM)

    def _give_up(self, problem):
        self.disabled = True
        self._display.warning(f"pipeline-trace: this run is not traced any further ({problem})")

    @_safely
    def v2_playbook_on_start(self, playbook):
        if self._recorder is None:
            self._recorder = Recorder(
                os.environ,
                ansible_version=ansible_version,
                flush_limit=self.get_option("flush_limit"),
                trace_per=self.get_option("trace_per"),
                several=len(context.CLIARGS.get("args", ())) > 1,
                warn=self._display.warning,
                say=functools.partial(self._display.display, stderr=True),
            )
            self.disabled = not self._recorder.active
        if not self.disabled:
            self._recorder.spans.playbook(Path(playbook._file_name).name)

    @_safely
    def v2_playbook_on_play_start(self, play):
        self._recorder.spans.play(play.get_name().strip(), strategy=str(play.strategy))

    @_safely
    def v2_playbook_on_task_start(self, task, is_conditional):
        self._recorder.spans.task(task._uuid, task.get_name().strip(), task.action)

    @_safely
    def v2_playbook_on_handler_task_start(self, task):
        self._recorder.spans.task(task._uuid, task.get_name().strip(), task.action)

    @_safely
    def v2_runner_on_start(self, host, task):
        self._recorder.spans.host_start(task._uuid, host.name)

    @_safely
    def v2_runner_on_ok(self, result):
        self._ended(result, "changed" if result._result.get("changed") else "ok")

    @_safely
    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._ended(result, "ignored" if ignore_errors else "failed")

    @_safely
    def v2_runner_on_unreachable(self, result):
        self._ended(result, "unreachable")

    @_safely
    def v2_runner_on_skipped(self, result):
        self._ended(result, "skipped")

    @_safely
    def v2_playbook_on_stats(self, stats):
        self._recorder.spans.end()

    def _ended(self, result, outcome):
        self._recorder.spans.host_end(result._task._uuid, result._host.name, outcome, result._result)
