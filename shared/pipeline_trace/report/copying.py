"""Makes what readers copy from a page: a text for the chat, and the commands that say the same as the page. Does no I/O."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from ..lookup.wording import human_duration, utc_time
from ..ownership.account import Account, rendered
from ..ownership.account.markdown import line_markdown
from ..ownership.account.text import chat_line, chat_text_of
from ..ownership.account.wording import Command, Line, Name
from ..trace import conventions as c
from .heading import Heading


@dataclass(frozen=True)
class Around:
    """What is around a page. ``page``: its own address, for others; "" for a file that nobody else has.

    ``source``: the source of the spans, as --from takes it; "" for this machine's store. ``home``: the folder of that store,
    if it is not the usual one. ``compare`` and ``export``: paths of `serve`, where the page has them. ``asked``: whether
    commands find the trace.
    """

    page: str = ""
    source: str = ""
    home: str = ""
    compare: str = ""
    export: str = ""
    asked: bool = True


NOTHING_AROUND = Around()


@dataclass(frozen=True)
class About:
    """What a page is about. ``state``: of the whole trace, in words. ``took_ns``: how long it took, so far if it is open.

    ``is_shared``: whether builds in other traces have the name of its build, too.
    """

    heading: Heading
    trace_id: str
    result: str
    state: str
    start_ns: int
    took_ns: int
    is_shared: bool = False

    @property
    def reference(self) -> str:
        """Return what commands name the trace by: the build if that finds it, else the trace id."""
        finds = self.heading.is_build and self.heading.is_exact and not self.is_shared
        return self.heading.name if finds else self.trace_id


@dataclass(frozen=True)
class Copies:
    """The texts for the chat, in two forms, and commands."""

    text: str
    markdown: str
    commands: tuple[str, ...]


def copies_of(about: About, account: Account | None, around: Around, *, has_path: bool) -> Copies:
    """Return what can be copied from a page. ``account``: of its failure. ``has_path``: whether its commit is known."""
    commands = tuple(_commands(about, around, has_path=has_path)) if around.asked else ()
    what = list(_what(about))
    if account:
        markdown = rendered(account, "markdown")
        return Copies(f"{chat_line(what)}\n{chat_text_of(account)}", f"{line_markdown(what)}\n\n{markdown}", commands)
    lines = [what, _where(about, around, commands[0] if commands else "")]
    return Copies("\n".join(map(chat_line, lines)), "  \n".join(map(line_markdown, lines)), commands)


def _what(about: About) -> Iterator[str | Name]:
    """Yield the parts of the line that says what a page is about."""
    heading = about.heading
    yield f"{about.state}: "
    yield Name(heading.name, heading.build.url if heading.build else "")
    what = ", ".join(filter(None, [" ".join(one) for one in _pairs(heading)]))
    places = " and ".join(heading.environments)
    if what or places:
        yield f", {what}{' to ' if what and places else ''}{places}"
    yield f", {human_duration(about.took_ns)}"
    yield f", started {utc_time(about.start_ns)}" + (f" by {heading.started_by}" if heading.started_by else "")


def _pairs(heading: Heading) -> list[list[str]]:
    """Return services with their version; of several, nobody knows which version is whose."""
    if len(heading.services) == 1 and len(heading.versions) == 1:
        return [[heading.services[0], heading.versions[0]]]
    return [[one] for one in (*heading.services, *heading.versions)]


def _where(about: About, around: Around, command: str) -> Line:
    if around.page:
        return [Name("the trace's page", around.page, written=True)]
    build = about.heading.build
    if build and build.url:
        return [Name("the build's page", build.url, written=True)]
    return [Command(command)] if command else []


def _commands(about: About, around: Around, *, has_path: bool) -> Iterator[str]:
    source = f" --from {shlex.quote(around.source)}" if around.source else ""
    home = f"PIPELINE_TRACE_HOME={shlex.quote(around.home)} " if around.home else ""
    names = ["show"]
    names += ["why", "compare"] if about.result in c.FAILED_RESULTS else []
    names += ["path"] if has_path else []
    for name in (*names, "report"):
        yield f"{home}pipeline-trace {name} {shlex.quote(about.reference)}{source}"
