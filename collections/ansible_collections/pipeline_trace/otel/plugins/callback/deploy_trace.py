# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The callback plugin: passes Ansible's hooks to the modules in plugin_utils, which do the work."""

from __future__ import annotations

DOCUMENTATION = r"""
name: deploy_trace
type: notification
short_description: Traces playbooks with OpenTelemetry, in the trace of the Jenkins build that runs them
version_added: "0.1.0"
description:
  - Makes a span for every playbook, play, role, block, task and host while the playbook runs.
  - The spans join the trace that E(TRACEPARENT) names. Without it, they join the trace of the Jenkins build that runs the
    playbook, which C(pipeline-trace poll) reports. You do not have to pass ids between the two.
  - The spans go to the OpenTelemetry Collector or backend that E(OTEL_EXPORTER_OTLP_ENDPOINT) names. Without it, they go to
    a local store, which C(pipeline-trace show) and C(pipeline-trace report) read.
  - Every command that a task runs has E(TRACEPARENT) in its environment, also on remote hosts. It names the host's span.
  - Of a task's result, only the message of a failure is sent, with secrets masked.
  - An error in this callback is one warning. It never changes the result of the playbook.
author: The pipeline-trace authors (@pipeline-trace)
requirements:
  - the callback is enabled in C(callbacks_enabled)
  - opentelemetry-sdk and opentelemetry-exporter-otlp (Python), to send to a Collector or backend
extends_documentation_fragment:
  - pipeline_trace.otel.deploy_trace
"""

import functools
import os
import sys
from pathlib import Path

from ansible import constants, context
from ansible.module_utils.ansible_release import __version__ as ansible_version
from ansible.plugins.callback import CallbackBase
from ansible.utils.vars import load_extra_vars

PROBLEM = ""
try:
    from ansible_collections.pipeline_trace.otel.plugins.plugin_utils import core, lineage, results
    from ansible_collections.pipeline_trace.otel.plugins.plugin_utils.recorder import Recorder
    from ansible_collections.pipeline_trace.otel.plugins.plugin_utils.settings import Command, Settings
    from ansible_collections.pipeline_trace.otel.plugins.plugin_utils.verdict import Errors, Verdict
except ImportError as error:
    PROBLEM = f"{error}; run: {sys.executable} -m pip install git+https://github.com/pipeline-trace/pipeline-trace"

_ADHOC = "__adhoc_playbook__"
_PLAY_FIELDS = ("strategy", "serial", "any_errors_fatal", "max_fail_percentage")


def _names(value):
    """Return a list from the command line. It is empty for ad-hoc commands (which have a string) and for the API."""
    return [str(name) for name in value] if isinstance(value, (list, tuple)) else []


def _warn(display, text):
    # Not display.warning(): before ansible-core 2.19 it wraps lines at 79 columns, which breaks commands in them.
    display.display(f"[WARNING]: {text}", color=constants.COLOR_WARN, stderr=True)


def _problem_of_output():
    """Return why the command will fail at its end because nobody reads its output, or an empty string."""
    # Python tries this again at the exit, and then ends with 120.
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        return f"its output could not be written: {error.strerror}"
    except ValueError:
        # It is closed, which Python passes over.
        pass
    return ""


def _safely(hook):
    """Wrap a hook: an exception in it gives one warning and ends the tracing. It never reaches Ansible."""

    @functools.wraps(hook)
    def safe(self, *args, **kwargs):
        if self.disabled:
            return
        try:
            hook(self, *args, **kwargs)
        except Exception as problem:
            self._give_up(
                f"{type(problem).__name__}: {problem}; report it: https://github.com/pipeline-trace/pipeline-trace/issues"
            )

    return safe


