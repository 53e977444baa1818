"""Runs what the demo needs: real playbooks, in the environment of recorded builds, and real pipeline-trace commands."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jenkins_poller.fetch import flow
from jenkins_poller.fetch.api import Controller
from jenkins_poller.fetch.build import Fetched, Reader
from jenkins_poller.fetch.document import STEP, own_document
from jenkins_poller.fetch.errors import ApiError
from pipeline_trace.place.ci.jenkins import documents
from pipeline_trace.place.ci.jenkins.identity import Build, normalised_url
from pipeline_trace.trace.queries import build_name

from .replay import Replay

_HERE = Path(__file__).parent
RECORDINGS = _HERE / "recordings"
PLAYBOOKS = _HERE / "playbooks"
STAGE = "Run playbook"


class StoryError(Exception):
    """The demo failed. The message says what to do."""


@dataclass(frozen=True)
class Deploy:
    """A recorded build that deploys. ``environment``: its environment variables.

    ``start_ms``, ``end_ms``: when its step ran, in recorded time, milliseconds since the epoch.
    """

    environment: Mapping[str, str]
    start_ms: int
    end_ms: int

    @property
    def target(self) -> str:
        """Return the environment that it deploys to, for example staging."""
        return self.environment["ENVIRONMENT"]

    @property
    def name(self) -> str:
        """Return the build's name."""
        return build_name(self.environment["JOB_NAME"], self.environment["BUILD_NUMBER"])


def deploys(jenkins: Replay, builds: Sequence[tuple[str, int]], stage: str = STAGE) -> list[Deploy]:
    """Return the deploys of recorded builds. ``builds``: jobs and build numbers. ``stage``: the stage that deploys."""
    controller = Controller(jenkins.url)
    reader = Reader(controller, STEP)
    found = []
    for job, number in builds:
        build = Build(normalised_url(jenkins.root_url), job, number)
        fetched = reader.fetch({build: own_document(controller, build, STEP)}, number)[build]
        if isinstance(fetched, ApiError):
            raise fetched
        found.append(_deploy(fetched, jenkins.root_url, stage))
    return found


def _deploy(fetched: Fetched, root_url: str, stage_name: str) -> Deploy:
    stage = next(stage for stage in fetched.flow.stages() if stage.name == stage_name)
    step = next(child for child in stage.children if child.kind == flow.STEP)
    times = fetched.times[step.id]
    environment = {
        "JENKINS_URL": f"{root_url}/",
        "JOB_NAME": fetched.build.job,
        "BUILD_NUMBER": str(fetched.build.number),
        "BUILD_URL": str(fetched.document["url"]),
        "STAGE_NAME": stage.name,
        "NODE_NAME": fetched.agents[stage.agent_id or ""],
        **documents.parameters_of(fetched.document),
    }
    return Deploy(environment, times.start_ms, times.end_ms)


@dataclass
class Telling:
    """One run of the demo. ``folder``: for store, hosts and report. ``say``: called before each piece of work."""

    folder: Path
    say: Callable[[str], None]

    @property
    def environment(self) -> dict[str, str]:
        """Return this process's environment for the demo, without variables for other traces, receivers and controllers."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OTEL_", "PIPELINE_TRACE_", "JENKINS_"))
        }
        for name in ("TRACEPARENT", "TRACESTATE", "BAGGAGE"):
            kept.pop(name, None)
        return {
            **kept,
            "PIPELINE_TRACE_HOME": str(self.folder),
            "ANSIBLE_CONFIG": str(self._ansible_cfg()),
            "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
        }

    def _ansible_cfg(self) -> Path:
        path = self.folder / "ansible.cfg"
        path.write_text("[defaults]\ncallbacks_enabled = pipeline_trace.otel.deploy_trace\n", encoding="utf-8")
        return path

    def ansible(self, deploy: Deploy, arguments: Sequence[str], expected: int = 0) -> None:
        """Run a playbook as a build does. ``expected``: the exit status. Raises StoryError if it is another one."""
        command = [sys.executable, "-m", "ansible", "playbook", *arguments]
        self._run(command, {**self.environment, **deploy.environment}, expected)

    def command(self, *arguments: str) -> str:
        """Run a pipeline-trace command; return what it prints. Raises StoryError if it fails."""
        return self._run([sys.executable, "-m", "pipeline_trace", *arguments], self.environment, 0)

    def _run(self, command: Sequence[str], environ: Mapping[str, str], expected: int) -> str:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        log = self.folder / "demo.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\n")
        if done.returncode != expected:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise StoryError(
                f"{Path(command[0]).name} exited with {done.returncode} ({''.join(last)}); its output is in {log}"
            )
        return done.stdout


def collections_path() -> Path:
    """Return the folder where Ansible finds the collection pipeline_trace.otel. Raises StoryError if there is none."""
    spec = importlib.util.find_spec("ansible_collections.pipeline_trace.otel")
    if spec is None or not spec.submodule_search_locations:
        raise StoryError("the collection pipeline_trace.otel is not installed; install pipeline-trace with pip")
    return Path(next(iter(spec.submodule_search_locations))).parents[2]
