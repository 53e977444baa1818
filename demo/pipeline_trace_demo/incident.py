"""Wednesday, 4:30 pm: two deploys fail. One is a host's fault, the other the change's; real playbooks fail both ways."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from .recording import Recording
from .replay import Replay
from .story import replay_deploys
from .telling import PLAYBOOKS, RECORDINGS, Deploy, StoryError, Telling, deploys
from .times import TimeMap

# ansible-playbook's exit status where hosts could not be reached, and where tasks failed.
_UNREACHABLE, _FAILED = 4, 2


@dataclass(frozen=True)
class Incident:
    """What goes wrong in a recording. ``failing``: deploys; ``build`` and ``commit``: what people ask about."""

    title: str
    recording: str
    failing: Sequence[tuple[str, int]]
    build: str
    commit: str
    broken: bool


HOST_DOWN = Incident(
    title="shop's deploy to staging fails, three reruns fail alike, and another team's deploy fails too",
    recording="95-incident-host-down.jsonl",
    failing=(("shop/deploy", 134), ("shop/deploy", 136), ("orders/deploy", 148), ("shop/deploy", 138), ("shop/deploy", 140)),
    build="shop/build#47",
    commit="9e0a338",
    broken=False,
)
BROKEN_CHANGE = Incident(
    title="a new commit's deploy to integration fails, two reruns fail alike; the other team stays green",
    recording="97-incident-broken-change.jsonl",
    failing=(("shop/deploy", 187), ("shop/deploy", 188), ("shop/deploy", 189)),
    build="shop/build#64",
    commit="63d034d",
    broken=True,
)


def tell(telling: Telling, incident: Incident) -> list[tuple[str, str]]:
    """Run the failing deploys and the poller; return the questions that people ask, and the answers. Raises StoryError."""
    if not incident.broken and not shutil.which("ssh"):
        raise StoryError("the incident needs an ssh client; install openssh-client")
    with Replay(Recording.load(RECORDINGS / incident.recording)) as jenkins:
        expected = _FAILED if incident.broken else _UNREACHABLE
        failing = deploys(jenkins, incident.failing)
        anchors = replay_deploys(telling, failing, lambda deploy: _playbook(telling, deploy, incident), expected)
        jenkins.time_map = TimeMap(anchors)
        telling.say("pipeline-trace poll --once reads the builds from the replayed Jenkins")
        telling.command("poll", "--once", "--jenkins-url", jenkins.url)
        questions = [("why", incident.build), ("path", incident.commit)]
        return [(f"pipeline-trace {' '.join(question)}", telling.command(*question)) for question in questions]


def _playbook(telling: Telling, deploy: Deploy, incident: Incident) -> list[str]:
    variables = {
        "version": deploy.environment["VERSION"],
        "environment_name": deploy.target,
        "demo_hosts": str(telling.folder / "hosts" / deploy.environment["JOB_NAME"].partition("/")[0]),
        "closed_port": "" if incident.broken else str(_closed_port()),
        "db_url": "" if incident.broken else "postgres://db/shop",
    }
    words = [f"{name}={value}" for name, value in variables.items()]
    inventory = PLAYBOOKS / "inventories" / "incident.yml"
    return ["-i", str(inventory), *(part for word in words for part in ("-e", word)), str(PLAYBOOKS / "incident.yml")]


def _closed_port() -> int:
    """Return a port on this machine on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