class CallbackModule(CallbackBase):
    """Makes the spans of the playbooks of one Ansible command."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "pipeline_trace.otel.deploy_trace"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, display=None, options=None):
        super().__init__(display, options)
        self._recorder = None
        self._spans = None
        if PROBLEM:
            self._give_up(PROBLEM)
        else:
            self._verdict = Verdict()
            self._errors = Errors(self._display)

    def set_options(self, task_keys=None, var_options=None, direct=None):
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        self._set_up()

    @_safely
    def _set_up(self):
        command = Command(
            playbooks=_names(context.CLIARGS.get("args")),
            inventories=_names(context.CLIARGS.get("inventory")),
            check_mode=bool(context.CLIARGS.get("check")),
            module=context.CLIARGS.get("module_name"),
        )
        self._recorder = Recorder(
            os.environ,
            Settings.read(self.get_option),
            command,
            ansible_version=ansible_version,
            warn=functools.partial(_warn, self._display),
            say=functools.partial(self._display.display, stderr=True),
            verdict=self._verdict,
            errors=self._errors,
        )
        self.disabled = not self._recorder.wanted

    def _give_up(self, problem):
        self.disabled = True
        _warn(self._display, f"pipeline-trace: tracing stops here, the playbook continues ({problem})")
        if self._recorder is not None:
            self._recorder.give_up()

    @_safely
    def v2_playbook_on_start(self, playbook):
        name = Path(playbook._file_name).name
        if self._begin(playbook):
            adhoc = name == _ADHOC
            self._spans.playbook(name, f"ansible {self._recorder.command.module}" if adhoc else f"playbook {name}")

    def _begin(self, source):
        """Start the recording if needed. Return whether this run is recorded. ``source``: a playbook or play."""
        if not self._recorder.begin(functools.partial(load_extra_vars, loader=source._loader)):
            self.disabled = True
            return False
        self._spans = self._recorder.spans
        self._carrier = self._recorder.carrier
        return True

    @_safely
    def v2_playbook_on_play_start(self, play):
        # Programs that use Ansible's API may run plays without a playbook.
        if not self._begin(play):
            return
        names = core.conventions
        name = play.get_name().strip()
        fields = {f"{names.ANSIBLE_PLAY_PREFIX}{field}": getattr(play, field, None) for field in _PLAY_FIELDS}
        given = {
            field: value if isinstance(value, (bool, int, float)) else str(value) for field, value in fields.items() if value
        }
        self._errors.pass_over()
        self._spans.play(name, {names.ANSIBLE_PLAY_NAME: core.redact.masked(name), **given}, self._verdict.play())

    @_safely
    def v2_playbook_on_no_hosts_matched(self):
        self._spans.no_hosts("matched")

    @_safely
    def v2_playbook_on_no_hosts_remaining(self):
        self._spans.no_hosts("remaining")

    @_safely
    def v2_playbook_on_task_start(self, task, is_conditional):
        self._task(task, {})

    @_safely
    def v2_playbook_on_handler_task_start(self, task):
        self._task(task, self._spans.handler(task._uuid, lineage.handler_names(task)))

    @_safely
    def v2_runner_on_start(self, host, task):
        span_id = self._spans.host_start(task._uuid, host.name)
        if self._carrier and span_id:
            self._carrier.hand(span_id)

    @_safely
    def v2_runner_on_ok(self, result):
        self._ended(result, results.CHANGED if results.is_changed(result) else results.OK)

    @_safely
    def v2_runner_on_failed(self, result, ignore_errors=False):
        if results.is_terminated(results.data(result)):
            self._recorder.doubt()
        if ignore_errors:
            self._ended(result, results.IGNORED)
        else:
            # Ansible has shown the error of an include that failed.
            self._errors.pass_over()
            rescued = self._verdict.is_rescued(result._host.name)
            self._ended(result, results.RESCUED if rescued else results.FAILED)

    @_safely
    def v2_runner_on_unreachable(self, result):
        self._ended(result, results.IGNORED if result._task.ignore_unreachable else results.UNREACHABLE)

    @_safely
    def v2_runner_on_skipped(self, result):
        self._ended(result, results.SKIPPED)

    @_safely
    def v2_runner_item_on_ok(self, result):
        self._item(result, results.CHANGED if results.data(result).get("changed") else results.OK)

    @_safely
    def v2_runner_item_on_failed(self, result):
        if results.is_terminated(results.data(result)):
            self._recorder.doubt()
        self._item(result, results.FAILED)

    @_safely
    def v2_runner_item_on_skipped(self, result):
        self._item(result, results.SKIPPED)

    @_safely
    def v2_runner_retry(self, result):
        self._spans.hosts.retry(result._host.name, results.data(result))

    @_safely
    def v2_runner_on_async_poll(self, result):
        self._spans.host_event(result._host.name, "async poll", results.asynchronous(results.data(result)))

    @_safely
    def v2_runner_on_async_failed(self, result):
        self._spans.host_event(result._host.name, "async failed", results.asynchronous(results.data(result)))

    @_safely
    def v2_on_file_diff(self, result):
        self._spans.diff()

    @_safely
    def v2_playbook_on_stats(self, stats):
        self._recorder.went_on()
        self._errors.pass_over()
        counts = ((host, stats.summarize(host)) for host in sorted(stats.processed))
        self._spans.recap(counts, _problem_of_output())

    def _task(self, task, attributes):
        if self._carrier:
            # First: with the free strategy, another host's task may have been the last one.
            self._carrier.enter(task)
        if self._spans.has(task._uuid):
            return
        found = results.task(task, arguments=self._recorder.settings.task_arguments)
        self._spans.task(
            task._uuid,
            lineage.short_name(task),
            {**found, **attributes},
            lineage.groups(task),
            # Only in these cases does a successful result have details to read.
            telling=bool(task.delegate_to or task.until or "{{" in str(task.action)),
            including=lineage.is_include(task),
            notifies=lineage.words(task.notify),
        )

    def _item(self, result, outcome):
        self._spans.hosts.item(result._host.name, outcome, results.data(result))

    def _ended(self, result, outcome):
        if self._spans.host_end(result._task._uuid, result._host.name, outcome, result) and self._carrier:
            self._carrier.rest()
