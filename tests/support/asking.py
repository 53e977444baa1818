"""What asks a controller from within a build, as tests call it."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline_trace.place.ci.jenkins import ask
from pipeline_trace.place.ci.jenkins.inside import ControllerAnswer, build_of, locate
from pipeline_trace.place.w3c import Place


def place(environ: Mapping[str, str]) -> Place:
    found = locate(environ, lambda build: ask.ask_controller(build, environ))
    assert found is not None
    return found


def asked(environ: Mapping[str, str]) -> ControllerAnswer | None:
    build = build_of(environ)
    assert build is not None
    return ask.ask_controller(build, environ)


def odd_environ(url: str) -> dict[str, str]:
    return {"JENKINS_URL": f"{url}/", "BUILD_URL": f"{url}/job/app/7/", "BUILD_NUMBER": "7", "STAGE_NAME": "Deploy"}
