"""`pipeline-trace poll`."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from pipeline_trace.commands import fail, format_option, parsed, utc_option
from pipeline_trace.commands.units import age_seconds
from pipeline_trace.delivery import destinations, home, losses
from pipeline_trace.delivery import waiting as waiting_spans
from pipeline_trace.place.ci import JENKINS_ROOT_URL, PER_BUILD, PER_PIPELINE, TRACE_PER
from pipeline_trace.place.ci.jenkins.identity import normalised_url

from . import options
from .fetch.api import Controller
from .fetch.document import DETAILS, STEP
from .fetch.errors import ApiError
from .now import waiting, wording
from .poll import logs, saying, telling
from .poll.database import StateError
from .poll.delivering import deliver_journals
from .poll.service import ControllerOptions, Pollers
from .poll.swept import SweepError, Swept


def _root_url(value: str | None) -> str:
    """Return the normalised URL; "" if there is none. Raises ValueError."""
    return normalised_url(value) if value else ""


def _age(value: str | None) -> float | None:
    """Return the age in seconds; None if there is none. Raises ValueError."""
    return None if value is None else age_seconds(value)


@click.command("poll")
@click.option(
    "--jenkins-url",
    callback=parsed(_root_url),
    metavar="URL",
    envvar="JENKINS_URL",
    show_envvar=True,
    help="The controller's address.",
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Poll the controllers that a YAML file lists, instead of --jenkins-url and the options for one controller.",
)
@click.option("--once", is_flag=True, help="Poll once, deliver the spans, and exit.")
@click.option(
    "--open",
    "open_only",
    is_flag=True,
    help="With --once: do not poll. List the builds that are queued or run now, and what they wait for.",
)
@format_option("The output format of --open.", "text", "json")
@utc_option
@click.option(
    "--since",
    callback=parsed(age_seconds),
    default="7d",
    metavar="AGE",
    show_default=True,
    help="How far back to read the builds of a job that is new to the poller, for example 30m, 12h or 7d.",
)
@click.option(
    "--reread",
    callback=parsed(_age),
    metavar="AGE",
    help="With --once: also read the builds again that began within this time, and add the stages and steps that are "
    "missing in their traces, for example after an upgrade or a plugin's installation.",
)
@click.option("--include", multiple=True, metavar="GLOB", help="Poll only jobs whose full name matches. Repeatable.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Skip jobs whose full name matches. Repeatable.")
@click.option("--detail", type=click.Choice(DETAILS), default=STEP, show_default=True, help="The finest spans to create.")
@click.option(
    "--trace-per",
    type=click.Choice((PER_PIPELINE, PER_BUILD)),
    default=PER_PIPELINE,
    show_default=True,
    envvar=TRACE_PER,
    show_envvar=True,
    help="pipeline: one trace for a chain of builds; build: one trace for each build, with a link to its upstream build.",
)
@click.option(
    "--root-url",
    callback=parsed(_root_url),
    metavar="URL",
    envvar=JENKINS_ROOT_URL,
    show_envvar=True,
    help="The Jenkins URL that builds see (JENKINS_URL), if the controller's API shows a different one.",
)
@click.option(
    "--interval", type=click.FloatRange(min=1), default=30, show_default=True, metavar="S", help="Seconds between two polls."
)
@click.option(
    "--token-file", type=click.Path(dir_okay=False), help="A file with the API token, instead of JENKINS_API_TOKEN."
)
@click.option("--no-metrics", is_flag=True, help="Do not send metrics, even if an OTLP endpoint is set.")
@click.option(
    "--log-format",
    type=click.Choice((logs.TEXT, logs.JSON)),
    help="How the service logs to stderr, one line for each message: text is key=value (default), json is JSON.",
)
@click.option("-v", "--verbose", count=True, help="Log what poll does. Twice: also log every request.")
@click.pass_context
def poll(
    ctx: click.Context,
    /,
    *,
    once: bool,
    open_only: bool,
    form: str,
    utc: bool,
    reread: float | None,
    no_metrics: bool,
    log_format: str | None,
    verbose: int,
    **given: Any,
) -> None:
    """Turn the builds of a Jenkins controller into traces.

    The controller needs no new plugin. It also needs no login if anonymous users may read it. Otherwise, set
    JENKINS_USER and JENKINS_API_TOKEN (or --token-file), or name the login in the --config file.

    Without --once, poll runs until the signal TERM or INT. Then it finishes the builds that it is reading, delivers their
    spans, and exits.
    """
    if open_only and not once:
        raise click.UsageError("--open works only together with --once; add --once")
    if reread is not None and (open_only or not once):
        raise click.UsageError("--reread works only together with --once, without --open")
    controllers = options.controllers_of(ctx, given)
    secrets = [one.login.token for one in controllers if one.login]
    # Who looks at a single poll is told by its lines.
    notify, wrong = (None, "") if once else telling.settings(os.environ)
    secrets += notify.webhook.secrets if notify else []
    logs.set_up(log_format or (logs.PLAIN if once else logs.TEXT), verbose, secrets)
    if open_only:
        ctx.exit(0 if _list_open(controllers, form, utc=utc) else 1)
    place = home.find_home(os.environ)
    for said in filter(None, (place.warning, wrong)):
        logs.say(logging.WARNING, said)
    destination = (
        None if destinations.is_disabled(os.environ) else destinations.configured_destination(os.environ, place.store)
    )
    if destination is None:
        said = "no spans are delivered; unset OTEL_SDK_DISABLED and OTEL_TRACES_EXPORTER=none to deliver them"
        logs.say(logging.WARNING, said)
    try:
        pollers = Pollers(controllers, place, destination, metered=not no_metrics, notify=notify)
    except StateError as error:
        raise fail(str(error)) from None
    try:
        if not once:
            pollers.forever()
        elif not _once(pollers, controllers, place, destination, reread):
            ctx.exit(1)
    finally:
        pollers.close()


def _list_open(controllers: Sequence[ControllerOptions], form: str, *, utc: bool) -> bool:
    """List the builds that are queued or run. Return whether the controller told which run."""
    if len(controllers) > 1:
        raise click.UsageError("--open lists one controller only; name it with --jenkins-url")
    controller, selection = Controller(controllers[0].url, controllers[0].login), controllers[0].settings.selection
    try:
        found = waiting.open_builds(controller, selection.wants, lambda text: logs.say(logging.WARNING, text))
    except ApiError as error:
        raise fail(str(error)) from None
    if form == "json":
        click.echo(json.dumps(wording.open_document(found.builds), indent=1))
        return found.runs_told
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    nothing = wording.nothing_line(found)
    lines = [nothing] if nothing else wording.open_lines(found.builds, int(time.time() * 1000))
    for line in wording.shown_lines(lines, width, utc=utc):
        click.echo(line)
    return found.runs_told


def _once(
    pollers: Pollers,
    controllers: Sequence[ControllerOptions],
    place: home.Home,
    destination: destinations.Destination | None,
    reread_age: float | None,
) -> bool:
    """Poll and deliver once. Return whether the polls of all controllers succeeded."""
    with _progress() as show:
        results = pollers.once(show, reread_age)
    for one, result in zip(controllers, results, strict=True):
        prefix = f"{one.url}: " if len(controllers) > 1 else ""
        if isinstance(result, SweepError):
            logs.say(logging.ERROR, prefix + str(result))
            for line in saying.few_lines(result.problems):
                logs.say(logging.WARNING, prefix + line)
        else:
            _say(prefix, result)
            if result.no_job:
                logs.say(logging.WARNING, prefix + saying.no_job(one.login.user if one.login else ""))
            if reread_age is not None:
                again = saying.counted(result.reread, "build")
                click.echo(f"{prefix}{again} read again, {saying.counted(result.added, 'span')} added")
    if destination:
        pollers.count(_deliver(place, destination))
    return not any(isinstance(result, SweepError) for result in results)


def _deliver(place: home.Home, destination: destinations.Destination) -> losses.Losses:
    """Deliver the spans in journals, and return what was lost. A receiver that is down is a warning, not a failed poll."""
    done = deliver_journals(place.journals, destination)
    if done.delivered:
        click.echo(f"{saying.counted(done.delivered, 'span')} delivered to {destination.name}")
    for text in done.warnings:
        logs.say(logging.WARNING, text)
    if done.problem:
        said = f"{waiting_spans.said_count(place.journals)} ({done.problem}); deliver them with: pipeline-trace ship"
        logs.say(logging.WARNING, said)
    return done.losses


def _say(prefix: str, swept: Swept) -> None:
    parts = [f"{prefix}{saying.counted(swept.builds, 'build')} read, {saying.counted(swept.spans, 'span')}"]
    parts += [f"{swept.running} still running"] if swept.running else []
    parts += [f"{swept.vanished} deleted"] if swept.vanished else []
    parts += [f"{swept.unsampled} not recorded (their TRACEPARENT is not sampled)"] if swept.unsampled else []
    parts += [f"{swept.unread} could not be read"] if swept.unread else []
    click.echo(", ".join(parts))
    for line in [*saying.warnings(swept), *([saying.no_verdict(swept.rules)] if swept.rules else [])]:
        logs.say(logging.WARNING, prefix + line)


@contextmanager
def _progress() -> Iterator[Callable[[Swept, int], None]]:
    """Yield a function that updates a progress bar. The bar is shown only on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _swept, _total: None
        return
    # Only here: a poller that is a service needs no memory for it.
    from . import progress

    with progress.bar() as show:
        yield show
