"""`pipeline-trace ship`."""

from __future__ import annotations

import os

import click

from ..delivery.process import ship_waiting
from . import fail


@click.command("ship")
def command() -> None:
    """Deliver the spans that still wait in journals.

    Spans wait there after a process was killed, or while the receiver is down.
    """
    said, problem = ship_waiting(os.environ)
    click.echo(said)
    if problem:
        raise fail(problem)
