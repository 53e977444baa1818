"""psql against a real PostgreSQL, for migrations and checks."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION
from lab.model import Case, Machine, Site, Tool

RUN = "psql -v ON_ERROR_STOP=1 -h db.internal -U shop -d shop -f migrations/V42.sql"
SERVER = "/usr/lib/postgresql/*/bin"
# The server of a case: a copy of what the setup made, with more settings.
START = f"""
cp -a ~jenkins/tools/psql/data /home/data && chown -R nobody /home/data
as_nobody() {{ setpriv --reuid=65534 --clear-groups env HOME=/ PGOPTIONS= "$@"; }}
as_nobody {SERVER}/pg_ctl -s -w -D /home/data -l /home/data/log \\
  -o "-c listen_addresses=10.20.0.14 -k /home/data $SETTINGS" start
sql() {{ as_nobody psql -q -h /home/data -U postgres -d shop -c "$1"; }}
"""


def start(*statements: str, settings: str = "") -> str:
    """Return the shell that starts the server. ``statements``: run by its administrator."""
    return "\n".join([f"SETTINGS='{settings}'", START, *(f'sql "{one}"' for one in statements)])


def cases() -> Iterator[Case]:
    """Yield all cases of psql."""
    files = {"migrations/V42.sql": "ALTER TABLE carts ADD COLUMN total integer;\n"}
    for fault in CONNECTION:
        yield Case(
            fault, RUN, files=files, site=Site(host="db.internal", tls=False, port=5432), env={"PGCONNECT_TIMEOUT": "3"}
        )
    ready = "pg_isready -h db.internal -t 2"
    for fault in ("refused", "connect-timeout", "no-route", "name-unknown"):
        yield Case(fault, f"{ready}\n{RUN}", "ready", files=files, site=Site(host="db.internal", tls=False, port=5432))
    yield Case("local-service-absent", RUN.replace("db.internal", "localhost"), files=files)
    yield from _server(files)
    yield from _migrations()
    yield Case("tool-missing", RUN, files=files, machine=Machine(without=("psql",)))
    yield Case("tool-misspelt", RUN.replace("psql", "pslq", 1), files=files)
    yield Case("wrong-option", RUN.replace("-f", "--flie"), files=files)
    yield Case("missing-file", RUN.replace("V42", "V43"), files=files, before=start())
    slow = {"migrations/V42.sql": "SELECT pg_sleep(20);\n"}
    yield Case("killed", RUN, files=slow, before=start(), machine=Machine(kill=("KILL", "bin/psql -v", 2)))
    yield Case("terminated", RUN, files=slow, before=start(), machine=Machine(kill=("TERM", "bin/psql -v", 2)))
    yield Case("timeout", f"timeout 2 {RUN}", files=slow, before=start())
    dump = "pg_dump -h db.internal -U shop shop -f before.sql"
    yield Case(
        "disk-full",
        dump,
        "dump",
        before=start(
            "CREATE TABLE old AS SELECT repeat(md5(g::text), 20) AS t FROM generate_series(1, 2000) g",
            "ALTER TABLE old OWNER TO shop",
        ),
        machine=Machine(workspace="100k"),
    )
    yield Case("no-permission", dump, "dump", before=f"{start()}\ntouch before.sql")


def _server(files: dict[str, str | bytes]) -> Iterator[Case]:
    def case(fault: str, variant: str, before: str, **more: str) -> Case:
        return Case(fault, RUN, variant, files=files, before=before, **more)

    login = {"what": "the database refuses the login", "why": "the CI credential of the database is refused"}
    strict = (
        "sed -i 's/trust$/scram-sha-256/' /home/data/pg_hba.conf && sql 'SELECT pg_reload_conf()' >/dev/null && sleep 0.5"
    )
    wrong = Case(
        "http-401", RUN, "password", files=files, before=f"{start()}\n{strict}", env={"PGPASSWORD": "not-the-one"}, **login
    )
    yield wrong
    yield Case("http-401", RUN, "no-password", files=files, before=f"{start()}\n{strict}", **login)
    hba = (
        "sed -i 's/^host.*$/host other all 0.0.0.0\\/0 trust/' /home/data/pg_hba.conf && sql 'SELECT pg_reload_conf()'"
        " >/dev/null && sleep 0.5"
    )
    yield case(
        "http-403",
        "hba",
        f"{start()}\n{hba}",
        what="the database does not let the agent in",
        why="the shared database does not let the agent in",
    )
    yield case(
        "http-403",
        "owner",
        start("ALTER TABLE carts OWNER TO postgres"),
        what="a right is lacking",
        why="the CI account lacks a right in the database",
    )
    yield case(
        "http-403",
        "login",
        start("ALTER ROLE shop NOLOGIN"),
        what="the role may not log in",
        why="the CI account may not log in",
    )
    down = {"kind": "service_unavailable"}
    slots = start(settings="-c max_connections=4 -c superuser_reserved_connections=3")
    hold = "as_nobody psql -q -h /home/data -U shop -d shop -c 'SELECT pg_sleep(25)' >/dev/null 2>&1 &\nsleep 0.7"
    yield case(
        "http-503",
        "slots",
        f"{slots}\n{hold}",
        what="no connection slot is left",
        why="the shared database has no free connection",
        **down,
    )
    yield case(
        "http-503",
        "read-only",
        start("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()") + "\nsleep 0.5",
        what="a replica",
        why="the shared database is read-only",
        **down,
    )
    yield Case(
        "disk-full",
        RUN,
        "database",
        files={
            "migrations/V42.sql": (
                "CREATE TABLE copies AS SELECT repeat(md5(g::text), 20) AS t FROM generate_series(1, 200000) g;\n"
            )
        },
        before=start(
            "CREATE TABLESPACE small LOCATION '/home/small'",
            "ALTER DATABASE shop SET default_tablespace = small",
            "GRANT CREATE ON TABLESPACE small TO shop",
        ).replace(
            '\nsql "',
            "\nmkdir -p /home/small; mountpoint -q /home/small || { mount -t tmpfs -o size=1m tmpfs /home/small; chown"
            ' nobody /home/small; }\nsql "',
        ),
        why="the database server's disk is full",
    )
    slow = {"migrations/V42.sql": "SELECT pg_sleep(20);\n"}
    stop = f"{start()}\n( sleep 3; as_nobody {SERVER}/pg_ctl -s -D /home/data -m fast stop ) >/dev/null 2>&1 &"
    yield Case(
        "closed",
        RUN,
        "shutdown",
        files=slow,
        before=stop,
        what="the database is stopped",
        why="the shared database was stopped",
        **down,
    )
    stop = f"{start()}\n( sleep 3; as_nobody {SERVER}/pg_ctl -s -D /home/data -m immediate stop ) >/dev/null 2>&1 &"
    yield Case(
        "closed",
        RUN,
        "crash",
        files=slow,
        before=stop,
        what="the database crashes",
        why="the shared database went away",
        **down,
    )
    yield case(
        "wrong-parameter",
        "database",
        start("ALTER DATABASE shop RENAME TO shop2").replace("-d shop ", "-d postgres "),
        owner="unknown",
        kind="config_error",
        why="name in the pipeline or set-up of the server: not said",
    )


def _migrations() -> Iterator[Case]:
    def case(variant: str, sql: str, *statements: str) -> Case:
        return Case("migration", RUN, variant, files={"migrations/V42.sql": sql}, before=start(*statements))

    rows = "INSERT INTO carts VALUES (1, 'a'), (2, 'a')"
    yield case("syntax", "ALTER TABLE carts ADD COLUM total integer;\n")
    yield case("syntax-end", "CREATE TABLE rates (id integer, rate numeric;\n")
    yield case("table", "ALTER TABLE cart ADD COLUMN total integer;\n")
    yield case("column", "CREATE INDEX carts_total ON carts (total);\n")
    yield case("exists", "CREATE TABLE carts (id integer);\n")
    yield case("unique", "CREATE UNIQUE INDEX carts_owner ON carts (owner);\n", rows)
    yield case("not-null", "ALTER TABLE carts ADD COLUMN total integer NOT NULL;\n", rows)
    yield case("type", "ALTER TABLE carts ALTER COLUMN owner TYPE integer USING owner::integer;\n", rows)
    yield case("foreign-key", "CREATE TABLE lines (cart integer REFERENCES carts (id));\nINSERT INTO lines VALUES (7);\n")
    yield case("function", "SELECT shop_total(1);\n")
    yield case("division", "UPDATE carts SET id = 1 / (id - id);\n", rows)
    yield case("encoding", "INSERT INTO carts VALUES (3, '\\xff');\nSELECT 'a' || ;\n")
    yield case(
        "after-notices",
        "CREATE TABLE IF NOT EXISTS carts (id integer);\nDROP TABLE IF EXISTS old;\nALTER TABLE carts DROP COLUMN totals;\n",
    )
    yield case("check", "ALTER TABLE carts ADD CONSTRAINT positive CHECK (id > 1);\n", rows)
    locked = (
        start()
        + "\nas_nobody psql -q -h /home/data -U shop -d shop -c 'BEGIN; LOCK TABLE carts; SELECT pg_sleep(20)' >/dev/null"
        " 2>&1 &\nsleep 0.7"
    )
    sql = "SET lock_timeout = '1s';\nALTER TABLE carts ADD COLUMN total integer;\n"
    yield Case(
        "lock-held",
        RUN,
        files={"migrations/V42.sql": sql},
        before=locked,
        owner="unknown",
        kind="database_lock",
        why="what holds it is not said",
    )
    slow = "SET statement_timeout = '1s';\nSELECT pg_sleep(5);\n"
    yield Case(
        "timeout",
        RUN,
        "statement",
        files={"migrations/V42.sql": slow},
        before=start(),
        why="the statement, or the load of the server",
    )
    check = (
        'psql -v ON_ERROR_STOP=1 -h db.internal -U shop -d shop -c "DO \\$\\$ BEGIN IF (SELECT count(*) FROM carts) <> 3'
        " THEN RAISE EXCEPTION 'expected 3 carts after the migration'; END IF; END \\$\\$\""
    )
    yield Case("test", check, before=start())


TOOL = Tool(
    "psql",
    cases,
    setup=(
        "command -v pg_ctlcluster || apt-get install -y -qq postgresql\nrm -rf data && mkdir data && chown nobody . data &&"
        " chmod 755 . \n"
        f'run() {{ setpriv --reuid=65534 --clear-groups env HOME=/ "$@"; }}\nrun {SERVER}/initdb -D data -U postgres -A'
        " trust -N --locale=C.UTF-8 >/dev/null\n"
        "echo 'host all all 0.0.0.0/0 trust' >>data/pg_hba.conf\n"
        f"run {SERVER}/pg_ctl -s -w -D data -l data/log -o '-c listen_addresses= -k /tmp' start\n"
        "run psql -q -h /tmp -U postgres -c 'CREATE ROLE shop LOGIN' -c 'CREATE DATABASE shop OWNER shop'\n"
        "run psql -q -h /tmp -U shop -d shop -c 'CREATE TABLE carts (id integer, owner text)'\n"
        f"run {SERVER}/pg_ctl -s -w -D data -m fast stop"
    ),
)
