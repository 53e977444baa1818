"""`pipeline-trace why`."""

from __future__ import annotations

import json
import os
import time
from functools import partial
from importlib.metadata import entry_points

import click

from ..lookup.lookup import Lookup, NotFoundError
from ..lookup.usual import Usual, usual_times
from ..ownership import Verdict, judge
from ..ownership.log.judge import verdict_of_log
from ..ownership.log.rules import Rules, RulesError, load_rules
from ..trace import redact
from . import fail, format_option, local
from .logfile import read_end

# Entry points that judge a build that runs now: ``verdict_of_running(reference, environ, usual) -> Verdict | None``.
LIVE = "pipeline_trace.live"
# The usual time of a stage comes from the runs of this period.
_DAYS_NS = 90 * 86_400 * 1_000_000_000
_MOST_LINES = 10
_WIDTH = 160


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
def command(trace: str, log: str | None, exit_status: int | None, script: str, own: str | None, form: str) -> None:
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
    print_verdict(verdict, form)


def print_verdict(verdict: Verdict, form: str) -> None:
    """Print a verdict. ``form``: text or json."""
    click.echo(verdict_text(verdict) if form == "text" else json.dumps(verdict.masked().to_dict(), ensure_ascii=False))


def _of_trace(trace: str, rules: Rules) -> Verdict:
    with local.open_lookup() as lookup:
        try:
            return judge.verdict_for(lookup, trace, rules)
        except NotFoundError:
            # The store has only builds that have ended.
            for point in entry_points(group=LIVE):
                verdict: Verdict | None = point.load()(trace, os.environ, partial(_usual, lookup))
                if verdict:
                    return verdict
            raise


def _usual(lookup: Lookup, job: str) -> dict[str, Usual]:
    """Return the usual times of a job's stages, by stage name."""
    now = time.time_ns()
    known = usual_times(lookup.stages_between(job, now - _DAYS_NS, now))
    return {stage: usual for (name, stage), usual in known.items() if name == job}


def verdict_text(verdict: Verdict) -> str:
    """Return a verdict as text of at most ten lines, with masked secrets."""
    verdict = verdict.masked()
    owner = {"dev": "Dev", "ops": "Ops"}.get(verdict.owner, "unknown")
    head = f"Owner: {owner}   {verdict.kind}   ({verdict.confidence:.0%} sure)"
    evidence = [f"  - {redact.clip(' '.join(line.split()), _WIDTH)}" for line in verdict.evidence]
    tail = [f"Next: {verdict.next}"] if verdict.next else []
    return "\n".join([head, *evidence[: _MOST_LINES - 1 - len(tail)], *tail])
