"""The story of `demo`: a replayed build deploys three times, with real playbooks, and the poller reads its builds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .recording import Recording
from .replay import Replay
from .telling import PLAYBOOKS, RECORDINGS, Deploy, Telling, deploys
from .times import TimeMap

RECORDING = RECORDINGS / "app-build-deploy.jsonl"
DEPLOYS = (("app-deploy", 1), ("app-deploy", 2), ("app-deploy", 3))
# The Pipeline step begins before the playbook and ends after it. Between two deploys, the builds need time too.
MARGIN_MS = 150
PAUSE_SECONDS = 1.2


def tell(telling: Telling) -> str:
    """Run the deploys and the poller. Return the URL of the first build of the chain. Raises StoryError."""
    with Replay(Recording.load(RECORDING)) as jenkins:
        anchors = replay_deploys(telling, deploys(jenkins, DEPLOYS), lambda deploy: _playbook(telling, deploy))
        # Show the recorded builds at the times of the real deploys.
        jenkins.time_map = TimeMap(anchors)
        telling.say("pipeline-trace poll --once reads the builds from the replayed Jenkins")
        telling.command("poll", "--once", "--jenkins-url", jenkins.url)
        return f"{jenkins.url}/job/app-build/1/"


def replay_deploys(
    telling: Telling, found: Sequence[Deploy], arguments: Callable[[Deploy], Sequence[str]], expected: int = 0
) -> list[tuple[int, int]]:
    """Run the playbook of each deploy. Return pairs of recorded and real times, milliseconds since the epoch, in order.

    ``arguments``: returns the arguments of ansible-playbook. ``expected``: its exit status. Raises StoryError.
    """
    anchors: list[tuple[int, int]] = []
    for deploy in found:
        if anchors:
            time.sleep(PAUSE_SECONDS)
        fails = ", and fails" if expected else ""
        telling.say(f"ansible-playbook deploys to {deploy.target}, as {deploy.name} does{fails}")
        started = time.time_ns() // 1_000_000
        telling.ansible(deploy, arguments(deploy), expected)
        ended = time.time_ns() // 1_000_000
        anchors += [(deploy.start_ms, started - MARGIN_MS), (deploy.end_ms, ended + MARGIN_MS)]
    return anchors


def _playbook(telling: Telling, deploy: Deploy) -> list[str]:
    inventory = PLAYBOOKS / "inventories" / f"{deploy.target}.yml"
    variables = f"version={deploy.environment['VERSION']} demo_hosts={telling.folder / 'hosts'}"
    return ["-i", str(inventory), "-e", variables, str(PLAYBOOKS / "deploy.yml")]
