"""Gives verdicts on failed test runs: is it the project's code, or what the tests run on? Does no I/O.

An error message in a test run tells little: mocks, stubs and test servers cause errors on purpose, and assertions quote
them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..verdict import DEV, OPS, UNKNOWN, Verdict
from .case import Case
from .evidence import evidence_line
from .rules import ERROR, Rules
from .telling import how_telling

if TYPE_CHECKING:
    from .candidates import Candidate

# A machine's problem hits every test that needs the resource; a network may be a fake of the test.
_MACHINE = frozenset(("disk_full", "agent_limit", "out_of_memory", "storage_broken", "daemon", "lock", "clock", "leftovers"))
_REACH = frozenset(
    (
        "dns",
        "service_unavailable",
        "network_timeout",
        "registry_unavailable",
        "scm_unavailable",
        "host_unreachable",
        "tls_expired",
        "tls_untrusted",
        "auth_platform",
        "rate_limit",
        "app_unhealthy",
        "port_in_use",
        "permission",
    )
)
_PASSED = re.compile(
    r"\b[1-9]\d* (?:passed|passing|pass\b)|ok \d+ |^ok\s+\S+\s|--- PASS|\. ok$|✓"
    r"|Tests run: (?:[2-9]|\d\d+), Failures: 0, Errors: 1\b",
    re.MULTILINE,
)
# A service that is not on this machine.
_SHARED = re.compile(r"https?://(?!localhost|127\.|0\.0\.0\.0|\[::1)[\w-]+\.[\w.-]+")
# Not a host, though it has a dot.
_FILE = re.compile(
    r"[\w/.-]+\.(?:py|[jt]sx?|mjs|java|kt|go|rb|php|cs|rs|exs?)\b|\b(?:java|javax|org|com|requests|urllib3?)\.[\w.]+"
)
_COLLECTING = re.compile(
    r"ERROR collecting|errors? during collection|Test suite failed to run|could not compile|An error occurred while loading"
)
_NAMED = re.compile(
    r"[a-z][\w-]*(?:\.[\w-]+)+(?:[:\"'/ )]|$)|\b\d+\.\d+\.\d+\.\d+\b|port \d+|:\d{4,5}\b|https?://", re.MULTILINE
)
# pytest shows the fixtures of a test, used or not.
_FIXTURE = re.compile(r"^\s*(?:def \w+\(|\w+ = <)")
_PYTEST_SAYS = re.compile(r"E {3,}\S")
_PYTEST_CODE = re.compile(r"(?:>| {4}) *\S")
# Lines around an error in which a test may bring it about.
_NEAR, _NEXT = 30, 6
# What test tools print before the message of an error.
_ERROR_LINE = re.compile(r"^E +\w*(?:Error|Exception)|^\s*(?:\w+\.)*\w+(?:Error|Exception): |^\s+Error: ")
_THEN = "Dev looks at the test that failed."


def verdict_of_test_run(
    rules: Rules, case: Case, candidates: Sequence[Candidate], of: Callable[[Candidate], Verdict]
) -> Verdict | None:
    """Return the verdict on a failed test run; None if no test failed. ``of``: returns the verdict of one candidate."""
    failed = min((match.start() for match in rules.lines["tests.failed"].finditer(case.text)), default=None)
    if failed is None:
        return None
    said = _said(case.lines)
    real = [one for one in candidates if one.strength >= ERROR and not _quoted(rules, one) and one.finding.number in said]
    machine = [candidate for candidate in real if candidate.rule.kind in _MACHINE]
    made = _own_making(rules, case, said, machine)
    if machine and not made:
        return of(max(machine, key=lambda candidate: candidate.rank))
    reach = [candidate for candidate in real if candidate.rule.kind in _REACH]
    own_making = made or _own_making(rules, case, said, reach)
    if reach and not own_making:
        verdict = _unreached(rules, case, said, reach, of)
        if verdict:
            return verdict
    if _COLLECTING.search(case.text.value):
        code = [candidate for candidate in real if candidate.rule.owner == DEV]
        if code:
            return of(max(code, key=lambda candidate: candidate.rank))
    header = evidence_line(case.text.value[failed:].lstrip().partition("\n")[0])
    evidence = list(dict.fromkeys((_asserted(rules, case) or header, header)))
    if own_making and (reach or machine):
        evidence.append("the test causes this error itself, with a mock, a stub or a test server")
    return Verdict(DEV, "test_failure", 0.9 if not reach else 0.65, evidence, _THEN, phase="test")


def _said(lines: Sequence[str]) -> frozenset[int]:
    """Return the numbers of the lines that are no source code: pytest shows that of libraries, too."""
    if not any(_PYTEST_SAYS.match(line) for line in lines):
        return frozenset(range(len(lines)))
    return frozenset(number for number, line in enumerate(lines) if not _PYTEST_CODE.match(line))


def _own_making(rules: Rules, case: Case, said: frozenset[int], found: Sequence[Candidate]) -> bool:
    """Return whether a test brings about an error by itself: a mock, a stub or a test server is near its line.

    ``said``: the numbers of the lines that are no source code.
    """
    known = rules.lines["tests.own_making"]
    # Of source code, only what is next to the error is surely the test's.
    return any(
        known.on(case.lines[number]) and not _FIXTURE.search(case.lines[number])
        for at in {candidate.finding.number for candidate in found}
        for number in range(max(at - _NEAR, 0), min(at + _NEAR, len(case.lines)))
        if number in said or abs(number - at) <= _NEXT
    )


def _asserted(rules: Rules, case: Case) -> str:
    """Return the line of the first assertion that failed, of those that tell most; "" if there is none."""
    said = [line for line in case.lines if rules.lines["tests.compared"].on(line) or _ERROR_LINE.match(line)]
    return evidence_line(max(said, key=lambda line: how_telling(line, rules.lines["summary"]), default=""))


def _unreached(
    rules: Rules, case: Case, said: frozenset[int], reach: Sequence[Candidate], of: Callable[[Candidate], Verdict]
) -> Verdict | None:
    """Return the verdict if tests could not reach a service; None if other assertions failed besides.

    ``said``: the numbers of the lines that are no source code.
    """
    best = max(reach, key=lambda candidate: candidate.rank)
    verdict = of(best)
    set_up = rules.lines["tests.set_up"].search(case.text)
    if not set_up and any(rules.lines["tests.compared"].on(case.lines[number]) for number in said):
        return None
    everywhere = set_up or len(reach) > 1 or not _PASSED.search(case.text.value)
    near = _FILE.sub("", "\n".join(case.lines[max(best.finding.number - 1, 0) : best.finding.number + 2]))
    shared = bool(set_up) and _SHARED.search(case.text.value) is not None
    named = shared or _NAMED.search(near) is not None
    if verdict.kind in ("network_timeout", "timeout") and not named and not set_up:
        # The test is too slow, or waits for itself.
        return None
    if verdict.owner == OPS and not (everywhere and named):
        return Verdict(
            UNKNOWN, verdict.kind, 0.4, verdict.evidence, "Find out which service the tests did not reach, and who runs it."
        )
    if shared and verdict.owner == UNKNOWN and verdict.kind == "app_unhealthy":
        then = "Ops looks at the service that the tests need."
        return replace(verdict, owner=OPS, kind="service_unavailable", confidence=0.75, next=then)
    return verdict


def _quoted(rules: Rules, candidate: Candidate) -> bool:
    return rules.lines["quoted"].on(candidate.line) or rules.lines["tests.compared"].on(candidate.line)
