"""`pipeline-trace why`."""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

import click

from ..lookup.lookup import Lookup, NotFoundError
from ..lookup.usual import Usual, usual_times
from ..ownership import Verdict, judge
from ..ownership.log.judge import verdict_of_log
from ..ownership.log.rules import Rules, RulesError, load_rules
from ..trace import redact
from . import fail, looking

# Who can look at what runs right now: ``look(wanted, environ, usual) -> Verdict | None``.
LIVE = "pipeline_trace.live"
# So far back runs say how long a stage usually takes.
_DAYS_NS = 90 * 86_400 * 1_000_000_000
# Of a log the end counts; more than this is not read.
_MOST_BYTES = 4 << 20
_MOST_LINES = 10
_WIDTH = 160


@click.command("why")
@click.argument("trace", default="latest")
@click.option("--log", type=click.Path(dir_okay=False, allow_dash=True), help="Judge this log; - for standard input.")
@click.option("--exit-status", type=int, help="With --log: what the failed command exited with.")
@click.option("--command", "script", default="", help="With --log: the command or script that failed.")
@click.option(
    "--rules",
    "own",
    type=click.Path(dir_okay=False),
    help="Your own rules, before the shipped ones; or PIPELINE_TRACE_RULES.",
)
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(trace: str, log: str | None, exit_status: int | None, script: str, own: str | None, form: str) -> None:
    """Say whose a failure is, Dev's or Ops', how sure that is, by which lines and facts, and what to do next.

    TRACE: a trace id, a build's URL, JOB#N or latest (default), from this machine's store. A build that still runs is
    looked at on its Jenkins, where that can be asked (login: JENKINS_USER, JENKINS_API_TOKEN). The answer is unknown where
    nothing tells.
    """
    try:
        rules = load_rules(own)
    except RulesError as error:
        raise fail(str(error)) from None
    verdict = verdict_of_log(script, exit_status, _read(log), rules=rules) if log else _of_trace(trace, rules)
    print_verdict(verdict, form)


def print_verdict(verdict: Verdict, form: str) -> None:
    """Print a verdict as text or json."""
    click.echo(
        verdict_text(verdict) if form == "text" else json.dumps(masked_verdict(verdict).to_dict(), ensure_ascii=False)
    )


def _of_trace(trace: str, rules: Rules) -> Verdict:
    with looking.open_lookup() as lookup:
        try:
            return judge.verdict_for(lookup, trace, rules)
        except NotFoundError:
            # A build that runs is in no store.
            for point in entry_points(group=LIVE):
                verdict: Verdict | None = point.load()(trace, os.environ, partial(_usual, lookup))
                if verdict:
                    return verdict
            raise


def _usual(lookup: Lookup, job: str) -> dict[str, Usual]:
    """Return how long a job's stages usually take, by their names."""
    now = time.time_ns()
    known = usual_times(lookup.stages_between(job, now - _DAYS_NS, now))
    return {stage: usual for (name, stage), usual in known.items() if name == job}


def masked_verdict(verdict: Verdict) -> Verdict:
    """Return the verdict with the secrets in its evidence masked."""
    evidence = [redact.masked(line) for line in verdict.evidence]
    return Verdict(verdict.owner, verdict.kind, verdict.confidence, evidence, redact.masked(verdict.next))


def verdict_text(verdict: Verdict) -> str:
    """Return a verdict in at most ten lines."""
    verdict = masked_verdict(verdict)
    owner = {"dev": "Dev", "ops": "Ops"}.get(verdict.owner, "not known")
    head = f"Whose: {owner}   {verdict.kind}   ({verdict.confidence:.0%} sure)"
    evidence = [f"  - {redact.clip(' '.join(line.split()), _WIDTH)}" for line in verdict.evidence]
    tail = [f"Next: {verdict.next}"] if verdict.next else []
    return "\n".join([head, *evidence[: _MOST_LINES - 1 - len(tail)], *tail])


def _read(name: str) -> str:
    """Return the end of a log."""
    if name == "-":
        data = sys.stdin.buffer.read()
    else:
        with Path(name).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - _MOST_BYTES, 0))
            data = file.read()
    return data[-_MOST_BYTES:].decode("utf-8", "replace")
