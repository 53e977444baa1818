"""mysql, MariaDB's client: a database that does not answer, or is not let in."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION
from lab.model import Case, Machine, Site, Tool

RUN = "mysql --connect-timeout=4 -h db.internal -u shop shop <migrations/V42.sql"
FILES = {"migrations/V42.sql": "ALTER TABLE carts ADD COLUMN total INT;\n"}
START = """
mkdir -p /run/mysqld /home/db && cp -a ~jenkins/tools/mysql/data /home/db/ && chown -R nobody /home/db /run/mysqld
mariadbd --no-defaults --user=nobody --datadir=/home/db/data --bind-address=10.20.0.14 --socket=/home/db/s \\
  --skip-name-resolve $SETTINGS >/home/db/log 2>&1 &
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do mysql -S /home/db/s -u root -e 'select 1' >/dev/null 2>&1 && break; sleep 0.4; done
"""


def start(*statements: str, settings: str = "") -> str:
    """Return the shell that starts the server. ``statements``: run by its administrator."""
    return "\n".join(
        [f"SETTINGS='{settings}'", START, *(f'mysql -S /home/db/s -u root shop -e "{one}"' for one in statements)]
    )


def cases() -> Iterator[Case]:
    """Yield all cases of mysql."""
    for fault in CONNECTION:
        yield Case(fault, RUN, files=FILES, site=Site(host="db.internal", tls=False, port=3306))
    yield Case("local-service-absent", RUN.replace("db.internal", "127.0.0.1"), files=FILES)
    login = {"what": "the database refuses the login", "why": "the CI credential of the database is refused"}
    yield Case("http-401", RUN.replace("-u shop", "-u shop -pnot-the-one"), files=FILES, before=start(), **login)
    yield Case(
        "http-403",
        RUN,
        files=FILES,
        before=start("REVOKE ALL ON shop.* FROM shop; GRANT SELECT ON shop.* TO shop"),
        what="a right is lacking",
        why="the CI account lacks a right in the database",
    )
    down = {"kind": "service_unavailable"}
    yield Case(
        "http-503",
        RUN,
        "read-only",
        files=FILES,
        before=start("SET GLOBAL read_only = 1"),
        what="a replica",
        why="the shared database is read-only",
        **down,
    )
    hold = (
        "for i in 1 2 3 4 5 6 7 8 9 10 11; do mysql -h db.internal -u shop -e 'select sleep(25)' >/dev/null 2>&1 & done;"
        " sleep 1"
    )
    yield Case(
        "http-503",
        RUN,
        "connections",
        files=FILES,
        before=f"{start(settings='--max-connections=10')}\n{hold}",
        what="no connection is left",
        why="the shared database has no free connection",
        **down,
    )
    slow = {"migrations/V42.sql": "SELECT SLEEP(20);\n"}
    yield Case(
        "closed",
        RUN,
        "crash",
        files=slow,
        before=f"{start()}\n( sleep 3; pkill -KILL mariadbd ) >/dev/null 2>&1 &",
        what="the database crashes",
        why="the shared database went away",
        **down,
    )
    for variant, sql in {
        "syntax": "ALTER TABLE carts AD COLUMN total INT;\n",
        "table": "ALTER TABLE cart ADD COLUMN total INT;\n",
        "column": "CREATE INDEX carts_total ON carts (total);\n",
        "exists": "CREATE TABLE carts (id INT);\n",
        "unique": "INSERT INTO carts VALUES (1, 'a'), (2, 'a');\nCREATE UNIQUE INDEX carts_owner ON carts (owner);\n",
        "foreign-key": "CREATE TABLE `lines` (cart INT, FOREIGN KEY (cart) REFERENCES carts (id));\n",
        "value": "INSERT INTO carts VALUES ('one', 'a');\n",
    }.items():
        yield Case("migration", RUN, variant, files={"migrations/V42.sql": sql}, before=start())
    locked = (
        f"{start()}\nmysql -h db.internal -u shop shop -e 'LOCK TABLES carts WRITE; SELECT SLEEP(25)' >/dev/null 2>&1"
        " &\nsleep 0.7"
    )
    yield Case(
        "lock-held",
        RUN,
        files={"migrations/V42.sql": "SET lock_wait_timeout = 1;\n" + FILES["migrations/V42.sql"]},
        before=locked,
        owner="unknown",
        kind="database_lock",
        why="what holds it is not said",
    )
    yield Case(
        "wrong-parameter",
        RUN.replace(" shop <", " shopp <"),
        files=FILES,
        before=start("GRANT ALL ON *.* TO shop"),
        owner="unknown",
        kind="config_error",
        why="name in the pipeline or set-up of the server: not said",
    )
    yield Case("missing-file", RUN.replace("V42", "V43"), files=FILES, before=start())
    yield Case("wrong-option", RUN.replace("--connect-timeout", "--conect-timeout"), files=FILES)
    yield Case("tool-misspelt", RUN.replace("mysql", "mysqll", 1), files=FILES)
    yield Case("tool-missing", RUN, files=FILES, machine=Machine(without=("mysql",)))
    yield Case("timeout", f"timeout 2 {RUN}", files=slow, before=start())


TOOL = Tool(
    "mysql",
    cases,
    setup=(
        "command -v mariadbd || apt-get install -y -qq mariadb-server\nrm -rf data && mkdir data && chown nobody"
        " data\nmariadb-install-db --no-defaults --user=nobody --datadir=$PWD/data --skip-test-db >/dev/null\nmariadbd"
        " --no-defaults --user=nobody --datadir=$PWD/data --skip-networking --socket=/tmp/lab-mysql >/dev/null 2>&1 &\nfor i"
        " in 1 2 3 4 5 6 7 8 9 10; do mysql -S /tmp/lab-mysql -u root -e 'select 1' >/dev/null 2>&1 && break; sleep 1;"
        " done\nmysql -S /tmp/lab-mysql -u root -e \"CREATE DATABASE shop; CREATE USER shop@'%'; GRANT ALL ON shop.* TO"
        " shop@'%'; CREATE TABLE shop.carts (id INT, owner VARCHAR(20))\"\nmysqladmin -S /tmp/lab-mysql -u root"
        " shutdown\nwait"
    ),
)
