"""Chooses the source for each build: the plugins that answer on this controller, the cheapest first."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from pipeline_trace.place.ci.jenkins.identity import Build

from ..api import Controller, build_path
from . import Missing, Source, Told, Wanted, blue_ocean, graph_view, stage_view

PLUGINS = (stage_view.PLUGIN, graph_view.PLUGIN, blue_ocean.PLUGIN)
# A plugin that was missing is asked for again after this time: it may have been installed without a restart.
_ASK_AGAIN_MS = 3_600_000
# So many builds show whether a plugin is there: it may know nothing of a single one.
_PROBES = 3


@dataclass(frozen=True)
class Known:
    """Which plugins a controller has. ``session``: changes when the controller restarts.

    ``present``: plugins that answered. ``missing``: the ways to ask that were not found, and when, ms since the epoch.
    """

    session: str = ""
    present: frozenset[str] = frozenset()
    missing: Mapping[str, int] = field(default_factory=dict)


class Sources:
    """Asks the sources of one controller, and remembers which answer. Thread-safe."""

    def __init__(
        self, controller: Controller, known: Known | None = None, remember: Callable[[Known], None] = lambda known: None
    ) -> None:
        """``known``: from an earlier poll. ``remember``: called when it changes."""
        self._controller = controller
        self._remember = remember
        self._lock = Lock()
        self._probing = Lock()
        self._known = known or Known()
        # A plugin is there that is too old to tell times.
        self.outdated = False
        self.graph_view = graph_view.GraphView(controller)
        # The order: least requests a build first, of those that tell the steps. The last is for builds that the first
        # cannot tell any more.
        self._sources: tuple[Source, ...] = (
            stage_view.RecentRuns(controller),
            self.graph_view,
            blue_ocean.BlueOcean(controller),
            stage_view.SingleRuns(controller),
        )

    @property
    def known(self) -> Known:
        """Return what is known about the controller's plugins."""
        with self._lock:
            session = self._controller.session
            if session and session != self._known.session:
                # The controller was restarted: plugins may have come or gone.
                self._known = Known(session)
            return self._known

    def has(self, plugin: str) -> bool:
        """Return whether a plugin may be there: it answered, or was not asked yet."""
        asked = [source for source in self._sources if source.plugin == plugin]
        return plugin in self.known.present or all(self._may_answer(source) for source in asked)

    def _may_answer(self, source: Source) -> bool:
        asked_ms = self.known.missing.get(source.asks)
        return asked_ms is None or _now_ms() - asked_ms >= _ASK_AGAIN_MS

    def tell(self, wanted: Sequence[Wanted]) -> dict[Build, Told]:
        """Return what the sources tell of builds of one job. Leaves out builds that no source tells.

        Raises ApiError; NotFound if a build was deleted meanwhile.
        """
        found: dict[Build, Told] = {}
        for source in self._sources:
            if source.plugin not in self.known.present:
                # Not in several threads at once, and not for all builds: most controllers have one of the plugins.
                with self._probing:
                    found.update(self._told(source, [one for one in wanted if one.build not in found][:_PROBES]))
            found.update(self._told(source, [one for one in wanted if one.build not in found]))
        return found

    def _told(self, source: Source, wanted: Sequence[Wanted]) -> Mapping[Build, Told]:
        if not wanted or not self._may_answer(source):
            return {}
        try:
            told = source.tell(wanted)
        except Missing as error:
            self.outdated = error.outdated or self.outdated
            if source.plugin not in self.known.present:
                # If a build was deleted meanwhile, this raises NotFound, and nothing is known about the plugin.
                self._controller.document(f"{build_path(wanted[0].build)}api/json", "number")
                self._lacks(source)
            return {}
        if told:
            self._has(source)
        return told

    def _lacks(self, source: Source) -> None:
        known = self.known
        self._change(Known(known.session, known.present - {source.plugin}, {**known.missing, source.asks: _now_ms()}))

    def _has(self, source: Source) -> None:
        known = self.known
        if source.plugin not in known.present or source.asks in known.missing:
            missing = {asks: at for asks, at in known.missing.items() if asks != source.asks}
            self._change(Known(known.session, known.present | {source.plugin}, missing))

    def _change(self, known: Known) -> None:
        with self._lock:
            self._known = known
        self._remember(known)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
