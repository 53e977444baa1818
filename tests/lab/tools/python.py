"""python3: a program of the project, and a deploy script, that stop: in their own code or at a service."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS
from lab.model import Case, Machine, Reply, Site, Tool

RUN = "python3 publish.py"
FETCH = """import json
import urllib.request


def rates(address):
    with urllib.request.urlopen(address, timeout=3) as answer:
        return json.load(answer)


print(len(rates("https://registry.example/rates.json")))
"""
FINE = {"publish.py": "print('published')\n"}
SITE = Site({"/rates.json": Reply(b'{"EUR": 1, "USD": 1.1}' * 1, "application/json")})


def cases() -> Iterator[Case]:
    """Yield all cases of Python programs."""
    for fault in [*CONNECTION, *TLS, *STATUS, "truncated", "redirect-loop"]:
        yield Case(fault, RUN, files={"publish.py": FETCH}, site=SITE)
    base = (
        "import socket\n\nwith socket.create_connection(('db.internal', 5432), 3) as database:\n   "
        " database.sendall(b'hello')\n    if not database.recv(1):\n        raise ConnectionError('db.internal closed the"
        " connection')\n"
    )
    for fault in ("refused", "connect-timeout", "no-route", "name-unknown", "reset", "closed"):
        yield Case(fault, RUN, "socket", files={"publish.py": base}, site=Site(host="db.internal", tls=False, port=5432))
    why = "the service gives no JSON, or the program asks for the wrong thing: not said"
    yield Case("html", RUN, files={"publish.py": FETCH}, site=SITE, owner="unknown", why=why)
    yield from _own()
    yield from _machine()
    yield Case("tool-misspelt", RUN.replace("python3", "pyhton3"), files=FINE)
    yield Case("tool-missing", RUN, files=FINE, machine=Machine(without=("python3",)))
    yield Case("wrong-option", RUN.replace(" ", " --no-such-option ", 1), files=FINE)


def _own() -> Iterator[Case]:
    for variant, text in {
        "key": (
            "RATES = {'EUR': 1}\n\n\ndef convert(price, currency):\n    return price * RATES[currency]\n\n\nprint(convert(3,"
            " 'USD'))\n"
        ),
        "none": "def find(name):\n    return None\n\n\nprint(find('cart').total)\n",
        "type": "print('total: ' + 42)\n",
        "zero": "def mean(prices):\n    return sum(prices) / len(prices)\n\n\nprint(mean([]))\n",
        "index": "import sys\n\nprint(sys.argv[1])\n",
        "assertion": "total = 41\nassert total == 42, f'total is {total}'\n",
        "value": "import datetime\n\nprint(datetime.date.fromisoformat('2026-13-01'))\n",
        "recursion": "def total(n):\n    return total(n + 1)\n\n\ntotal(0)\n",
        "raised": (
            "class PublishError(Exception):\n    pass\n\n\nraise PublishError('version 1.8.0 has no notes in"
            " CHANGELOG.md')\n"
        ),
        "decode": "open('a', 'wb').write(b'\\xff\\xfe')\nprint(open('a', encoding='utf-8').read())\n",
    }.items():
        yield Case("panic", RUN, variant, files={"publish.py": text})
    library = "import json\n\nprint(json.loads('{\"a\": 1,}'))\n"
    yield Case("panic", RUN, "library", files={"publish.py": library})
    yield Case(
        "bad-config",
        RUN,
        "json",
        files={"publish.py": "import json\n\nprint(json.load(open('settings.json')))\n", "settings.json": '{"port": 80,}\n'},
    )
    yield Case(
        "bad-config",
        RUN,
        "toml",
        files={
            "publish.py": "import tomllib\n\nprint(tomllib.load(open('settings.toml', 'rb')))\n",
            "settings.toml": "port = \n",
        },
    )
    yield Case("syntax", RUN, files={"publish.py": "def total(:\n    return 1\n"})
    yield Case("syntax", RUN, "indent", files={"publish.py": "def total():\nreturn 1\n"})
    yield Case("undefined-name", RUN, files={"publish.py": "print(vesion)\n"}, kind="exception")
    yield Case("import", RUN, files={"publish.py": "from shop import pricing\n", "shop/__init__.py": ""})
    yield Case(
        "missing-dependency",
        RUN,
        files={"publish.py": "import simplejson\n"},
        owner="unknown",
        why="the manifest, or the set-up of the agent: not said",
    )
    yield Case("missing-file", RUN.replace("publish", "publsh"), files=FINE)
    yield Case("missing-file", RUN, "read", files={"publish.py": "print(open('notes/1.8.0.md').read())\n"}, kind="exception")
    yield Case(
        "undefined-variable",
        RUN,
        "environ",
        files={"publish.py": "import os\n\nprint(os.environ['RELEASE_TOKEN'])\n"},
        owner="unknown",
        kind="config_error",
        why="the pipeline binds no such variable, or the platform gives none",
    )
    yield Case(
        "script-bug",
        RUN,
        "subprocess",
        files={
            "publish.py": (
                "import subprocess\n\nsubprocess.run(['sh', '-c', 'echo no version given >&2; exit 3'], check=True)\n"
            )
        },
    )
    caught = (
        "import sys\nimport urllib.request\n\ntry:\n    urllib.request.urlopen('https://registry.example/rates.json',"
        " timeout=3)\nexcept OSError as error:\n    sys.exit(f'publish: cannot fetch the rates: {error}')\n"
    )
    for fault in ("refused", "http-503", "tls-expired", "name-unknown"):
        yield Case(fault, RUN, "said", files={"publish.py": caught}, site=SITE)
    yield Case("missing-internal", RUN, files={"publish.py": FETCH.replace("rates.json", "rates-2.json")}, site=SITE)


def _machine() -> Iterator[Case]:
    write = {"publish.py": "with open('out.bin', 'wb') as out:\n    out.write(bytes(900_000))\n"}
    yield Case("disk-full", RUN, files=write, machine=Machine(workspace="300k"))
    yield Case("read-only", RUN, files=write, machine=Machine(read_only=("/home/jenkins/workspace/shop",)))
    yield Case("no-permission", RUN, files=write, before="touch out.bin && chmod 644 out.bin")
    temp = {
        "publish.py": (
            "import tempfile\n\nwith tempfile.NamedTemporaryFile() as out:\n    out.write(bytes(900_000))\n    out.flush()\n"
        )
    }
    yield Case("temp-full", RUN, files=temp, machine=Machine(temp="100k"))
    yield Case(
        "out-of-memory",
        RUN,
        "list",
        files={"publish.py": "rows = [bytes(1000) for number in range(200_000)]\n"},
        machine=Machine(memory=120),
    )
    yield Case(
        "too-many-files",
        RUN,
        "open",
        files={"publish.py": "files = [open('publish.py') for number in range(200)]\n"},
        machine=Machine(open_files=40),
    )
    slow = {"publish.py": "import time\n\ntime.sleep(25)\n"}
    yield Case("killed", RUN, files=slow, machine=Machine(kill=("KILL", "^python3 publish", 2)))
    yield Case("terminated", RUN, files=slow, machine=Machine(kill=("TERM", "^python3 publish", 2)))
    yield Case("timeout", f"timeout 2 {RUN}", files=slow)
    held = "python3 -c \"import socket, time; s = socket.create_server(('127.0.0.1', 8080)); time.sleep(25)\""
    serve = {
        "publish.py": (
            "import http.server\n\nhttp.server.HTTPServer(('127.0.0.1', 8080), http.server.BaseHTTPRequestHandler)\n"
        )
    }
    yield Case("port-taken", RUN, files=serve, service=held)


TOOL = Tool("python", cases)
