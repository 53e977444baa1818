"""`pipeline-trace why`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click
from rich.console import Console
from rich.style import Style
from rich.text import Text

from ..lookup.lookup import NotFoundError
from ..lookup.wording import with_shown_times
from ..ownership import account, judge
from ..ownership.account import Account
from ..ownership.account.text import LABEL_WIDTH
from ..ownership.account.wording import Command, Line, Name, Part, Quote, rows, sure
from ..ownership.log.judge import verdict_of_log
from ..ownership.log.rules import Rules, RulesError, load_rules
from ..ownership.verdict import NOTHING_FAILED
from . import fail, format_option, live, reading, utc_option
from .logfile import read_end

# Of what does not fit in the first line, and the least room beside a label, in columns.
_INDENT = 2
_NARROWEST = 20
_TEAMS = {"dev": "bold yellow", "ops": "bold magenta"}


@click.command("why")
@click.argument("trace", default="latest")
@click.option(
    "--log", type=click.Path(dir_okay=False, allow_dash=True), help="Judge this log file, not a trace. -: standard input."
)
@click.option("--exit-status", type=int, help="With --log: the exit status of the failed command.")
@click.option("--command", "script", default="", help="With --log: the command or script that failed.")
@click.option(
    "--rules",
    "own",
    type=click.Path(dir_okay=False),
    help="A file with your own rules. They are tried before the built-in rules. Default: the file in PIPELINE_TRACE_RULES.",
)
@format_option("How to print it. markdown: for a comment. slack: the body for a Slack webhook.", *account.FORMATS)
@reading.source_option
@utc_option
def command(
    trace: str,
    log: str | None,
    exit_status: int | None,
    script: str,
    own: str | None,
    form: str,
    source: str,
    utc: bool,
) -> None:
    """Say who should look first at a failure, Dev or Ops, and what is known around it.

    Says it in one sentence. Then come since when it fails, the last green build and the commits since, what started it, the
    log line that decides, what else fails alike, what passes, and the command to go on with. What is not known is left out.
    The owner is unknown if no line and no fact decides.

    TRACE: a trace id, a build URL, JOB#N or latest (default). For a build that still runs,
    why asks the Jenkins controller (login: JENKINS_USER and JENKINS_API_TOKEN).
    """
    try:
        rules = load_rules(own)
    except RulesError as error:
        raise fail(str(error)) from None
    if log == "":
        raise click.UsageError("--log names no file.")
    if log is None and (exit_status is not None or script):
        raise click.UsageError("--exit-status and --command are for a log; name it with --log FILE.")
    if log is not None:
        known = account.account_of_log(verdict_of_log(script, exit_status, read_end(log), rules=rules))
    else:
        known = _of_trace(trace, rules, source)
    console = Console(highlight=False)
    if form == "text" and console.is_terminal and known.verdict.kind != NOTHING_FAILED:
        _print(known, console, utc=utc)
    else:
        click.echo(account.rendered(known, form, utc=utc))


def _of_trace(trace: str, rules: Rules, source: str) -> Account:
    with reading.open_lookup(source) as lookup:
        try:
            return account.account_of(judge.judged_for(lookup, trace, rules), os.environ.get("PIPELINE_TRACE_URL", ""))
        except NotFoundError:
            verdict = live.verdict_of_running(lookup, trace)
            if verdict is None:
                raise
            return account.account_of_verdict(verdict)


def _print(known: Account, console: Console, *, utc: bool) -> None:
    """Print an account in a terminal: lines wrap beside their label."""
    console.print(Text(known.says, style=_TEAMS.get(known.verdict.owner, "bold")))
    console.print(Text(f"({sure(known)})", style="dim"))
    width = max(console.width - LABEL_WIDTH - _INDENT, _NARROWEST)
    for row in rows(known):
        beside = [text for line in row.lines for text in _beside(line, console, width, utc)]
        for at, text in enumerate(beside):
            label = Text(f"{'' if at else row.label:{LABEL_WIDTH}}", style="dim")
            # An address that does not fit begins at the left edge: a terminal that wraps it keeps it whole.
            wide = at and LABEL_WIDTH + text.cell_len > console.width
            console.print(text[_INDENT:] if wide else label + text, soft_wrap=True)


def _beside(line: Line, console: Console, width: int, utc: bool) -> Iterator[Text]:
    """Yield the pieces of a line that fit beside a label. An address gets its own line, so that it can be copied whole."""
    words = Text.assemble(*(_shown(part, utc) for part in line))
    for at, piece in enumerate(words.wrap(console, width)):
        piece.rstrip()
        yield Text(" " * _INDENT if at else "") + piece
    for part in line:
        if isinstance(part, Name) and part.written:
            yield Text(" " * _INDENT) + Text(part.url, style=_style(part))


def _shown(part: Part, utc: bool) -> tuple[str, Style]:
    # A quoted log line may look like one of our times, so only our own words change.
    text = with_shown_times(part, utc=utc) if isinstance(part, str) else part.text
    return text, _style(part)


def _style(part: Part) -> Style:
    if isinstance(part, Quote):
        return Style(color="red")
    if isinstance(part, Command):
        return Style(bold=True)
    # Where a terminal knows links, a click on the name opens the page.
    return Style(color="cyan", link=part.url or None) if isinstance(part, Name) else Style()
