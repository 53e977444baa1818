"""How often verdicts are right: `make corpus`.

    .venv/bin/python tests/bench/owners.py [--output docs/ownership.md]

Judges all kept cases, and prints Markdown: right and wrong owners by set, confusion tables, how sure against how right, and
what is said of successful runs. ``--output`` puts it between the marks in a file. Wrong cases go to stderr, but none that is
held out: nobody writes a rule for them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import corpus
import in_builds
import tables
from corpus import Outcome

from pipeline_trace.ownership.log.case import cases_of
from pipeline_trace.ownership.log.cleaning import lines_of
from pipeline_trace.ownership.log.judge import verdict_of_log
from pipeline_trace.ownership.log.patterns import Text
from pipeline_trace.ownership.log.rules import STRENGTHS, load_rules
from pipeline_trace.ownership.verdict import OWNERS, UNKNOWN

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
FINE = CORPUS / "fine.jsonl"
LAB = CORPUS / "lab"
# The lower ends of the ranges of confidence.
_RANGES = (0.6, 0.7, 0.8, 0.9, 0.95)
_LONG = 8000
_USED, _HELD = "rules were written with them", "held out"


def report() -> str:
    """Return all tables as Markdown."""
    held = _judged(files("held"))
    sets = [
        ("given cases (`visible.jsonl`)", _USED, corpus.judge(CORPUS / "visible.jsonl")),
        ("given cases with history (`visible-history.jsonl`)", _USED, corpus.judge(CORPUS / "visible-history.jsonl")),
        ("our own (`held-out.jsonl`)", _USED, corpus.judge(CORPUS / "held-out.jsonl")),
        ("the lab, `lab/seen/`", _USED, _judged(files("seen"))),
        ("the lab, `lab/held/`", _HELD, held),
        *(
            (f"`lab/held/` in real builds, {title}", _HELD, in_builds.judged(files("held"), moment))
            for moment, title in in_builds.MOMENTS.items()
        ),
    ]
    for name, use, outcomes in sets:
        if use == _USED:
            print("\n".join([name, *corpus.wrong(outcomes)]), file=sys.stderr)
    parts = [
        figures(sets),
        ["Verdicts by label, held out, log alone:", "", *confusion(held)],
        ["How sure against how right, held out, log alone:", "", *calibration(held)],
        successful(),
        [_cost(held)],
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def _judged(paths: Iterable[Path]) -> list[Outcome]:
    return [outcome for path in paths for outcome in corpus.judge(path)]


def files(part: str) -> list[Path]:
    """Return the files of a part of the lab."""
    return sorted((LAB / part).glob("*.jsonl"))


def figures(sets: Iterable[tuple[str, str, Sequence[Outcome]]]) -> list[str]:
    """Return the table of all sets."""
    return tables.table(
        ["cases", "use", "number", "right owner", "wrong team", "a team, though nobody can tell"],
        [[name, use, str(len(outcomes)), *_shares(outcomes)] for name, use, outcomes in sets],
    )


def _shares(outcomes: Sequence[Outcome]) -> Iterator[str]:
    unknown = [one for one in outcomes if one.owner == UNKNOWN]
    yield _share(sum(one.right for one in outcomes), len(outcomes))
    yield _share(sum(one.wrong_team for one in outcomes), len(outcomes))
    yield f"{sum(not one.right for one in unknown)} of {len(unknown)}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}".replace("%", " %") if whole else "–"


def confusion(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the table of labels and verdicts."""
    seen = Counter((one.owner, one.verdict.owner) for one in outcomes)
    rows = [[label, *(str(seen[label, owner]) for owner in OWNERS)] for label in OWNERS]
    return tables.table(["label", *(f"verdict: {owner}" for owner in OWNERS)], rows)


def calibration(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the table of said confidence and found share, for verdicts that name a team."""
    rows = []
    for low, high in zip(_RANGES, [*_RANGES[1:], 1.01], strict=True):
        some = [one for one in outcomes if one.verdict.owner != UNKNOWN and low <= one.verdict.confidence < high]
        if some:
            mean = sum(one.verdict.confidence for one in some) / len(some)
            found = _share(sum(one.right for one in some), len(some))
            rows.append(
                [
                    f"{mean:.0%}".replace("%", " %"),
                    found,
                    _share(sum(one.wrong_team for one in some), len(some)),
                    str(len(some)),
                ]
            )
    return tables.table(["said", "right owner", "wrong team", "cases"], rows)


def successful() -> list[str]:
    """Return the sentence about logs of runs that did not fail."""
    rules = load_rules()
    cases = corpus.cases_of(FINE)
    alone = sum(verdict_of_log("", None, case["log"], rules=rules).owner != UNKNOWN for case in cases)
    told = sum(verdict_of_log(case["command"], 0, case["log"], rules=rules).owner != UNKNOWN for case in cases)
    return [
        f"Of {len(cases)} logs of successful runs (`fine.jsonl`), {told} get a team where the exit status 0 is known, "
        f"and {alone} where only the text is. Rules that decide match {len(list(decisive_hits()))} of their lines."
    ]


def decisive_hits() -> Iterator[tuple[str, str]]:
    """Yield the id and the line of each match of a decisive rule in the logs of successful runs."""
    rules = load_rules()
    decisive = [rule for rule in rules.rules if rule.strength == STRENGTHS.index("decisive")]
    for case in corpus.cases_of(FINE):
        for one in cases_of(case["command"], 0, lines_of(case["log"]), rules.lines["boilerplate"]):
            for line in one.lines:
                text = Text(line)
                quiet = any(rules.lines[name].on(line) for name in ("mute", "passing", "resting", "quoted"))
                if not quiet and any(rule.pattern.search(text) and not rule.unless.on(line) for rule in decisive):
                    yield case["id"], line


def _cost(outcomes: Sequence[Outcome]) -> str:
    took = [1000 * one.seconds for one in outcomes if one.seconds is not None]
    return (
        f"CPU: {sum(took) / len(took):.1f} ms a case of `lab/held/`, {max(took):.0f} ms at most; {_long():.1f} ms a log of "
        f"{_LONG:,} characters; {1000 * _ready():.0f} ms to be ready."
    )


def _ready() -> float:
    """Return the seconds of CPU until the first verdict, the imports left out."""
    words = (
        "import time; from pipeline_trace.ownership.log.judge import verdict_of_log; start = time.process_time(); "
        "verdict_of_log('make', 1, 'a.c:1:1: error: x'); print(time.process_time() - start)"
    )
    return float(subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout)


def _long() -> float:
    """Return the milliseconds of CPU for a long log: successful lines, then a failure."""
    fine = "\n".join(case["log"] for case in corpus.cases_of(FINE))
    failed = corpus.cases_of(CORPUS / "visible.jsonl")
    logs = [f"{fine[number * _LONG :][:_LONG]}\n{case['log']}"[-_LONG:] for number, case in enumerate(failed)]
    start = time.process_time()
    for log in logs:
        verdict_of_log("", 1, log)
    return 1000 * (time.process_time() - start) / len(logs)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="a file with marks, e.g. docs/ownership.md")
    options = parser.parse_args()
    text = report()
    print(text)
    if options.output:
        tables.put(options.output, Path(__file__).name, text)


if __name__ == "__main__":
    main()
