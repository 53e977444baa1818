"""`pipeline-trace poll`."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from pipeline_trace.commands import fail, parsed
from pipeline_trace.commands.units import age_seconds
from pipeline_trace.delivery import destinations, home, reader
from pipeline_trace.place.ci import JENKINS_ROOT_URL, PER_BUILD, PER_PIPELINE, TRACE_PER
from pipeline_trace.place.ci.jenkins.identity import normalised_url

from . import options
from .fetch.api import ApiError, Controller
from .fetch.build import DETAILS, STEP
from .now import waiting, wording
from .poll import logs, service
from .poll.poller import SweepError, Swept
from .poll.service import ControllerOptions, Pollers
from .poll.state import StateError


def _root_url(value: str | None) -> str:
    return normalised_url(value) if value else ""


@click.command("poll")
@click.option(
    "--jenkins-url",
    callback=parsed(_root_url),
    metavar="URL",
    envvar="JENKINS_URL",
    show_envvar=True,
    help="Where to ask the controller.",
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Several controllers, from a YAML file, instead of --jenkins-url and its options.",
)
@click.option("--once", is_flag=True, help="Poll once, deliver all, and end.")
@click.option(
    "--open",
    "open_only",
    is_flag=True,
    help="With --once: list what is queued or runs now and what it waits for, and poll nothing.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="How --open lists.",
)
@click.option(
    "--since",
    callback=parsed(age_seconds),
    default="7d",
    metavar="AGE",
    show_default=True,
    help="How far back to go in jobs seen first: 30m, 12h, 7d.",
)
@click.option("--include", multiple=True, metavar="GLOB", help="Only jobs whose full name matches; may be repeated.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="No jobs whose full name matches; may be repeated.")
@click.option("--detail", type=click.Choice(DETAILS), default=STEP, show_default=True, help="The finest spans to make.")
@click.option(
    "--trace-per",
    type=click.Choice((PER_PIPELINE, PER_BUILD)),
    default=PER_PIPELINE,
    show_default=True,
    envvar=TRACE_PER,
    show_envvar=True,
    help="One trace for a chain of builds, or one for each build, linked to its upstream.",
)
@click.option(
    "--root-url",
    callback=parsed(_root_url),
    metavar="URL",
    envvar=JENKINS_ROOT_URL,
    show_envvar=True,
    help="The controller's configured URL, where builds see another one than its API shows.",
)
@click.option(
    "--interval", type=click.FloatRange(min=1), default=30, show_default=True, metavar="S", help="Seconds between polls."
)
@click.option(
    "--token-file", type=click.Path(dir_okay=False), help="A file with the API token, instead of JENKINS_API_TOKEN."
)
@click.option("--no-metrics", is_flag=True, help="Send no metrics, though an OTLP endpoint is set.")
@click.option(
    "--log-format",
    type=click.Choice((logs.TEXT, logs.JSON)),
    help="How a service logs to stderr: key=value (default) or JSON, a line a message.",
)
@click.option("-v", "--verbose", count=True, help="Log what is done; twice: every request.")
@click.pass_context
def poll(
    ctx: click.Context,
    /,
    *,
    once: bool,
    open_only: bool,
    form: str,
    no_metrics: bool,
    log_format: str | None,
    verbose: int,
    **given: Any,
) -> None:
    """Turn a Jenkins controller's builds into traces.

    Needs no plugin on the controller, and works without a login where anonymous users may read. A login comes from
    JENKINS_USER and JENKINS_API_TOKEN (or --token-file), or from where the --config file says.

    Without --once it goes on until TERM or INT: builds under way are finished and delivered.
    """
    if open_only and not once:
        raise click.UsageError("--open goes with --once")
    wanted = options.controllers_of(ctx, given)
    secrets = [one.login.token for one in wanted if one.login]
    logs.set_up(log_format or (logs.PLAIN if once else logs.TEXT), verbose, secrets)
    if open_only:
        _list_open(wanted, form)
        return
    place = home.find_home(os.environ)
    if place.warning:
        logs.say(logging.WARNING, place.warning)
    destination = (
        None if destinations.is_disabled(os.environ) else destinations.configured_destination(os.environ, place.store)
    )
    if destination is None:
        logs.say(logging.WARNING, "nothing is delivered: OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER=none is set")
    try:
        pollers = Pollers(wanted, place, destination, metered=not no_metrics)
    except StateError as error:
        raise fail(str(error)) from None
    try:
        if not once:
            pollers.forever()
        elif not _once(pollers, wanted, place, destination):
            ctx.exit(1)
    finally:
        pollers.close()


def _list_open(wanted: Sequence[ControllerOptions], form: str) -> None:
    if len(wanted) > 1:
        raise click.UsageError("--open lists one controller; name it by --jenkins-url")
    controller, selection = Controller(wanted[0].url, wanted[0].login), wanted[0].settings.selection
    try:
        found = waiting.open_builds(controller, selection, lambda text: logs.say(logging.WARNING, text))
    except ApiError as error:
        raise fail(str(error)) from None
    if form == "json":
        click.echo(json.dumps(wording.open_document(found), indent=1))
        return
    for line in wording.open_lines(found, int(time.time() * 1000)):
        click.echo(line)


def _once(
    pollers: Pollers, wanted: Sequence[ControllerOptions], place: home.Home, destination: destinations.Destination | None
) -> bool:
    """Poll and deliver once; tell whether every controller was polled to its end."""
    with _progress() as show:
        results = pollers.once(show)
    for one, result in zip(wanted, results, strict=True):
        prefix = f"{one.url}: " if len(wanted) > 1 else ""
        if isinstance(result, SweepError):
            logs.say(logging.ERROR, prefix + str(result))
        else:
            _say(prefix, result)
    if destination:
        _deliver(place, destination)
    return not any(isinstance(result, SweepError) for result in results)


def _deliver(place: home.Home, destination: destinations.Destination) -> None:
    """Deliver what journals hold; a receiver that is down is no failure of ours."""
    done = service.deliver_journals(place.journals, destination)
    if done.delivered:
        click.echo(f"{done.delivered} spans delivered to {destination.name}")
    if done.problem:
        waiting = reader.count_all_waiting(place.journals)
        said = f"{waiting} spans wait in {place.journals} ({done.problem}); deliver them with: pipeline-trace ship"
        logs.say(logging.WARNING, said)


def _say(prefix: str, swept: Swept) -> None:
    parts = [f"{prefix}{swept.builds} builds read, {swept.spans} spans"]
    parts += [f"{swept.running} still running"] if swept.running else []
    parts += [f"{swept.vanished} gone"] if swept.vanished else []
    parts += [f"{swept.unsampled} left out (their TRACEPARENT says not to record)"] if swept.unsampled else []
    click.echo(", ".join(parts))
    if swept.without_stages:
        logs.say(logging.WARNING, prefix + service.without_stages_line(swept))


@contextmanager
def _progress() -> Iterator[Callable[[Swept, int], None]]:
    """A progress bar on a terminal; nothing in a pipe."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("Reading builds", total=None)

        def show(swept: Swept, total: int) -> None:
            done = swept.builds + swept.running + swept.vanished + swept.unsampled
            bar.update(task, completed=done, total=total)

        yield show
