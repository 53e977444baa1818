"""unittest: tests of a small project with the standard library alone."""

from __future__ import annotations

from collections.abc import Iterator

from lab.agent import WORKSPACE
from lab.faults import CONNECTION, TLS
from lab.model import Case, Machine, Site, Tool
from lab.usual import Work, agent_cases, dev

TEST = "python3 -m unittest -v"
CART = "def total(counts, rate=12):\n    return sum(counts) * rate\n"
FILES = {"cart.py": CART}


def check(body: str, before: str = "pass") -> dict[str, str]:
    """Return a case of tests: what one does, and what goes before all."""
    inner = "".join(f"        {line}\n" for line in body.splitlines())
    set_up = "".join(f"        {line}\n" for line in before.splitlines())
    return {
        "test_cart.py": "import unittest\n\nfrom cart import total\n\n\nclass CartTest(unittest.TestCase):\n    @classmethod\n"
        f"    def setUpClass(cls):\n{set_up}\n    def test_total(self):\n{inner}\n    def test_none(self):\n        self.assertEqual(total([]), 0)\n"
    }


def cases() -> Iterator[Case]:
    """Yield all cases of unittest."""
    site = Site(host="artifacts.internal")
    shared = check(
        "self.assertEqual(total([1]), 12)",
        "import urllib.request\nurllib.request.urlopen('https://artifacts.internal/rates.json', timeout=2)",
    )
    for fault in [*CONNECTION, *TLS, "http-403", "http-500", "http-502", "http-503"]:
        what = f"every test needs a shared store: {fault}"
        yield Case(fault, TEST, "set-up", files={**FILES, **shared}, site=site, what=what, seconds=40)
    yield from _agent()
    yield from dev(TEST, FILES, *_project())
    yield Case("unknown-target", f"{TEST} test_cart.CartTest.test_basket", files={**FILES, **check("pass")})
    yield Case("missing-file", f"{TEST} test_basket", files={**FILES, **check("pass")})
    yield Case("wrong-option", f"{TEST} --fail-quick", files={**FILES, **check("pass")})


def _agent() -> Iterator[Case]:
    writes = {**FILES, **check("open('report.bin', 'wb').write(bytes(300_000))")}
    slow = check("import time\ntime.sleep(60)")
    yield from agent_cases(Work("python3", TEST, writes, size="120k", memory=14, slow=TEST, slow_files=slow))
    temporary = {
        **FILES,
        **check("import tempfile\nwith tempfile.NamedTemporaryFile() as file:\n    file.write(bytes(300_000))"),
    }
    yield Case("temp-full", TEST, files=temporary, machine=Machine(temp="60k"))
    yield Case(
        "no-permission",
        TEST,
        files={**FILES, **check("open('reports/a', 'w')")},
        before="mkdir reports && chmod 755 reports",
    )
    yield Case("no-permission", TEST, "spool", files={**FILES, **check("open('/var/spool/shop', 'w')")})
    local = {**FILES, **check("import socket\nsocket.create_connection(('localhost', 5432), timeout=1)")}
    yield Case("local-service-absent", TEST, files=local)
    files = check("all = [open('/etc/hosts') for _ in range(100)]\nself.assertTrue(all)")
    yield Case(
        "too-many-files",
        TEST,
        files={**FILES, **files},
        machine=Machine(open_files=60),
        owner="unknown",
        why="a limit of the agent, or a leak of the test",
    )
    lock = "import fcntl\nwith open('/tmp/shop.lock', 'w') as file:\n    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)"
    holds = "touch /tmp/shop.lock; chmod 666 /tmp/shop.lock; flock /tmp/shop.lock sleep 60"
    yield Case("lock-held", TEST, files={**FILES, **check(lock)}, service=holds)
    yield Case("read-only", TEST, "report", files=writes, machine=Machine(read_only=(WORKSPACE,)))


def _project() -> list[tuple[str, str, dict[str, str]]]:
    good = check("self.assertEqual(total([1, 2]), 36)")
    mock = "from unittest import mock\nimport urllib.request\nwith mock.patch('urllib.request.urlopen', side_effect={}):\n    self.assertTrue(urllib.request.urlopen('https://rates.example'))"
    own = "import socket\nserver = socket.create_server(('127.0.0.1', 0))\nport = server.getsockname()[1]\nserver.close()\nsocket.create_connection(('127.0.0.1', port), timeout=1)"
    return [
        ("test", "", {**good, "cart.py": CART.replace("12", "11")}),
        ("test", "raises", check("with self.assertRaises(ValueError):\n    total([1])")),
        (
            "test",
            "sub-tests",
            check("for n in (1, 2):\n    with self.subTest(n=n):\n        self.assertEqual(total([n]), n * 11)"),
        ),
        ("test", "text", check("self.assertMultiLineEqual('tea\\n12', f'tea\\n{total([2])}')")),
        ("test-error", "", check("total(None)")),
        ("test-error", "set-up", check("pass", "cls.rates = {}['tea']")),
        ("test-error", "index", check("self.assertEqual([][1], total([1]))")),
        ("test-mock", "refused", check(mock.format("ConnectionRefusedError(111, 'Connection refused')"))),
        ("test-mock", "name", check(mock.format("OSError('Name or service not known')"))),
        ("test-mock", "own-server", check(own)),
        ("import", "", {"test_cart.py": good["test_cart.py"].replace("from cart", "from basket")}),
        ("import", "name", {"test_cart.py": good["test_cart.py"].replace("import total", "import sum_of")}),
        ("missing-dependency", "", {**good, "cart.py": "import pydantic\n" + CART}),
        ("syntax", "", {**good, "cart.py": CART.replace(":\n", "\n")}),
        ("missing-file", "fixture", check("open('data/rates.json').read()")),
        ("panic", "", check("import ctypes\nctypes.string_at(0)")),
    ]


TOOL = Tool("unittest", cases)
