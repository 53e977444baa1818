"""pytest: tests of a small project, with what they need from shared services."""

from __future__ import annotations

from collections.abc import Iterator

from lab.agent import WORKSPACE
from lab.faults import CONNECTION, STATUS, TLS
from lab.model import Case, Machine, Site, Tool
from lab.usual import Work, agent_cases, dev

TEST = "python3 -m pytest"
CART = "def total(counts, rate=12):\n    return sum(counts) * rate\n"
CHECK = "from shop.cart import total\n\n\ndef test_total_of_three():\n    assert total([1, 2]) == 36\n\n\ndef test_total_of_none():\n    assert total([]) == 0\n"
FILES = {"shop/__init__.py": "", "shop/cart.py": CART, "tests/test_cart.py": CHECK}
SETUP = "/usr/bin/python3 -m venv . && bin/pip -q install pytest pytest-cov pytest-timeout pytest-xdist requests"
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1"}
_SHARED = "import json\nimport urllib.request\n\nimport pytest\n\n\n@pytest.fixture(scope='session', autouse=True)\ndef rates():\n    with urllib.request.urlopen('https://artifacts.internal/rates.json', timeout=2) as answer:\n        return json.load(answer)\n"
_DATABASE = "import socket\n\nimport pytest\n\n\n@pytest.fixture(autouse=True)\ndef database():\n    with socket.create_connection(('db.internal', 5432), timeout=2) as connection:\n        yield connection\n"
_REQUESTS = "import pytest\nimport requests\n\n\n@pytest.fixture(scope='session', autouse=True)\ndef rates():\n    answer = requests.get('https://artifacts.internal/rates.json', timeout=2)\n    answer.raise_for_status()\n    return answer.json()\n"


