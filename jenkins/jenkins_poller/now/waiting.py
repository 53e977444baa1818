"""Finds the builds that are queued or run on a controller now, since when, and what they wait for.

Sends one request for the queue and one for the agents. A running Pipeline build costs one for its flow graph, and those that
its plugins and logs need (docs/jenkins.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from pipeline_trace.place.ci.jenkins.identity import Build

from ..fetch.api import AT_ONCE, Controller
from ..fetch.errors import ApiError, LoginRefused, NotFound, Unreachable, Untrusted
from . import matching
from .around import Around, Item, build_of, read_around
from .moments import Plugins
from .running import Running, read_running
from .waits import QUEUED, Activity, Open, OpenBuild


def open_builds(controller: Controller, wants: Callable[[str], bool], warn: Callable[[str], object]) -> Open:
    """Return the builds that are queued or run. Raises ApiError if the controller does not answer.

    ``wants``: whether to look at a job, by its full name. ``warn``: called with a message for each part and each build that
    cannot be read.
    """
    around = read_around(controller, warn)
    builds = [build for url in around.running if (build := build_of(controller.url, url)) and wants(build.job)]
    plugins = Plugins(controller)

    def read(build: Build) -> Running | None:
        try:
            return read_running(plugins, build, around)
        except NotFound:
            return None
        except (Unreachable, LoginRefused, Untrusted):
            raise
        except ApiError as error:
            warn(f"cannot read {build.name}: {error}")
            return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [one for one in pool.map(read, builds) if one]
    found = [_queued(item) for item in around.items if not item.for_agent and wants(item.job)]
    found += completed(running, around)
    found.sort(key=lambda one: (one.since_ms or 0, one.job, one.number or 0))
    return Open(tuple(found), around.queue_told, around.runs_told)


def open_build(plugins: Plugins, build: Build) -> OpenBuild | None:
    """Return what one running build does; None if it has ended or was deleted. Raises ApiError."""
    around = read_around(plugins.controller, lambda text: None)
    with suppress(NotFound):
        running = read_running(plugins, build, around)
        return completed([running], around)[0] if running else None
    return None


def completed(running: Sequence[Running], around: Around) -> list[OpenBuild]:
    """Return what builds do, with what their steps without an agent wait for, in the same order."""
    waiting = [one for build in running for one in build.waiting.values()]
    waits = iter(matching.waits(waiting, around))
    return [build.completed([next(waits) for _ in build.waiting]) for build in running]


def _queued(item: Item) -> OpenBuild:
    return OpenBuild(item.job, None, item.url, QUEUED, item.since_ms, (), (Activity((), wait=item.wait()),))
