"""`pipeline-trace prune`."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import TypeVar

import click

from ..delivery import home, pruning
from ..delivery.destinations.store import Store
from ..delivery.leftovers import remove_leftovers
from . import parsed
from .units import age_seconds, size_text

T = TypeVar("T")


@click.command("prune")
@click.option(
    "--keep",
    callback=parsed(age_seconds),
    required=True,
    metavar="AGE",
    help="How long to keep a trace after its last span arrived, for example 12h, 90d or 26w.",
)
@click.option("--dry-run", is_flag=True, help="Remove nothing; only say what would be removed.")
def command(keep: float, dry_run: bool) -> None:
    """Remove old traces from the local store, and journals that nobody could deliver for 30 days.

    Other processes may write into the store meanwhile. `serve --keep` does the same for the traces by itself.
    """
    place = home.find_home(os.environ)
    did = "would remove" if dry_run else "removed"
    if place.store.exists():
        store = Store(place.store)
        try:
            before_s = time.time() - keep
            removed = store.run(partial(pruning.would_remove, before_s=before_s)) if dry_run else _remove(store, before_s)
        finally:
            store.close()
        size = size_text(removed.size)
        click.echo(f"{did} {removed.traces:,} traces with {removed.spans:,} spans ({size}) from {store.name}")
    else:
        click.echo(f"there is no local store {place.store}")
    # The folders in it have what was set aside.
    folders = [place.journals, *sorted(path for path in place.journals.iterdir() if path.is_dir() and not path.is_symlink())]
    for left in chain.from_iterable(remove_leftovers(folder, dry_run=dry_run) for folder in folders):
        for path in left.files:
            click.echo(f"{did} {path}: {left.reason}")


def _remove(store: Store, before_s: float) -> pruning.Removed:
    removed = pruning.Removed()
    while any(piece := _alone(store, partial(pruning.remove_piece, before_s=before_s))):
        removed += piece
    while _alone(store, pruning.give_back):
        pass
    return removed


def _alone(store: Store, job: Callable[[sqlite3.Connection], T]) -> T:
    """Run a job, and then leave the file to others for as long as it took."""
    began = time.monotonic()
    done = store.run(job)
    time.sleep(time.monotonic() - began)
    return done
