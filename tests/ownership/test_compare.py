"""The page that compares two commits, by the form of the repository's address."""

from __future__ import annotations

import pytest

from pipeline_trace.ownership.account.compare import compare_url


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
