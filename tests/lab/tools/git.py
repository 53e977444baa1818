"""git over HTTPS and ssh, and what a repository itself can have wrong."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS
from lab.model import Case, Machine, Site, Tool

URL = "https://git.internal/shop/shop.git"
CLONE = f"git clone {URL} sources"
FETCH = f"git init -q sources\ncd sources\ngit fetch --no-tags --depth=1 {URL} +refs/heads/main:refs/remotes/origin/main"
SLOW = {"GIT_HTTP_LOW_SPEED_LIMIT": "1000", "GIT_HTTP_LOW_SPEED_TIME": "2", "GIT_TERMINAL_PROMPT": "0"}
SITE = Site(host="git.internal")
# A server's repository in the home folder, and a clone of it in the workspace.
REPOSITORY = """as_jenkins sh -ec '
git config --global user.name ci; git config --global user.email ci@shop.example; git config --global init.defaultBranch main
git init -q --bare ~/shop.git; git init -q; git remote add origin ~/shop.git
echo 1 > rates.txt; git add .; git commit -qm one
echo 2 > rates.txt; git commit -qam two; git push -q -u origin main' >/dev/null 2>&1
"""
DAEMON = "ssh://git@git.internal/home/jenkins/shop.git"


def cases() -> Iterator[Case]:
    """Yield all cases of git."""
    for fault in [*CONNECTION, *TLS, *STATUS, "html", "empty", "redirect-loop"]:
        # Git waits for minutes, whatever it is told.
        if fault in ("connect-timeout", "hang"):
            continue
        label = (
            {"owner": "unknown", "why": "another address, or a portal"}
            if fault in ("html", "empty")
            else {"kind": _kind(fault)}
        )
        yield Case(fault, CLONE, site=SITE, env=SLOW, **label)
        yield Case(fault, FETCH, "fetch", site=SITE, env=SLOW, **label)
    yield Case("missing-internal", CLONE, site=SITE, env=SLOW, why="no such repository, or no right to see it")
    yield from _ssh()
    yield from _machine()
    yield from _project()


def _kind(fault: str) -> str:
    return "scm_unavailable" if fault == "refused" or fault.startswith("http-5") else ""


def _ssh() -> Iterator[Case]:
    clone = f"git clone {DAEMON} sources"
    env = {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=2"}
    for fault in ("name-unknown", "dns-down", "refused", "no-route", "connect-timeout", "reset", "closed"):
        site = Site(host="git.internal", tls=False, port=22) if fault in ("reset", "closed") else None
        yield Case(fault, clone, "ssh", site=site, env=env, kind=_kind(fault))


def _machine() -> Iterator[Case]:
    merge = "git checkout -q main\ngit merge --no-edit origin/main\ngit commit --allow-empty -qm release"
    lock = REPOSITORY + "as_jenkins touch .git/index.lock"
    yield Case("lock-held", merge + "\ngit add .", before=lock, owner="ops", why="a leftover lock in the agent's workspace")
    yield Case("no-permission", "git fetch origin\ngit reset --hard HEAD~1", before=REPOSITORY + "chown -R root .git")
    yield Case(
        "no-permission", "git checkout -q HEAD~1", "index", before=REPOSITORY + "chown root . .git && chmod 755 . .git"
    )
    big = "cd ~; git clone -q shop.git big; cd big; head -c 900000 /dev/urandom > rates.bin"
    before = f"{REPOSITORY}as_jenkins sh -ec '{big}; git add .; git commit -qm big; git push -q' >/dev/null 2>&1"
    yield Case("disk-full", "git clone ~/shop.git copy", machine=Machine(workspace="800k"), before=before)
    yield Case(
        "read-only", "git fetch origin\ngit checkout -q HEAD~1", before=REPOSITORY, machine=Machine(read_only=(_HERE,))
    )
    yield Case("tool-missing", CLONE, machine=Machine(without=("git",)))
    hang = Site(host="git.internal", fault="hang")
    yield Case("killed", CLONE, site=hang, machine=Machine(kill=("KILL", "^git clone", 2)))
    yield Case("terminated", CLONE, site=hang, machine=Machine(kill=("TERM", "^git clone", 2)))
    yield Case("timeout", f"timeout 2 {CLONE}", site=hang)


_HERE = "/home/jenkins/workspace/shop"


def _project() -> Iterator[Case]:
    here = {"before": REPOSITORY}
    yield Case("unknown-ref", "git fetch origin\ngit checkout release/9.9", **here)
    yield Case("unknown-ref", "git clone --branch v9.9.9 ~/shop.git copy", "tag", **here)
    yield Case(
        "unknown-ref", "git fetch origin refs/heads/feature/discount", "fetch", why="somebody deleted the branch", **here
    )
    yield Case(
        "shallow", "git clone -q --depth 1 file:///home/jenkins/shop.git copy\ncd copy\ngit diff --stat HEAD~1", **here
    )
    conflict = "as_jenkins sh -ec 'git checkout -q -b discount HEAD~1; echo 3 > rates.txt; git commit -qam three'"
    yield Case("merge-conflict", "git merge --no-edit main", before=f"{REPOSITORY}{conflict}")
    yield Case("merge-conflict", "git rebase main", "rebase", before=f"{REPOSITORY}{conflict}")
    yield Case("merge-conflict", "git cherry-pick main", "pick", before=f"{REPOSITORY}{conflict}")
    behind = "as_jenkins sh -ec 'git reset -q --hard HEAD~1; echo 4 > rates.txt; git commit -qam four'"
    yield Case("behind", "git push origin main", before=f"{REPOSITORY}{behind}")
    hook = """cat > /home/jenkins/shop.git/hooks/pre-receive <<'END'
#!/bin/sh
echo "main is protected: open a merge request" >&2
exit 1
END
chmod 755 /home/jenkins/shop.git/hooks/pre-receive
as_jenkins git commit -q --allow-empty -m five
"""
    yield Case("hook", "git push origin main", before=f"{REPOSITORY}{hook}")
    yield Case("wrong-option", "git clone --deph 1 ~/shop.git copy", **here)
    yield Case("missing-file", "git add rates/discount.yaml", **here)
    yield Case("script-bug", "git commit -m release", "nothing", why="there is nothing to commit", **here)
    yield Case("unknown-target", "git chekout main", what="a misspelt command of git", **here)
    yield Case("tool-misspelt", CLONE.replace("git ", "gti ", 1))
    patch = {"fix.patch": "--- a/rates.txt\n+++ b/rates.txt\n@@ -1 +1 @@\n-7\n+8\n"}
    yield Case(
        "merge-conflict", "git apply fix.patch", "apply", files=patch, why="the patch does not fit the source", **here
    )
    space = "as_jenkins sh -ec 'printf \"a  \\n\" >> rates.txt'"
    yield Case("lint", "git diff --check", before=f"{REPOSITORY}{space}", why="white space at the end of a line")


TOOL = Tool("git", cases)
