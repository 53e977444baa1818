"""`pipeline-trace why`."""

from __future__ import annotations

import json

import click

from ..lookup.lookup import NotFoundError
from ..lookup.wording import with_shown_times
from ..ownership import Verdict, judge
from ..ownership.log.judge import verdict_of_log
from ..ownership.log.rules import Rules, RulesError, load_rules
from ..trace import redact
from . import fail, format_option, live, local, utc_option
from .logfile import read_end

_MOST_LINES = 10
_WIDTH = 160
# What says how much is left out is as long as this: no shorter rest is left out.
_MARK = 25


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
@format_option("How to print the verdict.", "text", "json")
@utc_option
def command(
    trace: str, log: str | None, exit_status: int | None, script: str, own: str | None, form: str, utc: bool
) -> None:
    """Say who should look first at a failure: Dev or Ops.

    Prints the owner of the failure, how sure that is, the log lines and facts that decide it, and what to do next. The
    owner is unknown if no line and no fact decides.

    TRACE: a trace id, a build URL, JOB#N or latest (default), from this machine's store. For a build that still runs,
    why asks the Jenkins controller (login: JENKINS_USER and JENKINS_API_TOKEN).
    """
    try:
        rules = load_rules(own)
    except RulesError as error:
        raise fail(str(error)) from None
    verdict = verdict_of_log(script, exit_status, read_end(log), rules=rules) if log else _of_trace(trace, rules)
    if form == "json":
        click.echo(json.dumps(verdict.masked().to_dict(), ensure_ascii=False))
    else:
        click.echo(verdict_text(verdict, utc=utc))


def _of_trace(trace: str, rules: Rules) -> Verdict:
    with local.open_lookup() as lookup:
        try:
            return judge.verdict_for(lookup, trace, rules)
        except NotFoundError:
            verdict = live.verdict_of_running(lookup, trace)
            if verdict is None:
                raise
            return verdict


def verdict_text(verdict: Verdict, *, utc: bool = False) -> str:
    """Return a verdict as text of at most ten lines, with masked secrets. ``utc``: show times in UTC."""
    verdict = verdict.masked()
    if verdict.kind == judge.NOTHING_FAILED:
        return "\n".join(["Nothing failed.", *(f"  - {line}" for line in verdict.evidence)])
    owners = {"dev": "Dev", "ops": "Ops"}
    sure = f"   ({verdict.confidence:.0%} sure)" if verdict.owner in owners else ""
    head = f"Owner: {owners.get(verdict.owner, 'unknown')}   {verdict.kind}{sure}"
    evidence = [f"  - {_shortened(with_shown_times(line, utc=utc))}" for line in verdict.evidence]
    tail = [f"Next: {verdict.next}"] if verdict.next else []
    return "\n".join([head, *evidence[: _MOST_LINES - 1 - len(tail)], *tail])


def _shortened(line: str) -> str:
    text = " ".join(line.split())
    return text if len(text) <= _WIDTH + _MARK else redact.clip(text, _WIDTH)
