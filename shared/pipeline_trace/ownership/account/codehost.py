"""Returns the pages that a code host has for a repository, a commit, a change, and commits since another one.

Only well-known hosts have such pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from ...trace import conventions as c
from ...trace.queries import attribute_text, revision_of
from ...trace.span import Span

# git@host:owner/repository
_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w-]+(?:\.[\w-]+)+):(?P<path>[\w~][^:]*)")
_PATH = re.compile(r"(?:/[\w.~+-]+){2,}")
_BITBUCKET_CLOUD = "bitbucket.org"


@dataclass(frozen=True)
class _Forms:
    """What follows a repository's own address."""

    compare: str
    commit: str
    change: str


_GITEA = _Forms("compare/{old}...{new}", "commit/{commit}", "pulls/{change}")
# By a word in the host's name.
_FORMS = {
    "github": _Forms("compare/{old}...{new}", "commit/{commit}", "pull/{change}"),
    "gitlab": _Forms("-/compare/{old}...{new}", "-/commit/{commit}", "-/merge_requests/{change}"),
    "bitbucket": _Forms("branches/compare/{new}%0D{old}", "commits/{commit}", "pull-requests/{change}"),
    "gitea": _GITEA,
    "codeberg": _GITEA,
}


def repository_of(run: Span) -> str:
    """Return the address of the repository of a run's commit; "" if the commit comes from a parameter alone."""
    own = attribute_text(run, c.VCS_HEAD_REVISION)
    return attribute_text(run, c.VCS_REPOSITORY_URL) if own and own == revision_of(run) else ""


def repository_url(repository: str) -> str:
    """Return the web address of a repository; "" if none is known: a host that only git knows may have no pages."""
    page, forms = _forms(repository)
    return page if forms or repository.startswith(("https://", "http://")) else ""


def compare_url(repository: str, old: str, new: str) -> str:
    """Return the address of the page that compares two commits; "" if the repository's address is of no known form."""
    page, forms = _forms(repository)
    return f"{page}/{forms.compare.format(old=quote(old), new=quote(new))}" if forms and old and new else ""


def commit_url(repository: str, commit: str) -> str:
    """Return the address of a commit's page; "" if the repository's address is of no known form."""
    page, forms = _forms(repository)
    return f"{page}/{forms.commit.format(commit=quote(commit))}" if forms and commit else ""


def change_url(repository: str, change: str) -> str:
    """Return the address of a change's page; "" if the repository's address is of no known form, or the id no number."""
    page, forms = _forms(repository)
    return f"{page}/{forms.change.format(change=change)}" if forms and change.isdecimal() and change.isascii() else ""


def _forms(repository: str) -> tuple[str, _Forms | None]:
    """Return the web address of a repository, and the forms of its pages; None if they are not known."""
    host, page = _page(repository)
    words = set(re.split(r"[.-]", host))
    # Bitbucket on a company's own host has other pages.
    if "bitbucket" in words and host != _BITBUCKET_CLOUD:
        return page, None
    return page, next((forms for word, forms in _FORMS.items() if word in words), None)


def _page(repository: str) -> tuple[str, str]:
    """Return the host and the web address of a repository; empty texts for none. A login in the address is left out."""
    scp = _SCP.fullmatch(repository)
    text = f"ssh://{scp['host']}/{scp['path']}" if scp else repository
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "", ""
    path = parts.path.rstrip("/").removesuffix(".git")
    if parts.scheme not in ("https", "http", "ssh", "git") or not host or not _PATH.fullmatch(path):
        return "", ""
    # A port of ssh is none of the web pages.
    web = parts.scheme if parts.scheme in ("https", "http") else "https"
    shown = f"{host}:{port}" if port and web == parts.scheme else host
    return host, f"{web}://{shown}{path}"
