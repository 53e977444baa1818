"""Judges labelled failures: `python tests/bench/corpus.py FILE...`.

Each line of a file is a case: a log with its label, or a run with its history. One JSON line a case goes to stdout, then
accuracy, the confusion table, every wrong case and the CPU time a case to stderr. The judge is given what a real run would
have.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline_trace.ownership import Verdict, history
from pipeline_trace.ownership.log.judge import verdict_of_log
from pipeline_trace.ownership.log.rules import Rules, load_rules
from pipeline_trace.ownership.past import PastBuild
from pipeline_trace.ownership.verdict import OWNERS


@dataclass(frozen=True)
class Outcome:
    """A case's label beside the verdict. ``seconds``: of CPU; None if it is not measured."""

    case: str
    owner: str
    kind: str
    verdict: Verdict
    seconds: float | None = None

    @property
    def right(self) -> bool:
        return self.owner == self.verdict.owner

    @property
    def wrong_team(self) -> bool:
        return {self.owner, self.verdict.owner} == {"dev", "ops"}


def main(paths: Sequence[str]) -> int:
    """Judge the cases of the files. Exit status: 0, 2 without a file, 1 where one cannot be read."""
    if not paths:
        print("usage: corpus.py FILE...", file=sys.stderr)
        return 2
    try:
        outcomes = [outcome for path in paths for outcome in judge(Path(path))]
    except (OSError, ValueError, KeyError) as error:
        print(f"corpus.py: {error!r}", file=sys.stderr)
        return 1
    for outcome in outcomes:
        print(json.dumps({"id": outcome.case, "owner": outcome.verdict.owner, "kind": outcome.verdict.kind}))
    sys.stdout.flush()
    print(summary(outcomes), file=sys.stderr)
    return 0


def cases_of(path: Path) -> list[dict[str, Any]]:
    """Return the cases of a file. Raises OSError and ValueError."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def judge(path: Path) -> list[Outcome]:
    """Return the outcomes of a file's cases. Raises OSError, ValueError and KeyError for what is no such file."""
    rules = load_rules()
    outcomes = []
    for case in cases_of(path):
        start = time.process_time()
        verdict = _of_history(case, rules) if "history" in case else _of_log(case, rules)
        seconds = time.process_time() - start
        outcomes.append(Outcome(str(case["id"]), str(case.get("owner")), str(case.get("kind")), verdict, seconds))
    return outcomes


def _of_log(case: Mapping[str, Any], rules: Rules) -> Verdict:
    return verdict_of_log(
        case.get("command") or "", case.get("exit_code"), case.get("log") or "", case.get("task_result"), rules
    )


def _of_history(case: Mapping[str, Any], rules: Rules) -> Verdict:
    failing = case["failing"]
    said = verdict_of_log(failing.get("command") or "", failing.get("exit_code"), failing.get("log") or "", rules=rules)
    return history.verdict_with_history([_run(run) for run in case["history"]], _run(failing), said)


def _run(run: Mapping[str, Any]) -> PastBuild:
    return PastBuild(
        job=run["job"],
        commit=run.get("commit") or "",
        branch=run.get("branch") or "",
        agent=run.get("agent") or "",
        at=datetime.fromisoformat(run["at"].replace("Z", "+00:00")),
        result=run["result"],
        signature=run.get("signature_log") or "",
    )


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return the figures and the wrong cases as text."""
    count = len(outcomes) or 1
    right = sum(outcome.right for outcome in outcomes)
    team = sum(outcome.wrong_team for outcome in outcomes)
    kinds = sum(outcome.kind == outcome.verdict.kind for outcome in outcomes)
    seen = Counter((outcome.owner, outcome.verdict.owner) for outcome in outcomes)
    took = [1000 * outcome.seconds for outcome in outcomes if outcome.seconds is not None]
    lines = [
        f"{len(outcomes)} cases: right owner {right / count:.1%}, wrong team {team / count:.1%}, "
        f"right kind {kinds / count:.1%}",
        *([f"CPU time a case: {sum(took) / count:.2f} ms mean, {max(took):.2f} ms at most"] if took else []),
        f"{'label':>10} | {'verdict: dev':>12} {'ops':>8} {'unknown':>8}",
    ]
    lines += [
        f"{label:>10} | {seen[label, 'dev']:>12} {seen[label, 'ops']:>8} {seen[label, 'unknown']:>8}" for label in OWNERS
    ]
    return "\n".join([*lines, *wrong(outcomes)])


def wrong(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line for each case that got another owner than its label."""
    lines = []
    for outcome in outcomes:
        if not outcome.right:
            verdict = outcome.verdict
            evidence = verdict.evidence[0] if verdict.evidence else ""
            judged = f"judged {verdict.owner} ({verdict.kind})"
            lines.append(f"wrong: {outcome.case}: {outcome.owner} ({outcome.kind}), {judged}: {evidence}")
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
