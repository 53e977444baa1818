"""Returns the page on which a code host shows the commits since another one. Only well-known hosts have one."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# git@host:owner/repository
_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w-]+(?:\.[\w-]+)+):(?P<path>[\w~][^:]*)")
# By a word in the host's name.
_FORMS = {
    "github": "{page}/compare/{old}...{new}",
    "gitlab": "{page}/-/compare/{old}...{new}",
    "bitbucket": "{page}/branches/compare/{new}%0D{old}",
    "gitea": "{page}/compare/{old}...{new}",
    "codeberg": "{page}/compare/{old}...{new}",
}
_PATH = re.compile(r"(?:/[\w.~+-]+){2,}")
_BITBUCKET_CLOUD = "bitbucket.org"


def compare_url(repository: str, old: str, new: str) -> str:
    """Return the address of the page that compares two commits; "" if the repository's address is of no known form."""
    host, page = _page(repository)
    words = set(re.split(r"[.-]", host))
    form = next((form for word, form in _FORMS.items() if word in words), "")
    # Bitbucket on a company's own host has other pages.
    if not form or not old or not new or ("bitbucket" in words and host != _BITBUCKET_CLOUD):
        return ""
    return form.format(page=page, old=old, new=new)


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
