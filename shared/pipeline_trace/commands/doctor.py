"""`pipeline-trace doctor`."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from importlib.metadata import entry_points

import click

from ..trace import redact
from . import doctor_ansible, doctor_checks, doctor_notify, doctor_source, format_option
from .doctor_checks import BROKEN, HINT, OK, Check, Checks

GROUP = "pipeline_trace.checks"
_COLOURS = {OK: "green", HINT: "yellow", BROKEN: "red"}


@click.command("doctor")
@click.option(
    "--jenkins-url",
    metavar="URL",
    envvar="JENKINS_URL",
    show_envvar=True,
    help="Also check whether the poller can read this controller.",
)
@format_option("How to print the checks.", "text", "json")
def command(jenkins_url: str | None, form: str) -> None:
    """Check the setup on this machine, and print how to fix it.

    Checks the state folder, the delivery, Ansible and its callback, and the Python packages; the source that
    PIPELINE_TRACE_SOURCE names, if it is set. With --jenkins-url, also
    checks the controller: it sends two requests, with the login from JENKINS_USER and JENKINS_API_TOKEN.

    Exit status: 1 if something is broken, otherwise 0.
    """
    environ = {**os.environ, **({"JENKINS_URL": jenkins_url} if jenkins_url else {})}
    own: list[Checks] = [
        doctor_checks.machine,
        doctor_checks.delivery,
        doctor_source.source,
        doctor_notify.notifier,
        doctor_ansible.ansible,
        doctor_checks.packages,
    ]
    added: list[Checks] = [point.load() for point in entry_points(group=GROUP)]
    found = [_masked(check) for checks in (*own, *added) for check in checks(environ)]
    if form == "json":
        click.echo(json.dumps([asdict(check) for check in found], indent=1))
    else:
        for check in found:
            click.echo(f"{click.style(check.state.ljust(6), fg=_COLOURS[check.state])}  {check.name}: {check.text}")
            if check.mend:
                click.echo(f"        {check.mend}")
    sys.exit(1 if any(check.state == BROKEN for check in found) else 0)


def _masked(check: Check) -> Check:
    return replace(check, text=redact.masked(check.text))
