"""Writes the spans of builds into a journal, then notes in the state that they are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline_trace.delivery.journal import Writer
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Link, Span

from .reading import ReadBuild
from .state import State, Told
from .swept import SweepError


class BuildWriter:
    """Writes the builds of one controller. ``journals``: the folder that is shipped."""

    def __init__(self, state: State, journals: Path) -> None:
        self._state = state
        self._journals = journals
        # A record lock does not hold between threads of one process. So a journal is written in this folder, and moved to
        # the folder that is shipped when it is complete.
        self._unfinished = state.folder

    def write(self, reads: Sequence[ReadBuild]) -> None:
        """Write the spans of builds, and note these builds as written. Raises SweepError, StateError, JournalError."""
        placed = [(read.build, read.placed) for read in reads if read.placed]
        with self._state.together():
            self._state.decided(placed)
            self._link(reads)
        if any(read.spans for read in reads):
            self._journal(span for read in reads for span in read.spans)
        with self._state.together():
            self._state.told((read.build, Told(read.level, read.began_ms, read.queue_id)) for read in reads if read.placed)
            self._state.written(read.build for read in reads if read.placed or read.old or read.odd_times)

    def _link(self, reads: Iterable[ReadBuild]) -> None:
        """Link each build to the earlier builds of its commit, so that people can follow a change from trace to trace."""
        for read in reads:
            if not read.revision:
                continue
            for job, number, trace_id, generation in self._state.same_revision(read.revision, read.build):
                other = Build(read.build.controller, job, number, generation=generation)
                attributes = {c.JENKINS_LINK: c.LINK_SAME_COMMIT, c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(number)}
                if trace_id != read.spans[0].trace_id:
                    read.spans[0].links.append(Link(trace_id, other.run_span_id, attributes))
            self._state.built([(read.build, read.revision)])

    def _journal(self, made: Iterable[Span]) -> None:
        journal = Writer(self._unfinished)
        try:
            for span in made:
                journal.span(span)
            if journal.dropped:
                said = f"cannot write {journal.path} ({journal.problem}); free some space, or set PIPELINE_TRACE_HOME"
                raise SweepError(said)
            journal.sync()
            journal.end()
            journal.path.rename(self._journals / journal.path.name)
        except OSError as error:
            journal.discard()
            raise SweepError(f"cannot write {self._journals} ({error.strerror}); set PIPELINE_TRACE_HOME") from None
        except BaseException:
            journal.discard()
            raise
