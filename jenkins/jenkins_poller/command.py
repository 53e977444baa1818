"""`pipeline-trace poll`."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from pipeline_trace import destinations, home, journal, resource, ship
from pipeline_trace.ci.jenkins import PER_BUILD, PER_PIPELINE, ROOT_URL, normalise
from pipeline_trace.commands import fail
from pipeline_trace.span import AttributeValue
from pipeline_trace.where import TRACE_PER

from . import facts, waiting, waiting_text
from .api import ApiError, Controller, Login
from .build import DETAILS, STEP
from .discovery import Selection
from .poller import Poller, Settings, SweepError, Swept
from .state import State, StateError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def _age(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Return an age in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", value.strip())
    if not match:
        raise click.BadParameter(f"{value!r} is no age such as 30m, 12h or 7d")
    return float(match[1]) * _UNITS[match[2]]


def _url(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    try:
        return normalise(value) if value else ""
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@dataclass(frozen=True)
class _Run:
    """One poller at work."""

    poller: Poller
    journals: Path
    destination: destinations.Destination | None


@click.command("poll")
@click.option(
    "--jenkins-url",
    required=True,
    callback=_url,
    metavar="URL",
    envvar="JENKINS_URL",
    show_envvar=True,
    help="Where to ask the controller.",
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
    callback=_age,
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
    callback=_url,
    metavar="URL",
    envvar=ROOT_URL,
    show_envvar=True,
    help="The controller's configured URL, where builds see another one than its API shows.",
)
@click.option(
    "--interval", type=click.FloatRange(min=1), default=30, show_default=True, metavar="S", help="Seconds between polls."
)
@click.option(
    "--token-file", type=click.Path(dir_okay=False), help="A file with the API token, instead of JENKINS_API_TOKEN."
)
def poll(
    jenkins_url: str,
    once: bool,
    open_only: bool,
    form: str,
    since: float,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    detail: str,
    trace_per: str,
    root_url: str,
    interval: float,
    token_file: str | None,
) -> None:
    """Turn a Jenkins controller's builds into traces.

    Needs no plugin on the controller, and works without a login where anonymous users may read. A login comes from
    JENKINS_USER and JENKINS_API_TOKEN (or --token-file).
    """
    if open_only and not once:
        raise click.UsageError("--open goes with --once")
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    if open_only:
        _list_open(Controller(jenkins_url, _login(token_file)), Selection(include, exclude), form)
        return
    place = home.find(os.environ)
    if place.warning:
        click.echo(f"pipeline-trace: {place.warning}", err=True)
    controller = Controller(jenkins_url, _login(token_file))
    settings = Settings(detail, trace_per, int((time.time() - since) * 1000), Selection(include, exclude), root_url)
    try:
        state = State(place.path / "pollers", jenkins_url)
    except StateError as error:
        raise fail(str(error)) from None
    run = _Run(Poller(controller, state, place.journals, settings, _service), place.journals, _destination(place))
    try:
        _once(run) if once else _forever(run, interval)
    finally:
        state.close()
        if run.destination:
            run.destination.close()


def _list_open(controller: Controller, selection: Selection, form: str) -> None:
    try:
        found = waiting.now_open(controller, selection, lambda text: click.echo(f"pipeline-trace: {text}", err=True))
    except ApiError as error:
        raise fail(str(error)) from None
    if form == "json":
        click.echo(json.dumps(waiting_text.document(found), indent=1))
        return
    for line in waiting_text.lines(found, int(time.time() * 1000)):
        click.echo(line)


def _login(token_file: str | None) -> Login | None:
    user, token = os.environ.get("JENKINS_USER", ""), os.environ.get("JENKINS_API_TOKEN", "")
    if token_file:
        try:
            token = Path(token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise fail(f"cannot read --token-file {token_file} ({getattr(error, 'strerror', 'no text')})") from None
    if bool(user) != bool(token):
        missing = "JENKINS_API_TOKEN (or --token-file)" if user else "JENKINS_USER"
        raise fail(f"only half of the login is there: set {missing} too")
    return Login(user, token) if user else None


def _destination(place: home.Home) -> destinations.Destination | None:
    return None if destinations.disabled(os.environ) else destinations.configured(os.environ, place.store)


def _service(controller: str) -> Mapping[str, AttributeValue]:
    return resource.from_environment(os.environ, facts.service(controller))


def _once(run: _Run) -> None:
    with _progress() as show:
        try:
            swept = run.poller.sweep(show)
        except SweepError as error:
            _deliver(run)
            raise fail(str(error)) from None
    _say(swept)
    _deliver(run)


def _forever(run: _Run, interval: float) -> None:
    """Poll until TERM or INT; a build under way is finished."""
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    while not stop.is_set():
        try:
            swept = run.poller.sweep(stopping=stop.is_set)
        except SweepError as error:
            click.echo(f"pipeline-trace: {error}", err=True)
        else:
            if swept.builds:
                _say(swept)
        _deliver(run)
        stop.wait(interval)


def _deliver(run: _Run) -> None:
    """Deliver what journals hold; a receiver that is down is no failure of ours."""
    if run.destination is None:
        click.echo("pipeline-trace: nothing is delivered: OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER=none is set", err=True)
        return
    outcomes = ship.ship_all(run.journals, run.destination)
    delivered = sum(outcome.delivered for outcome in outcomes if outcome.done)
    if delivered:
        click.echo(f"{delivered} spans delivered to {run.destination.name}")
    problem = next((outcome.problem for outcome in outcomes if outcome.problem), "")
    if problem:
        waiting = journal.all_waiting(run.journals)
        click.echo(
            f"pipeline-trace: {waiting} spans wait in {run.journals} ({problem}); deliver them with: pipeline-trace ship",
            err=True,
        )


def _say(swept: Swept) -> None:
    parts = [f"{swept.builds} builds read, {swept.spans} spans"]
    parts += [f"{swept.running} still running"] if swept.running else []
    parts += [f"{swept.vanished} gone"] if swept.vanished else []
    parts += [f"{swept.unsampled} left out (their TRACEPARENT says not to record)"] if swept.unsampled else []
    click.echo(", ".join(parts))
    if swept.without_stages:
        click.echo(
            f"pipeline-trace: {swept.without_stages} Pipeline builds have no stages to read; "
            "install the Pipeline: REST API plugin on the controller to see them",
            err=True,
        )


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
