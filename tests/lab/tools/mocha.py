"""Mocha: tests of a small project in JavaScript."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, TLS
from lab.model import Case, Machine
from lab.node import needs_store, node_tool, node_work, package
from lab.usual import agent_cases, dev

TEST = "mocha"
CART = "exports.total = (counts, rate = 12) => counts.reduce((a, b) => a + b, 0) * rate;\n"


def check(body: str, before: str = "") -> dict[str, str]:
    """Return a file of tests: what one does, and what goes before all."""
    head = f"  before(async () => {{ {before} }});\n" if before else ""
    return {
        "test/cart.js": f"const assert = require('assert');\nconst {{ total }} = require('../cart');\n\ndescribe('cart', () => {{\n{head}  it('has the total of three', async () => {{\n    {body}\n  }});\n  it('has the total of none', () => assert.strictEqual(total([]), 0));\n}});\n"
    }


FILES = {"package.json": package(), "cart.js": CART, **check("assert.strictEqual(total([1, 2]), 36);")}


def cases() -> Iterator[Case]:
    """Yield all cases of Mocha."""
    get = "const https = require('https'); await new Promise((done, fail) => https.get('https://artifacts.internal/rates.json', { timeout: 1500 }, (r) => (r.statusCode === 200 ? done() : fail(new Error(`GET https://artifacts.internal/rates.json answered ${r.statusCode}`)))).on('timeout', function () { this.destroy(new Error('timeout of artifacts.internal')); }).on('error', fail));"
    shared = {**FILES, **check("assert.ok(total([1]));", get)}
    statuses = ("http-401", "http-403", "http-500", "http-502", "http-503")
    yield from needs_store(TEST, shared, (*CONNECTION, *TLS, *statuses))
    slow = check("await new Promise((done) => setTimeout(done, 60000));")
    yield from agent_cases(node_work("mocha", TEST, FILES, "mocha --timeout 90000", slow))
    writes = {**FILES, **check("require('fs').writeFileSync('report.bin', Buffer.alloc(300000));")}
    yield Case("disk-full", TEST, files=writes, machine=Machine(workspace="120k"))
    yield Case(
        "no-permission",
        TEST,
        files={**FILES, **check("require('fs').writeFileSync('reports/a', 'x');")},
        before="mkdir reports && chmod 755 reports",
    )
    yield from dev(TEST, FILES, *_project())
    yield Case("test-timeout", TEST, files={**FILES, **check("await new Promise(() => {});")})
    yield Case(
        "test-timeout",
        TEST,
        "done",
        files={**FILES, "test/order.js": "it('keeps the order', (done) => { setTimeout(() => {}, 1); });\n"},
    )
    yield Case("missing-file", "mocha test/basket.js", files=FILES)
    why = "the process ends in silence; the log tells no cause"
    yield Case("panic", TEST, files={**FILES, **check("process.exit(3);")}, owner="unknown", why=why)
    yield Case("missing-file", "mocha spec", "folder", files=FILES)
    yield Case("wrong-option", "mocha --reporter specc", files=FILES)
    yield Case(
        "local-service-absent",
        TEST,
        files={
            **FILES,
            **check(
                "const net = require('net'); await new Promise((done, fail) => net.connect(5432, '127.0.0.1', done).on('error', fail));"
            ),
        },
    )


def _project() -> list[tuple[str, str, dict[str, str]]]:
    return [
        ("test", "", {"cart.js": CART.replace("12", "11")}),
        ("test", "object", check("assert.deepStrictEqual({ tea: total([1]) }, { tea: 11 });")),
        ("test", "throws", check("assert.throws(() => total([1]));")),
        ("test-error", "", check("total(undefined);")),
        ("test-error", "set-up", check("assert.ok(1);", "throw new Error('no orders in the fixture');")),
        ("test-error", "reference", check("assert.ok(totals([1]));")),
        (
            "test-mock",
            "refused",
            check(
                "const stub = async () => { throw new Error('connect ECONNREFUSED 127.0.0.1:5432 (stub)'); }; await stub();"
            ),
        ),
        (
            "test-mock",
            "timeout",
            check("const fakeGet = () => Promise.reject(new Error('ETIMEDOUT of the fake rates')); await fakeGet();"),
        ),
        ("import", "", {"cart.js": "const rates = require('./rates');\n" + CART}),
        ("missing-dependency", "", {"cart.js": "const _ = require('lodash');\n" + CART}),
        ("syntax", "", {"cart.js": CART.replace(") =>", " =>", 1)}),
        ("bad-config", "", {".mocharc.json": '{"require": "./test/setup.js"}\n'}),
        ("bad-config", "syntax", {".mocharc.json": '{"spec": "test",}\n'}),
        ("missing-file", "fixture", check("require('fs').readFileSync('fixtures/rates.json');")),
    ]


TOOL = node_tool("mocha", cases)