def check(body: str, head: str = "") -> dict[str, str]:
    """Return a test whose body is this."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return {"tests/test_cart.py": f"{head}\nfrom shop.cart import total\n\n\ndef test_cart(tmp_path, monkeypatch):\n{lines}"}


def cases() -> Iterator[Case]:
    """Yield all cases of pytest."""
    yield from _services()
    yield from _agent()
    yield from dev(TEST, FILES, *_project())
    yield from dev(TEST, FILES, *_mocks())
    yield from _calls()


def _services() -> Iterator[Case]:
    site = Site(host="artifacts.internal")
    shared = {**FILES, "tests/conftest.py": _SHARED}
    for fault in [*CONNECTION, *TLS, "http-401", "http-403", "http-500", "http-502", "http-503"]:
        what = f"every test needs a shared store: {fault}"
        yield Case(fault, TEST, "set-up", files=shared, site=site, what=what, seconds=40)
    for fault in [*STATUS, "name-unknown", "refused", "tls-expired", "tls-unknown", "hang"]:
        what = f"every test needs a shared store: {fault}"
        yield Case(
            fault, TEST, "requests", files={**FILES, "tests/conftest.py": _REQUESTS}, site=site, what=what, seconds=40
        )
    for fault in ("name-unknown", "refused", "no-route", "connect-timeout"):
        files = {**FILES, "tests/conftest.py": _DATABASE}
        yield Case(
            fault,
            f"DB_HOST=db.internal {TEST}",
            "database",
            files=files,
            what=f"every test needs the shared database: {fault}",
        )
    local = {**FILES, "tests/conftest.py": _DATABASE.replace("db.internal", "localhost")}
    yield Case("local-service-absent", TEST, files=local)


def _agent() -> Iterator[Case]:
    slow = {"tests/test_slow.py": "import time\n\n\ndef test_slow():\n    time.sleep(60)\n"}
    work = Work(
        "python3",
        TEST,
        {**FILES, **check("(tmp_path / 'a').write_text('x' * 100)\nassert total([1]) == 12")},
        memory=26,
        slow=TEST,
        slow_files=slow,
    )
    for case in agent_cases(work):
        # pytest alone writes nothing that must be written.
        if case.fault != "read-only":
            yield case
    writes = check("open('report.bin', 'wb').write(bytes(300_000))\nassert total([1]) == 12")
    yield Case("disk-full", TEST, files={**FILES, **writes}, machine=Machine(workspace="120k"))
    yield Case("read-only", TEST, files={**FILES, **writes}, machine=Machine(read_only=(WORKSPACE,)))
    temporary = check("(tmp_path / 'report.bin').write_bytes(bytes(300_000))\nassert total([1]) == 12")
    yield Case("temp-full", TEST, files={**FILES, **temporary}, machine=Machine(temp="60k"))
    reports = "mkdir reports && chmod 755 reports"
    yield Case("no-permission", f"{TEST} --junitxml reports/tests.xml", files=FILES, before=reports)
    yield Case(
        "temp-missing",
        TEST,
        files={**FILES, **temporary},
        env={"TMPDIR": "/nowhere/tmp"},
        before="chmod 755 /tmp /var/tmp",
        machine=Machine(read_only=(WORKSPACE,)),
    )
    taken = (
        "python3 -c 'import socket, time; s = socket.socket(); s.bind((\"127.0.0.1\", 8080)); s.listen(); time.sleep(60)'"
    )
    port = check(
        "from http.server import HTTPServer, BaseHTTPRequestHandler\nHTTPServer(('127.0.0.1', 8080), BaseHTTPRequestHandler)"
    )
    yield Case("port-taken", TEST, files={**FILES, **port}, service=taken)
    older = {**FILES, "pytest.ini": "[pytest]\nminversion = 99.0\n"}
    yield Case("tool-too-old", TEST, files=older)
    yield Case("tool-missing", TEST.replace("python3 -m ", ""), "program", files=FILES, machine=Machine(without=("pytest",)))


def _project() -> list[tuple[str, str, dict[str, str]]]:
    return [
        ("test", "", {"shop/cart.py": CART.replace("rate=12", "rate=11")}),
        ("test", "text", check("assert repr(total([1])) == 'twelve', 'the price of one'")),
        ("test", "dictionary", check("assert {'tea': total([1]), 'rate': 12} == {'tea': 11, 'rate': 12}")),
        ("test", "raises", check("with pytest.raises(ValueError):\n    total([1])", "import pytest\n")),
        ("test-error", "", check("total(None)")),
        ("test-error", "key", check("assert {'tea': 1}['coffee'] == total([1])")),
        ("test-error", "attribute", check("assert total([1]).price == 12")),
        ("test-error", "fixture", {"tests/test_cart.py": "def test_cart(prices):\n    assert prices\n"}),
        (
            "test-error",
            "set-up",
            {"tests/conftest.py": "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef prices():\n    return {}['tea']\n"},
        ),
        (
            "test-error",
            "tear-down",
            {
                "tests/conftest.py": "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef prices():\n    yield\n    raise RuntimeError('orders are left')\n"
            },
        ),
        ("import", "", {"tests/test_cart.py": CHECK.replace("shop.cart", "shop.basket")}),
        ("import", "name", {"tests/test_cart.py": CHECK.replace("import total", "import sum_of")}),
        ("missing-dependency", "", {"shop/cart.py": "import pydantic\n\n" + CART}),
        ("syntax", "", {"shop/cart.py": CART.replace(":\n", "\n")}),
        ("syntax", "test", {"tests/test_cart.py": CHECK.replace("[1, 2]", "[1, 2")}),
        (
            "syntax",
            "indentation",
            {"tests/test_cart.py": CHECK.replace("    assert total([])", "  assert 1\n    assert total([])")},
        ),
        (
            "bad-config",
            "",
            {
                "pytest.ini": "[pytest]\naddopts = --strict-markers\n",
                **check("pass", "import pytest\n\npytestmark = pytest.mark.slowly\n"),
            },
        ),
        ("bad-config", "file", {"pytest.ini": "addopts = -q\n"}),
        (
            "bad-config",
            "warning",
            {
                "pytest.ini": "[pytest]\nfilterwarnings = error\n",
                **check(
                    "import warnings\nwarnings.warn('total is deprecated', DeprecationWarning)\nassert total([1]) == 12"
                ),
            },
        ),
        ("bad-manifest", "", {"pyproject.toml": "[tool.pytest.ini_options\naddopts = '-q'\n"}),
        ("missing-file", "fixture", check("assert open('tests/data/rates.json').read()")),
        ("panic", "", check("import os\nos.abort()")),
        ("panic", "recursion", check("def again(n):\n    return again(n + 1)\nagain(total([1]))")),
    ]


def _mocks() -> list[tuple[str, str, dict[str, str]]]:
    mock = "from unittest import mock\nwith mock.patch('urllib.request.urlopen', side_effect={}):\n    import urllib.request\n    assert urllib.request.urlopen('https://rates.example/of').read()"
    own = "import socket\nserver = socket.create_server(('127.0.0.1', 0))\nport = server.getsockname()[1]\nserver.close()\nsocket.create_connection(('127.0.0.1', port), timeout=1)"
    status = "import threading, urllib.request\nfrom http.server import HTTPServer, BaseHTTPRequestHandler\nclass Rates(BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.send_error(503)\nserver = HTTPServer(('127.0.0.1', 0), Rates)\nthreading.Thread(target=server.serve_forever, daemon=True).start()\nassert urllib.request.urlopen(f'http://127.0.0.1:{server.server_port}/').read()"
    return [
        ("test-mock", "refused", check(mock.format("ConnectionRefusedError(111, 'Connection refused')"))),
        ("test-mock", "timeout", check(mock.format("TimeoutError('timed out')"))),
        ("test-mock", "disk", check(mock.format("OSError(28, 'No space left on device')"))),
        ("test-mock", "own-server", check(own)),
        ("test-mock", "own-status", check(status)),
        (
            "test-mock",
            "quoted",
            check("said = 'ERROR: connection to db.internal refused'\nassert said == 'order kept', total([1])"),
        ),
    ]


def _calls() -> Iterator[Case]:
    yield Case("missing-file", f"{TEST} tests/test_basket.py", files=FILES)
    why = "the process ends in silence; the log tells no cause"
    yield Case("panic", TEST, "exit", files={**FILES, **check("import os\nos._exit(3)")}, owner="unknown", why=why)
    yield Case("unknown-target", f"{TEST} tests/test_cart.py::test_basket", files=FILES)
    yield Case("wrong-option", f"{TEST} --fail-quick", files=FILES)
    yield Case(
        "coverage",
        f"{TEST} --cov shop --cov-fail-under 90",
        files={**FILES, "shop/order.py": "def order():\n    count = 1\n    count += 1\n    count += 2\n    return count\n"},
    )
    yield Case("test-timeout", f"{TEST} --timeout 2", files={**FILES, **check("import time\ntime.sleep(60)")}, seconds=40)
    yield Case("test", f"{TEST} -n 2", "workers", files={**FILES, "shop/cart.py": CART.replace("12", "11")})
    yield Case(
        "panic",
        f"{TEST} -n 2",
        "worker",
        files={**FILES, **check("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")},
    )
    yield Case(
        "bad-config",
        f"{TEST} -k nothing_like_it",
        "none",
        files=FILES,
        what="no test is selected",
        why="the selection names no test of the project",
    )
    ignored = "rm old-report.xml || true\n" + TEST
    yield Case("ignored-then-dev", ignored, files={**FILES, "shop/cart.py": CART.replace("12", "11")})


TOOL = Tool("pytest", cases, setup=SETUP, path=("pytest/bin",), env=ENVIRONMENT)
