"""pytest: tests that fail, cannot be collected, or meet a broken machine or service."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.faults import CONNECTION, STATUS
from lab.model import Case, Machine, Site, Tool

RUN = "pytest -q"
CART = "def total(prices):\n    return sum(prices)\n"
FINE = "from cart import total\n\n\ndef test_total():\n    assert total([20, 22]) == 42\n"


def files(test: str, **more: str) -> dict[str, str | bytes]:
    """Return a project with one module and a test."""
    return {"cart.py": CART, "test_cart.py": test, **{f"{name}.py": text for name, text in more.items()}}


def cases() -> Iterator[Case]:
    """Yield all cases of pytest."""
    yield from _tests()
    yield from _collection()
    yield from _around()
    yield from call_faults(RUN, files(FINE), option="--no-such-option", misspelt="pytset")


def _tests() -> Iterator[Case]:
    def test(variant: str, body: str, fault: str = "test", **more: str) -> Case:
        return Case(fault, RUN, variant, files=files(body, **more))

    yield test("value", FINE.replace("42", "43"))
    yield test("list", "def test_lines():\n    assert [1, 2, 3] == [1, 3, 2]\n")
    yield test("raises", "import pytest\n\n\ndef test_negative():\n    with pytest.raises(ValueError):\n        int('1')\n")
    yield test(
        "parameters",
        "import pytest\nfrom cart import total\n\n\n@pytest.mark.parametrize('n', [1, 2, 3])\ndef test_n(n):\n    assert"
        " total([n]) < 3\n",
    )
    yield test("text", "def test_text():\n    assert 'Connection refused by the customer' == 'Connection accepted'\n")
    yield test("strict-xfail", "import pytest\n\n\n@pytest.mark.xfail(strict=True)\ndef test_fixed():\n    assert 1 == 1\n")
    yield test("type", "from cart import total\n\n\ndef test_total():\n    assert total(None) == 0\n", "test-error")
    yield test("key", "def test_rate():\n    assert {'EUR': 1}['USD'] == 2\n", "test-error")
    yield test(
        "fixture",
        "import pytest\n\n\n@pytest.fixture\ndef cart():\n    raise RuntimeError('no cart')\n\n\ndef test_a(cart):\n   "
        " pass\n",
        "test-error",
    )
    yield test("no-fixture", "def test_a(carts):\n    assert carts\n", "test-error")
    mock = (
        "from unittest import mock\nimport pytest\n\n\ndef test_retry():\n    client ="
        " mock.Mock(side_effect=ConnectionRefusedError('[Errno 111] Connection refused'))\n    assert client() == 'ok'\n"
    )
    yield test("refused", mock, "test-mock")
    own = (
        "import http.server, threading, urllib.request\n\n\ndef test_own_server():\n    class"
        " Answer(http.server.BaseHTTPRequestHandler):\n        def do_GET(self):\n            self.send_error(503)\n\n   "
        " server = http.server.HTTPServer(('127.0.0.1', 0), Answer)\n    threading.Thread(target=server.serve_forever,"
        " daemon=True).start()\n    assert urllib.request.urlopen(f'http://127.0.0.1:{server.server_port}/rates').status =="
        " 200\n"
    )
    yield test("own-503", own, "test-mock")
    raised = (
        "import pytest\n\n\ndef test_timeout():\n    with pytest.raises(TimeoutError):\n        raise OSError(28, 'No space"
        " left on device')\n"
    )
    yield test("no-space", raised, "test-mock")
    yield Case("test-timeout", f"{RUN} --timeout 1", files=files("import time\n\n\ndef test_ends():\n    time.sleep(30)\n"))
    yield Case(
        "coverage",
        f"{RUN} --cov=cart --cov-fail-under=95",
        files={**files(FINE), "cart.py": CART + "\n\ndef tax(price):\n    if price > 10:\n        return 2\n    return 1\n"},
    )
    yield test(
        "recursion",
        "def total(n):\n    return total(n + 1)\n\n\ndef test_total():\n    assert total(1) == 2\n",
        "test-error",
    )


def _collection() -> Iterator[Case]:
    yield Case("syntax", RUN, files=files("def test_a(:\n    pass\n"))
    yield Case("syntax", RUN, "module", files={**files(FINE), "cart.py": "def total(prices)\n    return 0\n"})
    yield Case("import", RUN, files=files("from carts import total\n"))
    yield Case("import", RUN, "name", files=files("from cart import totals\n\n\ndef test_a():\n    assert totals\n"))
    yield Case(
        "missing-dependency",
        RUN,
        files=files("import simplejson\n\n\ndef test_a():\n    assert simplejson\n"),
        owner="unknown",
        why="the manifest, or the set-up of the agent: not said",
    )
    yield Case("undefined-name", RUN, files=files("def test_a():\n    assert totl([1]) == 1\n"), kind="test_failure")
    yield Case("bad-config", RUN, "ini", files={**files(FINE), "pytest.ini": "[pytest]\nmarkers\n  slow\n"})
    yield Case(
        "bad-config",
        RUN,
        "option",
        files={**files(FINE), "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--strikt"\n'},
    )
    yield Case(
        "bad-config",
        f"{RUN} --strict-markers",
        "marker",
        files=files("import pytest\n\n\n@pytest.mark.slwo\ndef test_a():\n    pass\n"),
    )
    yield Case(
        "bad-config",
        RUN,
        "conftest",
        files={
            **files(FINE),
            "conftest.py": (
                "import pytest\n\n\ndef pytest_configure(config):\n    raise pytest.UsageError('set SHOP_ENV in"
                " pytest.ini')\n"
            ),
        },
    )
    yield Case("missing-file", f"{RUN} tests/unit", files=files(FINE))
    yield Case("unknown-target", f"{RUN} test_cart.py::test_totals", files=files(FINE))
    yield Case("unknown-target", f"{RUN} -k payments", "none", files=files(FINE))


def _around() -> Iterator[Case]:
    shared = (
        "import urllib.request\nimport pytest\n\n\n@pytest.fixture(scope='session')\ndef rates():\n    return"
        " urllib.request.urlopen('https://registry.example/rates', timeout=2).read()\n\n\n@pytest.mark.parametrize('n',"
        " range(4))\ndef test_rate(rates, n):\n    assert rates\n"
    )
    why = "every test fails in set-up at one shared host"
    for fault in [*CONNECTION, "tls-expired", "tls-unknown", *STATUS]:
        yield Case(fault, RUN, "set-up", files=files(shared), site=Site(), why=why)
    base = (
        "import socket\nimport pytest\n\n\n@pytest.fixture(autouse=True)\ndef database():\n   "
        " socket.create_connection(('db.internal', 5432), 2).close()\n\n\ndef test_a():\n    pass\n\n\ndef test_b():\n   "
        " pass\n"
    )
    for fault in ("refused", "connect-timeout", "no-route", "name-unknown"):
        yield Case(fault, RUN, "database", files=files(base), site=Site(host="db.internal", tls=False, port=5432), why=why)
    local = base.replace("db.internal", "localhost")
    yield Case("local-service-absent", RUN, files=files(local))
    large = (
        "def test_a(tmp_path):\n    (tmp_path / 'a').write_bytes(bytes(3_000_000))\n\n\ndef test_b(tmp_path):\n    (tmp_path"
        " / 'b').write_bytes(bytes(3_000_000))\n"
    )
    yield Case("temp-full", RUN, files=files(large), machine=Machine(temp="1m"))
    yield Case(
        "disk-full",
        f"{RUN} --junitxml=report.xml",
        files=files(FINE + "\n\ndef test_log():\n    open('out.log', 'wb').write(bytes(900_000))\n"),
        machine=Machine(workspace="300k"),
    )
    yield Case(
        "read-only",
        f"{RUN} --junitxml=report.xml -p no:cacheprovider",
        files=files(FINE),
        machine=Machine(read_only=("/home/jenkins/workspace/shop",)),
    )
    yield Case(
        "no-permission",
        f"{RUN} --junitxml=reports/unit.xml -p no:cacheprovider",
        files=files(FINE),
        before="mkdir reports && touch reports/unit.xml && chmod 755 reports",
    )
    slow = files("import time\n\n\ndef test_a():\n    time.sleep(25)\n")
    yield Case("killed", RUN, files=slow, machine=Machine(kill=("KILL", "bin/pytest", 2)))
    yield Case("terminated", RUN, files=slow, machine=Machine(kill=("TERM", "bin/pytest", 2)))
    yield Case("timeout", f"timeout 2 {RUN}", files=slow)
    port = "import socket\n\n\ndef test_port():\n    socket.create_server(('127.0.0.1', 8085))\n"
    held = "python3 -c \"import socket, time; s = socket.create_server(('127.0.0.1', 8085)); time.sleep(25)\""
    yield Case("port-taken", RUN, files=files(port), service=held)
    yield Case(
        "ignored-then-dev",
        f"curl -sSf https://registry.example/rates || true\n{RUN}",
        files=files(FINE.replace("42", "43")),
        site=Site(fault="http-503"),
    )


TOOL = Tool("pytest", cases, setup=venv("pytest pytest-cov pytest-timeout"), path=("pytest/bin",))
