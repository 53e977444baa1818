"""alembic: migrations of a database."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.faults import CONNECTION
from lab.model import Case, Machine, Site, Tool

RUN = "alembic upgrade head"
INI = "[alembic]\nscript_location = migrations\nsqlalchemy.url = {}\n"
ENV = """
from alembic import context
from sqlalchemy import engine_from_config, pool

engine = engine_from_config(context.config.get_section("alembic"), prefix="sqlalchemy.", poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
LOCAL, SHARED = "sqlite:///shop.db", "postgresql+pg8000://shop:not-a-real-one@db.internal/shop"


def step(number: int, after: int, body: str) -> str:
    """Return a migration. ``after``: the number of the one before; 0 for none."""
    return (
        f'from alembic import op\nimport sqlalchemy as sa\n\nrevision = "a{number}"\ndown_revision ='
        f" {f'a{after}'!r}\n\n\ndef upgrade():\n    {body}\n".replace("'a0'", "None")
    )


FIRST = step(1, 0, 'op.create_table("carts", sa.Column("id", sa.Integer, primary_key=True), sa.Column("owner", sa.Text))')


def files(second: str = "", url: str = LOCAL, **more: str) -> dict[str, str | bytes]:
    """Return a project with a migration, and a second one."""
    found: dict[str, str | bytes] = {
        "alembic.ini": INI.format(url),
        "migrations/env.py": ENV,
        "migrations/versions/a1.py": FIRST,
    }
    if second:
        found["migrations/versions/a2.py"] = second
    return {**found, **{f"migrations/versions/{name}.py": text for name, text in more.items()}}


def cases() -> Iterator[Case]:
    """Yield all cases of alembic."""
    for fault in CONNECTION:
        # The driver waits for minutes.
        if fault not in ("hang", "connect-timeout"):
            yield Case(fault, RUN, files=files(url=SHARED), site=Site(host="db.internal", tls=False, port=5432))
    for variant, body in {
        "column": 'op.drop_column("carts", "total")',
        "table": 'op.add_column("cart", sa.Column("total", sa.Integer))',
        "exists": 'op.create_table("carts", sa.Column("id", sa.Integer))',
        "not-null": 'op.add_column("carts", sa.Column("total", sa.Integer, nullable=False))',
        "sql": 'op.execute("UPDAT carts SET owner = 1")',
        "unique": (
            'op.execute("INSERT INTO carts VALUES (1, 1), (2, 1)"); op.create_index("one", "carts", ["owner"], unique=True)'
        ),
        "python": 'op.create_tabel("rates")',
        "value": 'raise ValueError("3 carts without an owner")',
    }.items():
        yield Case("migration", RUN, variant, files=files(step(2, 1, body)))
    yield Case("migration", RUN, "heads", files=files(step(2, 1, "pass"), a3=step(3, 1, "pass")))
    yield Case("migration", RUN, "missing-revision", files=files(step(3, 2, "pass")))
    yield Case("migration", f"{RUN}\nalembic downgrade a9", "downgrade", files=files())
    yield Case("syntax", RUN, files=files("def upgrade(:\n    pass\n"))
    yield Case("import", RUN, files=files("from shop import models\n" + step(2, 1, "pass")))
    yield Case("missing-file", RUN, files={"app.py": ""})
    yield Case("bad-config", RUN, "url", files=files(url="postgres//db"))
    yield Case(
        "bad-config", RUN, "location", files={**files(), "alembic.ini": INI.format(LOCAL).replace("migrations", "migration")}
    )
    yield Case(
        "undefined-variable",
        RUN,
        "env",
        files={**files(), "migrations/env.py": "import os\nurl = os.environ['SHOP_DB_URL']\n" + ENV},
        owner="unknown",
        kind="config_error",
        why="the pipeline sets no such variable, or the platform gives none",
    )
    lock = "( echo 'BEGIN EXCLUSIVE;'; sleep 25 ) | sqlite3 shop.db &\nsleep 0.5\nchown jenkins shop.db"
    yield Case(
        "lock-held", RUN, files=files(), before=lock, owner="unknown", kind="database_lock", why="what holds it is not said"
    )
    yield Case("read-only", RUN, files=files(), machine=Machine(read_only=("/home/jenkins/workspace/shop",)))
    many = (
        'op.execute("CREATE TABLE c AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)'
        ' SELECT hex(randomblob(64)) FROM n")'
    )
    yield Case("disk-full", RUN, files=files(step(2, 1, many)), machine=Machine(workspace="400k"))
    yield from call_faults(RUN, files(), option="--no-such", misspelt="alembik")


TOOL = Tool(
    "alembic",
    cases,
    setup=venv("alembic pg8000") + "\ncommand -v sqlite3 || apt-get install -y -qq sqlite3",
    path=("alembic/bin",),
)
