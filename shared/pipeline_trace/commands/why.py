"""`pipeline-trace why`."""

from __future__ import annotations

import os

import click
from rich.console import Console
from rich.text import Text

from ..lookup.lookup import NotFoundError
from ..ownership import account, judge
from ..ownership.account import Account
from ..ownership.account.wording import rows, sure
from ..ownership.log.judge import verdict_of_log
from ..ownership.log.rules import Rules, RulesError, load_rules
from ..ownership.verdict import NOTHING_FAILED
from . import fail, format_option, live, reading, utc_option
from .labelled import print_rows
from .logfile import read_end

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
    print_rows(rows(known), console, utc=utc)
