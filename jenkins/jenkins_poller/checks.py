"""The checks of `pipeline-trace doctor` on a Jenkins controller: two requests, with a short time-out and no retries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

import requests

from pipeline_trace.commands.doctor_checks import BROKEN, HINT, OK, SECONDS, Check
from pipeline_trace.place.ci.jenkins.identity import normalised_url
from pipeline_trace.trace import network

from .fetch.client import LOGIN_NEEDED
from .fetch.sources import blue_ocean, graph_view, stage_view

# The plugins that tell the times of stages and steps, with their names for people.
_TELL_TIMES = {
    "pipeline-graph-view": graph_view.PLUGIN,
    "pipeline-rest-api": stage_view.PLUGIN,
    "blueocean-rest-impl": blue_ocean.PLUGIN,
}
# What the poller does not see without a plugin, by plugin.
_WANTED = {
    "metrics": "waits in the queue",
    "git": "commits",
    "junit": "counts of tests",
}


def jenkins(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check whether the poller can read the controller that JENKINS_URL names, and which plugins the controller has."""
    if not environ.get("JENKINS_URL"):
        yield Check("jenkins", OK, "not checked: no controller is named (--jenkins-url or JENKINS_URL)")
        return
    try:
        url = normalised_url(environ["JENKINS_URL"])
    except ValueError as error:
        yield Check("jenkins", BROKEN, str(error), "pipeline-trace doctor --jenkins-url https://jenkins.example.com/")
        return
    user, token = environ.get("JENKINS_USER", ""), environ.get("JENKINS_API_TOKEN", "")
    if bool(user) != bool(token):
        yield Check(
            "jenkins", BROKEN, "the login is incomplete: it needs both JENKINS_USER and JENKINS_API_TOKEN", LOGIN_NEEDED
        )
        return
    with requests.Session() as session:
        # Without this, requests takes a login from ~/.netrc, which the poller does not read.
        session.auth = (user, token) if user else _no_login
        # The same proxies and certificates as the poller.
        session.trust_env = False
        session.proxies.update(network.proxies(url, environ))
        session.verify = network.certificates(environ) or True
        check, answered = _controller(session, url, user)
        yield check
        if answered:
            yield from _plugins(session, url)


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _get(session: requests.Session, url: str, tree: str) -> requests.Response:
    answer = session.get(url, params={"tree": tree}, timeout=(SECONDS, SECONDS), allow_redirects=False)
    secured = network.secured(answer.url, answer.headers.get("Location", "")) if answer.is_redirect else ""
    return session.get(secured, timeout=(SECONDS, SECONDS), allow_redirects=False) if secured else answer


def _controller(session: requests.Session, url: str, user: str) -> tuple[Check, bool]:
    try:
        answer = _get(session, f"{url}/api/json", "jobs[name]{0,1}")
    except requests.RequestException as error:
        said = f"{url} does not answer ({type(error).__name__})"
        return Check("jenkins", BROKEN, said, "check --jenkins-url, and whether this machine can reach it"), False
    if answer.status_code == 401:
        return Check("jenkins", BROKEN, f"{url} refuses the login of {user} (401)", LOGIN_NEEDED), False
    if answer.status_code == 403 or answer.is_redirect:
        said = f"{user} may not read {url} (403)" if user else f"{url} needs a login"
        return Check("jenkins", BROKEN, said, LOGIN_NEEDED), False
    document = _object(answer)
    if answer.status_code != 200 or document is None:
        said = f"{url} answered {answer.status_code} without JSON; Jenkins may be starting"
        return Check("jenkins", BROKEN, said, "check --jenkins-url, or wait until it has started"), False
    version = answer.headers.get("X-Jenkins", "of unknown version")
    who = f"as {user}" if user else "without a login"
    if not document.get("jobs"):
        return Check("jenkins", HINT, f"{url}, Jenkins {version}: no job is visible {who}", LOGIN_NEEDED), True
    asked = answer.url.partition("/api/json")[0]
    if asked != url:
        mend = f"name {asked} instead (--jenkins-url or JENKINS_URL)"
        return Check("jenkins", HINT, f"{url} redirects to https, Jenkins {version}: jobs are readable {who}", mend), True
    return Check("jenkins", OK, f"{url}, Jenkins {version}: jobs are readable {who}"), True


def _plugins(session: requests.Session, url: str) -> Iterator[Check]:
    try:
        answer = _get(session, f"{url}/pluginManager/api/json", "plugins[shortName,active]")
    except requests.RequestException as error:
        yield Check("plugins", HINT, f"the list of plugins did not arrive ({type(error).__name__})", "try again")
        return
    document = _object(answer)
    if answer.status_code != 200 or document is None:
        mend = f"ask an administrator whether these plugins are installed: {', '.join(_WANTED)}"
        yield Check("plugins", HINT, f"the list of plugins is not readable ({answer.status_code})", mend)
        return
    listed = document.get("plugins")
    active = {p.get("shortName") for p in listed if isinstance(p, dict) and p.get("active")} if listed else set()
    yield _times(active)
    missing = {name: what for name, what in _WANTED.items() if name not in active}
    if missing:
        said = "missing: " + ", ".join(f"{name} ({what})" for name, what in missing.items())
        yield Check("plugins", HINT, said, "to see these, install the plugins under Manage Jenkins > Plugins")
    else:
        yield Check("plugins", OK, f"{', '.join(_WANTED)} are installed")
    if "opentelemetry" in active:
        said = "the OpenTelemetry plugin of Jenkins sets TRACEPARENT in builds, and pipeline-trace follows that"
        yield Check("plugins", HINT, said, "docs/joining.md says how to use both without two roots in a trace")


def _times(active: Set[object]) -> Check:
    """Check whether a plugin tells the times of stages and steps."""
    found = [name for plugin, name in _TELL_TIMES.items() if plugin in active]
    if found:
        return Check("plugins", OK, f"times of stages and steps come from {' or '.join(found)}")
    said = "no plugin tells the times of stages and steps"
    return Check("plugins", HINT, said, f"install one under Manage Jenkins > Plugins: {', '.join(_TELL_TIMES.values())}")


def _object(answer: requests.Response) -> dict[str, Any] | None:
    try:
        document = answer.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
