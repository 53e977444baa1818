"""`pipeline-trace demo`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
from rich.console import Console

from pipeline_trace.answers import headline
from pipeline_trace.commands import fail
from pipeline_trace.commands.report import write
from pipeline_trace.delivery import home
from pipeline_trace.lookup.lookup import Lookup
from pipeline_trace.lookup.usual import other_builds
from pipeline_trace.report import terminal
from pipeline_trace.trace.span import Span

from . import incident, story
from .telling import StoryError, Telling

_MADE = ("journals", "places", "pollers", "hosts", "traces.db", "traces.db-wal", "traces.db-shm", "demo.log", "report.html")


@click.command("demo")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="The folder for all that it makes.")
@click.option("--incident", "incidents", is_flag=True, help="Tell of two deploys that fail: whose is it, can I deploy?")
def demo(output: Path | None, incidents: bool) -> None:
    """Tell the whole story on this machine; no Jenkins is needed.

    A recorded Jenkins is replayed: app-build deploys to integration, staging and production. Real ansible-playbook runs do
    the deploying, the real poller reads the builds, and all is one trace: as a tree here, and as an HTML report.
    With --incident, two teams' builds are replayed and real playbooks fail: at a host that refuses ssh, and at a change
    that fails its own health check.
    """
    folder = (output or home.find_home(os.environ).path / "demo").absolute()
    console = Console(highlight=False)
    if incidents:
        _incidents(folder, console)
    else:
        _story(folder, console)


def _story(folder: Path, console: Console) -> None:
    with _telling(folder, console) as telling:
        build = story.tell(telling)
    spans, page = _page(folder, build)
    terminal.print_tree(spans, console)
    click.echo()
    click.echo("One trace: what Jenkins did and what Ansible did within it. Now with your own:")
    click.echo("  in ansible.cfg:     callbacks_enabled = pipeline_trace.otel.deploy_trace")
    click.echo("  for your Jenkins:   pipeline-trace poll --once --jenkins-url https://YOUR-JENKINS/")
    click.echo("When a deploy fails, whose is it? See: pipeline-trace demo --incident")
    click.echo("The same as a page for the browser:")
    click.echo(page)


def _incidents(folder: Path, console: Console) -> None:
    click.echo("Wednesday, 4:30 pm.")
    for name, told in (("host-down", incident.HOST_DOWN), ("broken-change", incident.BROKEN_CHANGE)):
        # Each in a store of its own: they are two days, not one.
        own = folder / name
        with _telling(own, console) as telling:
            answers = incident.tell(telling, told)
        click.echo(f"\n== {told.title} ==")
        for question, answer in answers:
            click.echo(f"\n$ {question}\n{answer.rstrip()}")
        click.echo("\nThe trace as a page for the browser:")
        click.echo(_page(own, told.build)[1])


@contextmanager
def _telling(folder: Path, console: Console) -> Iterator[Telling]:
    """Yield what a telling needs; what goes wrong is one line."""
    try:
        _prepare(folder)
    except OSError as error:
        raise fail(f"cannot write {folder} ({error.strerror}); name another folder with -o") from None
    with console.status("") as status:

        def say(text: str) -> None:
            status.update(f"{text} …")
            if not console.is_terminal:
                click.echo(f"{text} ...")

        try:
            yield Telling(folder, say)
        except StoryError as error:
            raise fail(str(error)) from None


def _page(folder: Path, build: str) -> tuple[list[Span], Path]:
    """Write the report; return the spans of the trace and the page's path."""
    with closing(Lookup(home.Home(folder))) as lookup:
        spans = lookup.spans(build)
        first, history = headline(lookup, spans, build), other_builds(lookup, spans)
    return spans, write(spans, folder / "report.html", headline=first, history=history)


def _prepare(folder: Path) -> None:
    """Make the folder, without what an earlier telling left there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in _MADE:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (folder / "journals").mkdir(mode=0o700)
