"""Where does this process stand? DESIGN's order: TRACEPARENT, PIPELINE_TRACE_KEY, the CI system that runs us, a new trace.

Standard library only: this runs inside ansible-playbook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from .ci import jenkins_ask, jenkins_kept, jenkins_process
from .ci.jenkins import PER_BUILD, PER_PIPELINE, Build
from .ci.jenkins_process import Answer
from .context import Place, without_ci

TRACE_PER = "PIPELINE_TRACE_PER"


def stand(environ: Mapping[str, str], home: Path | None, trace_per: str = "") -> Place:
    """Return where a process with this environment stands.

    ``home``: the folder where answers are kept, or None. ``trace_per``: pipeline or build; without it PIPELINE_TRACE_PER
    decides, then pipeline. May ask the CI system, within the time that its module sets.
    """
    per, warning = _trace_per(trace_per or environ.get(TRACE_PER, ""))
    if not jenkins_process.inside(environ):
        place = without_ci(environ)
    else:
        place = jenkins_process.stand(environ, lambda build: _ask(build, environ, home), per) or _unknown(environ)
    return replace(place, warnings=(*place.warnings, warning)) if warning else place


def in_ci(environ: Mapping[str, str]) -> bool:
    """Tell whether a CI system runs this process."""
    return jenkins_process.inside(environ)


def _trace_per(value: str) -> tuple[str, str]:
    if value in ("", PER_PIPELINE, PER_BUILD):
        return value or PER_PIPELINE, ""
    return PER_PIPELINE, f"{TRACE_PER}={value} is neither {PER_PIPELINE} nor {PER_BUILD}; using {PER_PIPELINE}"


def _ask(build: Build, environ: Mapping[str, str], home: Path | None) -> Answer | None:
    """Ask the controller; what it said before stands where it is silent now."""
    folder = home / "places" if home else None
    kept = jenkins_kept.load(folder, build) if folder else None
    answer = jenkins_ask.ask(build, environ, kept.placed if kept else None)
    if answer and answer.whole and folder and not kept:
        jenkins_kept.save(folder, build, answer)
    return answer or kept


def _unknown(environ: Mapping[str, str]) -> Place:
    place = without_ci(environ)
    return replace(place, warnings=(*place.warnings, jenkins_process.hint(environ)))
