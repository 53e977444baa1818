"""`pipeline-trace ship`."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import click

from ..delivery.process import ship_waiting
from . import fail

if TYPE_CHECKING:
    from ..delivery.moving import Sent


@click.command("ship")
@click.option(
    "--store",
    "of_store",
    is_flag=True,
    help="Also send what the local store holds to the receiver, once: an interrupted run goes on where it was, and a later "
    "one sends what is new.",
)
def command(of_store: bool) -> None:
    """Deliver the spans that still wait in journals.

    Spans wait there after a process was killed, or while the receiver is down.
    """
    said, problem = _ship_store() if of_store else ship_waiting(os.environ)
    click.echo(said)
    if problem:
        raise fail(problem)


def _ship_store() -> tuple[str, str]:
    """Send the store. Return two lines for the user: the result, and the problem or empty."""
    # Imported here: `ship` alone needs none of them.
    from ..delivery.moving import ship_store
    from .bars import bar

    began = time.monotonic_ns()
    with bar("Sending the local store") as told:
        sent = ship_store(os.environ, told)
    said = [
        _said(sent, time.monotonic_ns() - began),
        f"{sent.unreadable:,} rows of it cannot be read" if sent.unreadable else "",
        f"{sent.waited:,} spans delivered that waited in journals" if sent.waited else "",
        sent.lost,
        _next(sent),
    ]
    return "; ".join(filter(None, said)), sent.problem


def _said(sent: Sent, took_ns: int) -> str:
    from ..lookup.wording import human_duration, shown_time

    store = f"the local store {sent.store}"
    if not sent.store.exists():
        return f"there is no local store {sent.store}"
    if sent.only_new and sent.done_s and not sent.spans:
        when = shown_time(sent.done_s * 10**9)
        return f"all that {store} holds was sent to {sent.destination} before, last at {when}; nothing is new since then"
    count = f"{sent.spans:,} spans of {sent.traces:,} traces sent to {sent.destination} in {human_duration(took_ns)}"
    before = f", {sent.before:,} of them by an earlier run" if sent.before else ""
    if not sent.done_s:
        return f"{count}{before}: not yet all that {store} holds"
    return f"{count}{before}: all that {store} holds" + (" and did not hold the last time" if sent.only_new else "")


def _next(sent: Sent) -> str:
    """Return what to do when all is sent."""
    if not sent.done_s:
        return ""
    return "read them with --from; old traces go from the local store with: pipeline-trace prune"
