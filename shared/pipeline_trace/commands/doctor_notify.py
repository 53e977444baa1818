"""The check of `doctor` on the notifier: whether one is set, and what became of its last message. It sends none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..delivery import home
from ..lookup.wording import utc_time
from ..notify import disk
from ..notify.settings import ADDRESS, SettingsError, from_environment
from ..notify.told import Book
from .doctor_checks import BROKEN, HINT, OK, Check


def notifier(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check the settings of the notifier, and whether its last message arrived."""
    try:
        settings = from_environment(environ)
    except SettingsError as error:
        yield Check("notify", BROKEN, str(error), "correct the variable; docs/notify.md has an example")
        return
    if settings is None:
        yield Check("notify", OK, f"no failures are told: {ADDRESS} is not set")
        return
    try:
        book = disk.load(disk.folder_of(home.find_home(environ)))
    except (home.HomeError, disk.BookError) as error:
        yield Check("notify", BROKEN, str(error), f"export {home.HOME}=/a/folder/of/yours")
        return
    yield _state(settings.said, book)


def _state(where: str, book: Book | None) -> Check:
    if book is None:
        return Check("notify", HINT, f"{where}: no service tells failures yet", "start pipeline-trace poll or serve")
    if book.problem:
        # What a strange server answers may have control characters.
        problem = " ".join("".join(letter if letter.isprintable() else " " for letter in book.problem).split())
        said = f"{where}: the last message did not arrive ({problem}), after {book.tries} tries"
        return Check("notify", HINT, said, "check the address, and whether this machine reaches its host")
    waiting = sum(bool(story.state) for story in book.stories.values())
    said = f"the last message arrived at {utc_time(round(book.sent[-1] * 1e9))}" if book.sent else "nothing was told yet"
    return Check("notify", OK, f"{where}: {said}{f', {waiting} wait' if waiting else ''}")
