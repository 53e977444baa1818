"""sqlite3: migrations of a file."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Machine, Tool

RUN = "sqlite3 -bail shop.db '.read V42.sql'"
MADE = (
    "sqlite3 shop.db \"CREATE TABLE carts (id INTEGER PRIMARY KEY, owner TEXT); INSERT INTO carts VALUES (1, 'a'), (2,"
    " 'a')\"; chown jenkins shop.db"
)
MANY = (
    "CREATE TABLE copies AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) SELECT i,"
    " hex(randomblob(64)) FROM n;\n"
)


def cases() -> Iterator[Case]:
    """Yield all cases of sqlite3."""
    for variant, sql in {
        "syntax": "ALTER TABLE carts AD COLUMN total int;\n",
        "table": "ALTER TABLE cart ADD COLUMN total int;\n",
        "column": "UPDATE carts SET total = 0;\n",
        "exists": "CREATE TABLE carts (id INTEGER);\n",
        "unique": "CREATE UNIQUE INDEX carts_owner ON carts (owner);\n",
        "not-null": "ALTER TABLE carts ADD COLUMN total INTEGER NOT NULL;\n",
        "key": "INSERT INTO carts VALUES (1, 'b');\n",
        "function": "SELECT shop_total(id) FROM carts;\n",
        "incomplete": "CREATE TABLE rates (id INTEGER\n",
    }.items():
        yield Case("migration", RUN, variant, files={"V42.sql": sql}, before=MADE)
    fine = {"V42.sql": "ALTER TABLE carts ADD COLUMN total int;\n"}
    yield Case("missing-file", RUN.replace("V42", "V43"), files=fine, before=MADE)
    yield Case("disk-full", RUN, files={"V42.sql": MANY}, before=MADE, machine=Machine(workspace="400k"))
    yield Case("read-only", RUN, files=fine, before=MADE, machine=Machine(read_only=("/home/jenkins/workspace/shop",)))
    yield Case("no-permission", RUN, files=fine, before=f"{MADE}; chown root shop.db . && chmod 644 shop.db")
    lock = "( echo 'BEGIN EXCLUSIVE;'; sleep 20 ) | sqlite3 shop.db &\nsleep 0.5"
    yield Case(
        "lock-held",
        RUN,
        files=fine,
        before=f"{MADE}\n{lock}",
        owner="unknown",
        kind="database_lock",
        why="what holds it is not said",
    )
    yield Case(
        "corrupt",
        RUN,
        files=fine,
        before=f"{MADE}\nhead -c 5000 /dev/urandom | dd of=shop.db conv=notrunc bs=1 seek=100 2>/dev/null",
        owner="unknown",
        why="who wrote the file is not said",
    )
    yield Case("tool-missing", RUN, files=fine, machine=Machine(without=("sqlite3",)))
    yield Case("tool-misspelt", RUN.replace("sqlite3", "sqlit3"), files=fine)
    yield Case("wrong-option", RUN.replace("-bail", "-bale"), files=fine, before=MADE)
    yield Case(
        "out-of-memory",
        RUN,
        files={"V42.sql": "SELECT length(hex(zeroblob(200000000)));\n"},
        before=MADE,
        machine=Machine(memory=60),
    )
    slow = {"V42.sql": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;\n"}
    yield Case("killed", RUN, files=slow, before=MADE, machine=Machine(kill=("KILL", "^sqlite3", 2)))
    yield Case("timeout", f"timeout 2 {RUN}", files=slow, before=MADE)


TOOL = Tool("sqlite3", cases, setup="command -v sqlite3 || apt-get install -y -qq sqlite3")
