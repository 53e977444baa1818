"""The pages of a code host, by the form of the repository's address."""

from __future__ import annotations

import pytest

from pipeline_trace.ownership.account.codehost import change_url, commit_url, compare_url, repository_of, repository_url
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span


@pytest.mark.parametrize(
    ("repository", "page"),
    [
        ("https://github.com/acme/shop.git", "https://github.com/acme/shop/compare/a...b"),
        ("git@github.com:acme/shop.git", "https://github.com/acme/shop/compare/a...b"),
        ("ssh://git@gitlab.example.com:2222/acme/web/shop.git", "https://gitlab.example.com/acme/web/shop/-/compare/a...b"),
        ("http://gitlab.example.com:8080/acme/shop/", "http://gitlab.example.com:8080/acme/shop/-/compare/a...b"),
        ("https://ci:hunter2@gitlab.com/acme/shop", "https://gitlab.com/acme/shop/-/compare/a...b"),
        ("https://bitbucket.org/acme/shop", "https://bitbucket.org/acme/shop/branches/compare/b%0Da"),
        ("git@gitea.example.com:acme/shop.git", "https://gitea.example.com/acme/shop/compare/a...b"),
        # Nobody knows the pages of these.
        ("https://bitbucket.example.com/scm/acme/shop.git", ""),
        ("https://git.example.com/github/shop.git", ""),
        ("https://notgithub.com/acme/shop", ""),
        ("git://127.0.0.1:19418/shop/app", ""),
        ("/srv/git/shop.git", ""),
        ("file:///srv/github.com/acme/shop", ""),
        ("https://github.com/acme", ""),
        ("https://github.com:port/acme/shop", ""),
        ("javascript://github.com/acme/shop", ""),
        ("", ""),
    ],
)
def test_page_of_commits(repository: str, page: str) -> None:
    assert compare_url(repository, "a", "b") == page


@pytest.mark.parametrize(("old", "new"), [("", "b"), ("a", "")])
def test_without_both_commits_there_is_none(old: str, new: str) -> None:
    assert compare_url("https://github.com/acme/shop", old, new) == ""


@pytest.mark.parametrize(
    ("repository", "page", "commit", "change"),
    [
        ("git@github.com:acme/shop.git", "https://github.com/acme/shop", "commit/abc", "pull/17"),
        ("https://gitlab.com/acme/web/shop", "https://gitlab.com/acme/web/shop", "-/commit/abc", "-/merge_requests/17"),
        ("https://bitbucket.org/acme/shop", "https://bitbucket.org/acme/shop", "commits/abc", "pull-requests/17"),
        ("https://codeberg.org/acme/shop", "https://codeberg.org/acme/shop", "commit/abc", "pulls/17"),
        # Nobody knows the pages of this host, but its address is one of a page.
        ("https://git.example.com/acme/shop.git", "https://git.example.com/acme/shop", "", ""),
        # Nor whether this one has any.
        ("ssh://git@git.example.com/acme/shop.git", "", "", ""),
        ("https://bitbucket.example.com/acme/shop", "https://bitbucket.example.com/acme/shop", "", ""),
        ("/srv/git/shop.git", "", "", ""),
    ],
)
def test_pages_of_a_repository_a_commit_and_a_change(repository: str, page: str, commit: str, change: str) -> None:
    assert repository_url(repository) == page
    assert commit_url(repository, "abc") == (commit and f"{page}/{commit}")
    assert change_url(repository, "17") == (change and f"{page}/{change}")


@pytest.mark.parametrize("change", ["", "PR-17", "17/../..", "\u0661"])
def test_a_change_is_a_number(change: str) -> None:
    assert change_url("https://github.com/acme/shop", change) == ""


def test_no_commit_leads_out_of_the_repository() -> None:
    assert commit_url("https://github.com/acme/shop", "a?b#c") == "https://github.com/acme/shop/commit/a%3Fb%23c"


def test_the_repository_of_a_commit_that_only_a_parameter_names_is_not_known() -> None:
    run = Span("a" * 32, "b" * 16, None, "RUN", 1, 2)
    run.attributes = {c.VCS_REPOSITORY_URL: "https://github.com/acme/pipelines", c.VCS_HEAD_REVISION: "d" * 40}
    assert repository_of(run) == "https://github.com/acme/pipelines"
    run.attributes[f"{c.JENKINS_PARAMETER_PREFIX}COMMIT"] = "e" * 40
    assert repository_of(run) == ""
