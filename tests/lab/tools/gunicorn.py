"""gunicorn and uvicorn: an application that does not come up, and the health check that finds it."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.faults import CONNECTION
from lab.model import Case, Machine, Site, Tool

RUN = "gunicorn --bind 127.0.0.1:8080 --workers 1 app:app"
HEALTH = "curl -sSf --retry 3 --retry-connrefused --retry-delay 1 --max-time 3 http://127.0.0.1:8080/health"
DEPLOY = f"{RUN} >app.log 2>&1 &\nsleep 2\n{HEALTH} || {{ tail -n 30 app.log; exit 1; }}"
SILENT = f"{RUN} >app.log 2>&1 &\nsleep 2\n{HEALTH}"
FINE = 'def app(environ, start_response):\n    start_response("200 OK", [])\n    return [b"ok"]\n'


def cases() -> Iterator[Case]:
    """Yield all cases of gunicorn."""
    for variant, text in {
        "setting": 'import os\nDB_URL = os.environ["DB_URL"]\n' + FINE,
        "value": 'WORKERS = int("four")\n' + FINE,
        "exit": 'import sys\nsys.exit("shop 1.8.0: missing setting DB_URL")\n',
        "attribute": "application = None\n",
        "type": "app = 5\n",
    }.items():
        yield Case(
            "app-unhealthy", DEPLOY, variant, files={"app.py": text}, why="the log of the new version names its own fault"
        )
        yield Case(
            "app-unhealthy",
            SILENT,
            f"{variant}-silent",
            files={"app.py": text},
            owner="unknown",
            why="nothing says why it does not answer",
        )
    down = (
        'def app(environ, start_response):\n    start_response("503 Service Unavailable", [])\n    return [b\'{"status":'
        ' "down", "reason": "missing setting DB_URL"}\']\n'
    )
    yield Case(
        "app-unhealthy",
        DEPLOY,
        "503",
        files={"app.py": down},
        owner="unknown",
        why="a 503 of the application without its words",
    )
    yield Case(
        "app-unhealthy",
        DEPLOY.replace("-sSf", "-sS --fail-with-body"),
        "503-body",
        files={"app.py": down},
        why="the answer names the new version's own fault",
    )
    raised = "def app(environ, start_response):\n    return [1 / 0]\n"
    yield Case(
        "app-unhealthy", DEPLOY, "raises", files={"app.py": raised}, why="the log of the new version names its own fault"
    )
    yield Case("syntax", DEPLOY, files={"app.py": "def app(environ, start_response)\n    return []\n"})
    yield Case("import", DEPLOY, files={"app.py": "from shop import pricing\n" + FINE})
    yield Case("missing-file", DEPLOY.replace("app:app", "apps:app"), files={"app.py": FINE}, kind="import_error")
    held = "python3 -c \"import socket, time; s = socket.create_server(('127.0.0.1', 8080)); time.sleep(25)\""
    yield Case("port-taken", RUN, files={"app.py": FINE}, service=held)
    waits = 'import socket\nsocket.create_connection(("db.internal", 5432), 2)\n' + FINE
    for fault in CONNECTION:
        if fault not in ("reset", "closed", "hang"):
            yield Case(
                fault,
                DEPLOY,
                files={"app.py": waits},
                site=Site(host="db.internal", tls=False, port=5432),
                why="the application names the shared database that it cannot reach",
                kind="service_unavailable" if fault == "refused" else "",
            )
    uvicorn = DEPLOY.replace("gunicorn --bind 127.0.0.1:8080 --workers 1", "uvicorn --host 127.0.0.1 --port 8080")
    asgi = "import os\nDB_URL = os.environ['DB_URL']\nasync def app(scope, receive, send):\n    pass\n"
    yield Case(
        "app-unhealthy", uvicorn, "uvicorn", files={"app.py": asgi}, why="the log of the new version names its own fault"
    )
    startup = (
        "async def app(scope, receive, send):\n    if scope['type'] == 'lifespan':\n        await receive()\n        await"
        " send({'type': 'lifespan.startup.failed', 'message': 'migration V42 is missing'})\n"
    )
    yield Case(
        "app-unhealthy",
        uvicorn,
        "uvicorn-startup",
        files={"app.py": startup},
        why="the log of the new version names its own fault",
    )
    yield Case("bad-config", RUN, files={"app.py": FINE, "gunicorn.conf.py": "workers = many\n"})
    yield Case(
        "no-permission",
        f"{RUN} --error-logfile /var/log/shop/error.log",
        files={"app.py": FINE},
        before="install -d -m 700 /var/log/shop",
        owner="unknown",
        why="path in the project, or right on the node: not said",
    )
    yield Case(
        "killed",
        f"{RUN} &\nsleep 2\n{HEALTH} && wait $!",
        files={"app.py": FINE},
        machine=Machine(kill=("KILL", "bin/gunicorn", 4)),
    )
    yield from call_faults(RUN, {"app.py": FINE}, option="--no-such", misspelt="gunicron")


TOOL = Tool("gunicorn", cases, setup=venv("gunicorn uvicorn"), path=("gunicorn/bin",))
