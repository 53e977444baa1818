"""Finds the place of this process: from TRACEPARENT, PIPELINE_TRACE_KEY or the CI system that runs it, else in a new trace.

The order is as listed; docs/joining.md has the details. Only the module of the CI system in use is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ..trace import masking
from . import ci
from .ci import PER_BUILD, PER_PIPELINE, TRACE_PER
from .w3c import KEY, TRACE_ID, Place, context_of, place_outside_ci

if TYPE_CHECKING:
    from .ci.jenkins.identity import Build
    from .ci.jenkins.inside import ControllerAnswer


def locate(environ: Mapping[str, str], home: Path | None, trace_per: str = "", *, git_seconds: float = 0.5) -> Place:
    """Return the place of a process with this environment. Texts of its attributes are masked.

    ``home``: the folder for answers of a controller, or None to keep none. ``trace_per``: pipeline or build; if empty,
    PIPELINE_TRACE_PER, else pipeline. ``git_seconds``: the most time for git, outside CI. In Jenkins, this may ask the
    controller, for at most ``client.SECONDS``.
    """
    per, warning = _trace_per(trace_per or environ.get(TRACE_PER, ""))
    system = ci.system_of(environ)
    if system == "jenkins":
        place = _in_jenkins(environ, home, per)
    elif system:
        place = import_module(f".ci.{system}", __package__).locate(environ)
    else:
        from .ci import laptop

        place = laptop.locate(environ, git_seconds)
    return replace(
        place,
        resource=masking.attributes(place.resource),
        attributes=masking.attributes(place.attributes),
        links=tuple(replace(link, attributes=masking.attributes(link.attributes)) for link in place.links),
        warnings=tuple(masking.masked(each) for each in (*place.warnings, warning) if each),
    )


def is_in_ci(environ: Mapping[str, str]) -> bool:
    """Return whether a CI system runs this process."""
    return bool(ci.system_of(environ))


def _trace_per(value: str) -> tuple[str, str]:
    if value in ("", PER_PIPELINE, PER_BUILD):
        return value or PER_PIPELINE, ""
    return PER_PIPELINE, f"{TRACE_PER}={value} is not valid; using {PER_PIPELINE}. Set it to {PER_PIPELINE} or {PER_BUILD}"


def _in_jenkins(environ: Mapping[str, str], home: Path | None, per: str) -> Place:
    from .ci.jenkins import inside

    context = context_of(environ)[0]
    build = inside.build_of(environ)
    if context and build and environ.get(TRACE_ID) == context.trace_id:
        # A pipeline-trace process above this one has asked. TRACEPARENT is the parent, whatever a build parameter says.
        return replace(place_outside_ci(environ), resource=inside.run_resource(build, environ))
    refusals: list[str] = []
    place = inside.locate(environ, lambda build: _ask(build, environ, home, refusals), per)
    if place:
        # With either of the two, the trace is known without the controller.
        said = () if context or environ.get(KEY) else refusals
        return replace(place, warnings=(*place.warnings, *said))
    place = place_outside_ci(environ)
    return replace(place, warnings=(*place.warnings, inside.missing_variable_hint(environ)))


def _ask(build: Build, environ: Mapping[str, str], home: Path | None, refusals: list[str]) -> ControllerAnswer | None:
    """Return the controller's answer; if it does not answer, the kept one; None if there is none.

    ``refusals``: gets a warning if the controller refuses the first process of the build on this machine.
    """
    from .ci.jenkins import ask, cache, client, inside

    folder = home / "places" if home else None
    kept = cache.kept_answer(folder, build) if folder else None
    try:
        answer = ask.ask_controller(build, environ, kept.place if kept else None)
    except client.Refused as refused:
        if not kept and (folder is None or cache.is_first_refusal(folder, build)):
            refusals.append(inside.refusal_hint(build, str(refused), has_login=client.login_of(environ) is not None))
        return kept
    if answer and answer.whole and folder and not kept:
        cache.keep_answer(folder, build, answer)
    return answer or kept
