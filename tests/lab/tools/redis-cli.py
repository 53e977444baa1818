"""redis-cli against a real Redis."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION
from lab.model import Case, Machine, Site, Tool

RUN = "redis-cli -e -h db.internal"
SET = f"{RUN} SET release:shop 1.8.0"


def server(more: str = "", after: str = "") -> str:
    """Return the shell that starts a server in the background. ``after``: shell that runs when it is ready."""
    start = f"( cd /tmp && exec redis-server --bind 10.20.0.14 --protected-mode no --save '' {more} ) >/dev/null &"
    return (
        f"{start}\nfor i in 1 2 3 4 5 6 7 8 9; do redis-cli -h db.internal PING >/dev/null 2>&1 && break; sleep 0.2;"
        f" done\n{after}"
    )


def cases() -> Iterator[Case]:
    """Yield all cases of redis-cli."""
    for fault in CONNECTION:
        # The client waits for ever.
        bare = (
            {"owner": "unknown", "kind": "timeout", "why": "a bare 124 tells no cause"}
            if fault in ("hang", "connect-timeout")
            else {}
        )
        yield Case(fault, f"timeout 4 {SET}" if bare else SET, site=Site(host="db.internal", tls=False, port=6379), **bare)
    yield Case("local-service-absent", SET.replace("db.internal", "localhost"))
    down = {"kind": "service_unavailable"}
    login = {"what": "the server refuses the login", "why": "the CI credential is refused"}
    yield Case("http-401", SET, "none", before=server("--requirepass hunter22"), **login)
    yield Case(
        "http-401", SET, "wrong", before=server("--requirepass hunter22"), env={"REDISCLI_AUTH": "not-the-one"}, **login
    )
    rules = "redis-cli -h db.internal ACL SETUSER default -set >/dev/null"
    yield Case("http-403", SET, before=server(after=rules), what="a right is lacking", why="the CI account lacks a right")
    replica = server(after="redis-cli -h db.internal REPLICAOF 10.20.0.15 6379 >/dev/null")
    yield Case("http-503", SET, "read-only", before=replica, what="a replica", why="the shared store is read-only", **down)
    yield Case(
        "out-of-memory",
        SET,
        "server",
        before=server("--maxmemory 1", ""),
        what="the server's memory is used up",
        why="the shared store has no memory left",
    )
    yield Case(
        "disk-full",
        SET,
        "server",
        before=server(
            after=(
                "mkdir /home/d && mount -t tmpfs -o size=4k tmpfs /home/d && redis-cli -h db.internal CONFIG SET dir /home/d"
                " >/dev/null; redis-cli -h db.internal SET a $(head -c 60000 /dev/urandom | base64 -w0 | head -c 50000)"
                " >/dev/null; redis-cli -h db.internal CONFIG SET save '3600 1' >/dev/null; redis-cli -h db.internal BGSAVE"
                " >/dev/null; sleep 1"
            )
        ),
        why="the shared store cannot write its disk",
    )
    hold = "( sleep 25 | redis-cli -h db.internal SUBSCRIBE x ) >/dev/null 2>&1 &\nsleep 0.5"
    yield Case(
        "http-503",
        SET,
        "clients",
        before=server("--maxclients 1", hold),
        what="no connection is left",
        why="the shared store has no free connection",
        **down,
    )
    yield Case("wrong-parameter", f"{RUN} SETT release:shop 1.8.0", "command", before=server(), kind="pipeline_script")
    yield Case(
        "wrong-parameter",
        f"{RUN} EXPIRE release:shop soon",
        "number",
        before=server(after="redis-cli -h db.internal SET release:shop 1 >/dev/null"),
        kind="pipeline_script",
    )
    yield Case("wrong-parameter", f"{RUN} GET", "count", before=server(), kind="pipeline_script")
    typed = server(after="redis-cli -h db.internal LPUSH release:shop 1 >/dev/null")
    yield Case("script-bug", f"{RUN} INCR release:shop", "type", before=typed)
    yield Case(
        "script-bug",
        f"{RUN} --eval publish.lua release:shop",
        "lua",
        before=server(),
        files={"publish.lua": "return redis.call('INCR', KEYS[0])\n"},
    )
    yield Case(
        "syntax",
        f"{RUN} --eval publish.lua release:shop",
        before=server(),
        files={"publish.lua": "return redis.call('INCR' KEYS[1])\n"},
    )
    yield Case("missing-file", f"{RUN} --eval publsh.lua release:shop", before=server())
    yield Case("wrong-option", f"{RUN} --no-such-thing SET a b")
    yield Case("undefined-variable", f"set -u\n{RUN} SET release:shop $RELEASE")
    yield Case("tool-missing", SET, machine=Machine(without=("redis-cli",)))
    yield Case("tool-misspelt", SET.replace("redis-cli", "rediscli"))


TOOL = Tool("redis-cli", cases, setup="command -v redis-server || apt-get install -y -qq redis-server")
