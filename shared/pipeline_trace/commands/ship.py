"""`pipeline-trace ship`."""

from __future__ import annotations

import os

import click

from ..delivery.process import ship_waiting
from . import fail


@click.command("ship")
def command() -> None:
    """Deliver what journals still hold: after a kill, or while the receiver was down."""
    said, problem = ship_waiting(os.environ)
    click.echo(said)
    if problem:
        raise fail(problem)
