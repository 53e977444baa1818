"""`pipeline-trace demo`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click
from rich.console import Console

from pipeline_trace import home
from pipeline_trace.commands import fail
from pipeline_trace.commands.report import write
from pipeline_trace.finding import Finder
from pipeline_trace.report import terminal

from .story import Story, StoryError

_MADE = ("journals", "places", "pollers", "hosts", "traces.db", "traces.db-wal", "traces.db-shm", "demo.log", "report.html")


@click.command("demo")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="The folder for all that it makes.")
def demo(output: Path | None) -> None:
    """Tell the whole story on this machine; no Jenkins is needed.

    A recorded Jenkins is replayed: app-build deploys to integration, staging and production. Real ansible-playbook runs do
    the deploying, the real poller reads the builds, and all is one trace: as a tree here, and as an HTML report.
    """
    folder = (output or home.find(os.environ).path / "demo").absolute()
    try:
        _prepare(folder)
    except OSError as error:
        raise fail(f"cannot write {folder} ({error.strerror}); name another folder with -o") from None
    console = Console(highlight=False)
    try:
        with console.status("") as status:

            def say(text: str) -> None:
                status.update(f"{text} …")
                if not console.is_terminal:
                    click.echo(f"{text} ...")

            build = Story(folder, say).tell()
    except StoryError as error:
        raise fail(str(error)) from None
    finder = Finder(home.Home(folder))
    spans = finder.spans(build)
    finder.close()
    terminal.render(spans, console)
    click.echo()
    click.echo("One trace: what Jenkins did and what Ansible did within it. Now with your own:")
    click.echo("  in ansible.cfg:     callbacks_enabled = pipeline_trace.otel.deploy_trace")
    click.echo("  for your Jenkins:   pipeline-trace poll --once --jenkins-url https://YOUR-JENKINS/")
    click.echo("The same as a page for the browser:")
    click.echo(write(spans, folder / "report.html"))


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
