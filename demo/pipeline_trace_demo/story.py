"""The story of the demo: a replayed build deploys three times, real playbooks do the deploying, the poller reads on."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jenkins_poller import build as jenkins_build
from jenkins_poller import flow
from jenkins_poller.api import Controller
from jenkins_poller.build import Fetched
from pipeline_trace.ci import jenkins_facts
from pipeline_trace.ci.jenkins import Build, normalise

from .recording import Recording
from .replay import Replay
from .times import TimeMap

_HERE = Path(__file__).parent
RECORDING = _HERE / "recordings" / "11-app-build-deploy.jsonl"
PLAYBOOKS = _HERE / "playbooks"
DEPLOYS = (1, 2, 3)
JOB, STAGE = "app-deploy", "Run playbook"
# The step that runs the playbook begins before it and ends after it; the builds between two deploys take their time too.
_MARGIN_MS = 150
_PAUSE_SECONDS = 1.2


class StoryError(Exception):
    """The demo cannot go on. The message says what to do."""


@dataclass(frozen=True)
class Deploy:
    """A recorded build that deploys: its environment, and when its step ran in recorded time (epoch ms)."""

    environment: Mapping[str, str]
    start_ms: int
    end_ms: int

    @property
    def target(self) -> str:
        """Return the name of the environment it deploys to."""
        return self.environment["ENVIRONMENT"]


def deploys(jenkins: Replay, job: str = JOB, stage: str = STAGE, numbers: Sequence[int] = DEPLOYS) -> list[Deploy]:
    """Return the recorded deploys, with the environment variables which those builds had."""
    controller = Controller(jenkins.url)
    found = []
    for number in numbers:
        build = Build(normalise(jenkins.root_url), job, number)
        document = jenkins_build.own_document(controller, build, jenkins_build.STEP)
        fetched = jenkins_build.fetch(controller, build, document, jenkins_build.STEP)
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
        **jenkins_facts.parameters(fetched.document),
    }
    return Deploy(environment, times.start_ms, times.end_ms)


@dataclass
class Story:
    """One telling, in a folder of its own: store, hosts and report. ``say`` is called before each piece of work."""

    folder: Path
    say: Callable[[str], None]

    def tell(self) -> str:
        """Run the deploys and the poller; return the URL of the build that started it all. Raises StoryError."""
        environ = self._environment()
        with Replay(Recording.load(RECORDING)) as jenkins:
            anchors: list[tuple[int, int]] = []
            for deploy in deploys(jenkins):
                if anchors:
                    time.sleep(_PAUSE_SECONDS)
                self.say(f"ansible-playbook deploys to {deploy.target}, as {JOB} #{deploy.environment['BUILD_NUMBER']} does")
                started = time.time_ns() // 1_000_000
                self._run([*_ansible(), *self._playbook(deploy)], {**environ, **deploy.environment})
                ended = time.time_ns() // 1_000_000
                anchors += [(deploy.start_ms, started - _MARGIN_MS), (deploy.end_ms, ended + _MARGIN_MS)]
            # The recorded builds are shown at the times of the real deploys.
            jenkins.time_map = TimeMap(anchors)
            self.say("pipeline-trace poll --once reads the builds from the replayed Jenkins")
            self._run([*_command(), "poll", "--once", "--jenkins-url", jenkins.url], environ)
            return f"{jenkins.url}/job/app-build/1/"

    def _environment(self) -> dict[str, str]:
        """Return what a shell on this machine would hand over, without what leads elsewhere."""
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

    def _playbook(self, deploy: Deploy) -> list[str]:
        inventory = PLAYBOOKS / "inventories" / f"{deploy.target}.yml"
        variables = f"version={deploy.environment['VERSION']} demo_hosts={self.folder / 'hosts'}"
        return ["-i", str(inventory), "-e", variables, str(PLAYBOOKS / "deploy.yml")]

    def _run(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        log = self.folder / "demo.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\n")
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise StoryError(
                f"{Path(command[0]).name} ended with {done.returncode} ({''.join(last)}); all it said is in {log}"
            )


def collections_path() -> Path:
    """Return the folder in which Ansible finds our collection, wherever this package is installed."""
    spec = importlib.util.find_spec("ansible_collections.pipeline_trace.otel")
    if spec is None or not spec.submodule_search_locations:
        raise StoryError("the collection pipeline_trace.otel is not installed; pip install pipeline-trace")
    return Path(next(iter(spec.submodule_search_locations))).parents[2]


def _command() -> list[str]:
    return [sys.executable, "-m", "pipeline_trace"]


def _ansible() -> list[str]:
    return [sys.executable, "-m", "ansible", "playbook"]
