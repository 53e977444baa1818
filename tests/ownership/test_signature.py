"""What makes two failures the same: the line without what differs from run to run, and the hosts that it names."""

from __future__ import annotations

import pytest

from pipeline_trace.ownership.signature import signature_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12:01:02 failed after 31 s", "13:55:42.120 failed after 7 s"),
        ("2026-01-05T12:00:00Z gone", "2026-02-07T01:02:03.5Z gone"),
        ("checkout 4163036efa65bd4a", "checkout a4c123b161"),
        ("sha256:1f2e3d wrong", "sha256:aa00bb wrong"),
        ("no /var/lib/jenkins/workspace/app/x.py", "no /home/ci/work/b/x.py"),
        ("GET https://a.example.com/x?y=1 503", "GET http://a.example.com/z 503"),
        ("read 10.20.0.5:51234->10.0.0.9:443: reset", "read 10.20.0.6:43001->10.0.0.9:443: reset"),
        ("from 10.0.0.5 port 51234 closed", "from 10.0.0.5 port 43001 closed"),
        ("no answer from localhost:80", "no answer from 127.0.0.1:80"),
        ("\x1b[31mKilled\x1b[0m", "killed"),
    ],
)
def test_what_differs_from_run_to_run_does_not_count(one: str, other: str) -> None:
    assert signature_of(one).like(signature_of(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TypeError: x is not a function", "TypeError: y is not a function"),
        ("test_cart failed", "test_user failed"),
        ("connect to 10.20.0.5:5432", "connect to 10.99.1.7:5432"),
        ("connect to localhost:5432", "connect to localhost:6379"),
        ('server at "localhost", port 5432 failed', 'server at "localhost", port 6379 failed'),
        ("pull from registry-a.example failed", "pull from registry-b.example failed"),
        ("GET https://user:pw@a.example/x 503", "GET https://user:pw@b.example/x 503"),
        ("connect to host web1 port 22", "connect to host web2 port 22"),
        ("The requested URL returned error: 500", "The requested URL returned error: 503"),
        ("error[E0308]: mismatched types", "error[E0277]: mismatched types"),
    ],
)
def test_what_tells_failures_apart_is_kept(one: str, other: str) -> None:
    assert not signature_of(one).like(signature_of(other))


def test_a_line_that_was_cut_off_is_the_same() -> None:
    line = "Could not resolve dependencies for project of the cart: artifact of the common library is not in the store"
    assert signature_of(line).like(signature_of(line[:80]))
    assert not signature_of("killed").like(signature_of("killed by a signal"))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "exit status 3",
        "script returned exit code 1",
        "non-zero return code",
        "make: *** [Makefile:12: test] Error 1",
        "Process exited with code 1",
        "FAILED",
        "BUILD FAILURE",
        "Killed",
        "##[error]Process completed with exit code 1.",
        "npm ERR! code ELIFECYCLE",
        "Build step 'Execute shell' marked build as failure",
        "FAILURE: Build failed with an exception.",
        "/srv/a/b.sh: line 12: 48213 Killed",
    ],
)
def test_a_line_with_which_any_command_may_end_tells_nothing(line: str) -> None:
    assert not signature_of(line).telling


@pytest.mark.parametrize("line", ["Connection refused", "no space left on device", "fatal: bad object HEAD"])
def test_a_line_that_says_what_failed_tells_something(line: str) -> None:
    assert signature_of(line).telling


def test_localhost_and_pages_that_explain_an_error_are_no_shared_hosts() -> None:
    said = signature_of("a.example:443 and localhost:80 failed, see https://docs.example/errors")
    assert said.shared_hosts == {"a.example:443"}
