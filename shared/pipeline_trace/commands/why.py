"""`pipeline-trace why`."""

from __future__ import annotations

import codecs
import io
import json
import sys
from pathlib import Path

import click

from ..lookup.lookup import NotFoundError
from ..lookup.wording import with_shown_times
from ..ownership import Verdict, judge
from ..ownership.log.judge import verdict_of_log
from ..ownership.log.rules import Rules, RulesError, load_rules
from ..trace import redact
from . import fail, format_option, live, local, utc_option

# Only the end of a log is read.
_MOST_BYTES = 4 << 20
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
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
    verdict = verdict_of_log(script, exit_status, _read(log), rules=rules) if log else _of_trace(trace, rules)
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
    evidence = [f"  - {redact.clip(' '.join(with_shown_times(line, utc=utc).split()), _WIDTH)}" for line in verdict.evidence]
    tail = [f"Next: {verdict.next}"] if verdict.next else []
    return "\n".join([head, *evidence[: _MOST_LINES - 1 - len(tail)], *tail])


def _read(name: str) -> str:
    """Return the end of a log. ``name``: a file, or - for standard input."""
    with io.BytesIO(sys.stdin.buffer.read()) if name == "-" else Path(name).open("rb") as file:
        mark = file.read(2)
        start = max(file.seek(0, 2) - _MOST_BYTES, 0)
        # An even place: a character of UTF-16 has two bytes or four.
        file.seek(start + start % 2)
        return _decoded(file.read(), mark)


def _decoded(data: bytes, mark: bytes) -> str:
    """Return the text of a log. ``mark``: its first two bytes, which are a mark in UTF-16, as PowerShell writes it."""
    encoding = _UTF_16.get(mark, "utf-8")
    # Other bytes may begin so too. In UTF-16, each digit, space and line's end has a zero.
    if data.count(0) < len(data) / 10:
        encoding = "utf-8"
    return data.decode(encoding, "replace").removeprefix("\ufeff")
