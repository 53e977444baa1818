"""`pipeline-trace demo`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
from rich.console import Console

from pipeline_trace.answers.headline import headline
from pipeline_trace.commands import fail
from pipeline_trace.commands.report import write
from pipeline_trace.delivery import home
from pipeline_trace.lookup.lookup import local_lookup
from pipeline_trace.lookup.usual import other_builds
from pipeline_trace.report import terminal
from pipeline_trace.report.copying import Around
from pipeline_trace.trace.span import Span

from . import incident, story
from .telling import StoryError, Telling

_MADE = ("journals", "places", "pollers", "hosts", "traces.db", "traces.db-wal", "traces.db-shm", "demo.log", "report.html")


@click.command("demo")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="The folder for the files of the demo."
)
@click.option("--incident", "incidents", is_flag=True, help="Show two failed deploys: who should look first, can I deploy?")
def demo(output: Path | None, incidents: bool) -> None:
    """Try pipeline-trace on this machine, without a Jenkins.

    The demo replays a recorded Jenkins controller, where app-build deploys to integration, staging and production. It
    runs real playbooks for these deploys, and polls the replayed controller. The result is one trace: printed as a tree,
    and as an HTML report.

    With --incident, real playbooks fail in the builds of two teams: first because a host refuses SSH, then because a
    change fails its own health check. The demo shows what pipeline-trace why and path answer.
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
    click.echo("This is one trace: the Jenkins builds, and in them the Ansible playbooks. Now try your own:")
    click.echo("  in ansible.cfg:     callbacks_enabled = pipeline_trace.otel.deploy_trace")
    click.echo("  for your Jenkins:   pipeline-trace poll --once --jenkins-url https://YOUR-JENKINS/")
    click.echo("Who should look first at a failed deploy? Try: pipeline-trace demo --incident")
    click.echo("The same trace as an HTML page:")
    click.echo(page)


def _incidents(folder: Path, console: Console) -> None:
    click.echo("Wednesday, 4:30 pm.")
    for name, told in (("host-down", incident.HOST_DOWN), ("broken-change", incident.BROKEN_CHANGE)):
        # Each incident has its own store, because they happen on different days.
        own = folder / name
        with _telling(own, console) as telling:
            answers = incident.tell(telling, told)
        click.echo(f"\n== {told.title} ==")
        for question, answer in answers:
            click.echo(f"\n$ {question}\n{answer.rstrip()}")
        click.echo("\nThe trace as an HTML page:")
        click.echo(_page(own, told.build)[1])


@contextmanager
def _telling(folder: Path, console: Console) -> Iterator[Telling]:
    """Yield a Telling in an empty folder. If it fails, the command fails with one line."""
    try:
        _prepare(folder)
    except OSError as error:
        raise fail(f"cannot write {folder} ({error.strerror}); choose another folder with -o") from None
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
    """Write the report; return the spans of the trace and the report's path."""
    with closing(local_lookup(home.Home(folder))) as lookup:
        spans = lookup.spans(build)
        first, history = headline(lookup, spans, build), other_builds(lookup, spans)
    around = Around(home=str(folder))
    return spans, write(spans, folder / "report.html", headline=first, history=history, around=around)


def _prepare(folder: Path) -> None:
    """Create the folder, and remove the files of an earlier demo."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in _MADE:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (folder / "journals").mkdir(mode=0o700)
