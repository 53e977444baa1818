"""The sentence that says who should look and why."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipeline_trace.ownership import DEV, OPS, UNKNOWN, Verdict
from pipeline_trace.ownership.account.sentence import sentence


@pytest.mark.parametrize(
    ("owner", "kind", "then", "said"),
    [
        (OPS, "tls_expired", "Ops renews the certificate.", "Ops should look first: a certificate has expired."),
        (OPS, "dns", "Ops looks at ns1; then run it again.", "Ops should look at ns1: a name does not resolve."),
        (DEV, "lint", "Dev looks at a.py.", "Dev should look at a.py: a check of the code failed."),
        # A rule of the user has its own word for the kind.
        (OPS, "licence_server", "Ops frees a licence.", "Ops should look first: licence server."),
        (OPS, "vpn", "Ops frees a licence.", "Ops should look first: vpn."),
        # The reason is not said twice.
        (DEV, "test_failure", "Dev looks at the tests that failed.", "Dev should look at the tests that failed."),
        (UNKNOWN, "aborted", "Ask who aborted it.", "Nothing failed: the build was aborted."),
        (
            UNKNOWN,
            "timeout",
            "Compare its duration.",
            "It is not clear whether Dev or Ops should look first: a time limit passed. To decide it: compare its duration.",
        ),
        (
            UNKNOWN,
            "dns",
            "Ops reads it.",
            "It is not clear whether Dev or Ops should look first: a name does not resolve. To decide it: Ops reads it.",
        ),
        (
            UNKNOWN,
            "unknown",
            "",
            "It is not clear whether Dev or Ops should look first: no line and no fact tells why it failed.",
        ),
    ],
)
def test_who_should_look_and_why(owner: str, kind: str, then: str, said: str) -> None:
    assert sentence(Verdict(owner, kind, 0.8, [], then)) == said


@pytest.mark.parametrize(
    ("hosts", "at", "said"),
    [
        (["web1"], "web1", "at web1: Ansible could not reach it."),
        (["web1", "web2"], "web1, web2", "at web1, web2: Ansible could not reach them."),
        (
            ["web1", "web2", "web3", "web4", "web5"],
            "web1, web2, web3, web4, web5",
            "at web1, web2, web3 and 2 more: Ansible could not reach them.",
        ),
        (["web1"], "agent-7", "at agent-7: Ansible could not reach web1."),
    ],
)
def test_hosts_that_could_not_be_reached_are_named(hosts: Sequence[str], at: str, said: str) -> None:
    verdict = Verdict(OPS, "host_unreachable", 0.8, [], f"Ops looks at {at}; the change is not the cause.")
    assert sentence(verdict, hosts) == f"Ops should look {said}"


@pytest.mark.parametrize(
    ("projects", "said"),
    [(0, "."), (1, ", and 1 other project fails alike."), (2, ", and 2 other projects fail alike.")],
)
def test_other_projects_are_counted_where_they_speak_for_the_owner(projects: int, said: str) -> None:
    ops = sentence(Verdict(OPS, "dns", 0.8), projects=projects)
    assert ops == f"Ops should look first: a name does not resolve{said}"
    dev = sentence(Verdict(DEV, "lint", 0.8), projects=projects)
    assert dev == "Dev should look first: a check of the code failed."
