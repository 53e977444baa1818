"""A test run that failed: the project's own code, or what the tests run on? Pure.

An error's words say little within tests: mocks, stubs and test servers make errors on purpose, and assertions quote them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..verdict import DEV, OPS, UNKNOWN, Verdict
from .case import Case
from .rules import Rules

if TYPE_CHECKING:
    from .judge import Candidate

# What is short on a machine is short for every test that needs it; a network may be a test's own.
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
_COLLECTING = re.compile(
    r"ERROR collecting|errors? during collection|Test suite failed to run|could not compile|An error occurred while loading"
)
_NAMED = re.compile(r"[a-z][\w-]*(?:\.[\w-]+)+[:\"'/ )]|\b\d+\.\d+\.\d+\.\d+\b|port \d+|:\d{4,5}\b|https?://")
_THEN = "Dev looks at the test that failed."


def verdict_of_test_run(
    rules: Rules, case: Case, candidates: Sequence[Candidate], of: Callable[[Candidate], Verdict]
) -> Verdict | None:
    """Return whose a failed test run is, None where none failed. ``of``: what a candidate says on its own."""
    failed = next((match for match in rules.lines["tests.failed"].finditer(case.text)), None)
    if failed is None:
        return None
    real = [candidate for candidate in candidates if candidate.strength >= 2 and not _quoted(rules, candidate)]
    own_making = rules.lines["tests.own_making"].search(case.text)
    machine = [candidate for candidate in real if candidate.rule.kind in _MACHINE]
    if machine and not own_making:
        return of(max(machine, key=lambda candidate: candidate.rank))
    reach = [candidate for candidate in real if candidate.rule.kind in _REACH]
    if reach and not own_making:
        verdict = _unreached(rules, case, reach, of)
        if verdict:
            return verdict
    if _COLLECTING.search(case.text.value):
        code = [candidate for candidate in real if candidate.rule.owner == DEV]
        if code:
            return of(max(code, key=lambda candidate: candidate.rank))
    line = case.text.value[failed.start() : failed.end() + 160].strip().splitlines()[0]
    evidence = [line[:240]]
    if own_making and (reach or machine):
        evidence.append("the error is of the test's own making: a mock, a stub or a server of its own")
    return Verdict(DEV, "test_failure", 0.9 if not reach else 0.75, evidence, _THEN)


def _unreached(rules: Rules, case: Case, reach: Sequence[Candidate], of: Callable[[Candidate], Verdict]) -> Verdict | None:
    """Return the verdict where tests could not reach what they need, None where only some assert and fail besides."""
    best = max(reach, key=lambda candidate: candidate.rank)
    verdict = of(best)
    set_up = rules.lines["tests.set_up"].search(case.text)
    compared = [line for line in case.lines if rules.lines["tests.compared"].on(line)]
    if compared and not set_up:
        return None
    everywhere = set_up or len(reach) > 1 or not _PASSED.search(case.text.value)
    near = "\n".join(case.lines[max(best.finding.number - 1, 0) : best.finding.number + 2])
    if verdict.kind in ("network_timeout", "timeout") and not _NAMED.search(near):
        # A test that is too slow, or waits for itself.
        return None
    if verdict.owner == OPS and not (everywhere and _NAMED.search(near)):
        return Verdict(
            UNKNOWN, verdict.kind, 0.4, verdict.evidence, "Find out what the tests should have reached, and who runs it."
        )
    return verdict


def _quoted(rules: Rules, candidate: Candidate) -> bool:
    return rules.lines["quoted"].on(candidate.line) or rules.lines["tests.compared"].on(candidate.line)
