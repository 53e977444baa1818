"""jest: tests of a small project in JavaScript."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Machine, Site
from lab.node import checks_of, needs_store, node_tool, node_work, package
from lab.usual import agent_cases, dev

TEST = "jest --ci"
CART = "exports.total = (counts, rate = 12) => counts.reduce((a, b) => a + b, 0) * rate;\n"


def check(body: str, before: str = "") -> dict[str, str]:
    """Return a file of tests: what one does, and what goes before all."""
    return checks_of("const { total } = require('./cart');", body, before)


FILES = {"package.json": package(), "cart.js": CART, **check("expect(total([1, 2])).toBe(36);")}


def cases() -> Iterator[Case]:
    """Yield all cases of jest."""
    shared = {
        **FILES,
        **check(
            "expect(total([1])).toBe(12);",
            "await fetch('https://artifacts.internal/rates.json', { signal: AbortSignal.timeout(2500) });",
        ),
    }
    yield from needs_store(TEST, shared)
    status = "const r = await fetch('https://artifacts.internal/rates.json'); if (!r.ok) throw new Error(`GET ${r.url}: ${r.status} ${r.statusText}`);"
    for fault in ("http-401", "http-403", "http-429", "http-500", "http-502", "http-503"):
        what = f"every test needs a shared store: {fault}"
        yield Case(
            fault,
            TEST,
            "set-up",
            files={**FILES, **check("expect(1).toBe(1);", status)},
            site=Site(host="artifacts.internal"),
            what=what,
        )
    slow = check("await new Promise((done) => setTimeout(done, 60000));")
    yield from agent_cases(node_work("jest", TEST, FILES, TEST, slow))
    writes = {**FILES, **check("require('fs').writeFileSync('report.bin', Buffer.alloc(300000));")}
    yield Case("disk-full", TEST, files=writes, machine=Machine(workspace="120k"))
    yield Case("no-permission", f"{TEST} --coverage", files=FILES, before="mkdir coverage && chmod 755 coverage")
    yield Case(
        "home-denied",
        f"{TEST} --cacheDirectory /home/jenkins/.cache/jest",
        files=FILES,
        before="mkdir -p /home/jenkins/.cache && chmod 755 /home/jenkins/.cache && chown 0 /home/jenkins/.cache",
    )
    yield from dev(TEST, FILES, *_project())
    yield Case(
        "coverage",
        f"{TEST} --coverage",
        files={
            **FILES,
            "package.json": package(
                {"jest": {"coverageThreshold": {"global": {"lines": 95}}, "collectCoverageFrom": ["*.js"]}}
            ),
            "order.js": "exports.order = (n) => {\n  n += 1;\n  n += 2;\n  return n;\n};\n",
        },
    )
    yield Case("test-timeout", f"{TEST} --testTimeout 1500", files={**FILES, **check("await new Promise(() => {});")})
    yield Case("unknown-target", f"{TEST} basket", files=FILES)
    yield Case("wrong-option", f"{TEST} --bails-out", files=FILES)
    yield Case(
        "own-heap",
        "node --max-old-space-size=24 $(command -v jest) --ci -i",
        files={**FILES, **check("const a = []; for (;;) a.push(new Array(10000).fill(a.length));")},
        seconds=60,
    )


def _project() -> list[tuple[str, str, dict[str, str]]]:
    own = "const s = require('http').createServer(); await new Promise((d) => s.listen(0, d)); const { port } = s.address(); await new Promise((d) => s.close(d)); await fetch(`http://127.0.0.1:${port}/rates`);"
    return [
        ("test", "", {"cart.js": CART.replace("12", "11")}),
        ("test", "object", check("expect({ tea: total([1]) }).toEqual({ tea: 11, rate: 12 });")),
        ("test", "throws", check("expect(() => total([1])).toThrow('no price');")),
        ("test", "snapshot", check("expect(total([1])).toMatchInlineSnapshot(`11`);")),
        ("test-error", "", check("total(undefined);")),
        ("test-error", "property", check("expect(total([1]).price.net).toBe(12);")),
        ("test-error", "set-up", check("expect(1).toBe(1);", "throw new Error('no orders in the fixture');")),
        (
            "test-mock",
            "refused",
            check(
                "const get = jest.fn().mockRejectedValue(Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' })); await get();"
            ),
        ),
        (
            "test-mock",
            "status",
            check("const get = jest.fn().mockResolvedValue({ status: 503 }); expect((await get()).status).toBe(200);"),
        ),
        ("test-mock", "own-server", check(own)),
        ("import", "", {"cart.js": "const rates = require('./rates');\n" + CART}),
        ("missing-dependency", "", {"cart.js": "const _ = require('lodash');\n" + CART}),
        ("syntax", "", {"cart.js": CART.replace(") =>", " =>", 1)}),
        ("syntax", "module", {"cart.js": "export const total = (counts) => 12 * counts.length;\n"}),
        ("bad-config", "", {"jest.config.js": "module.exports = { testEnvironment: 'jsdomm' };\n"}),
        ("bad-config", "preset", {"jest.config.js": "module.exports = { preset: 'ts-jest' };\n"}),
        (
            "bad-config",
            "twice",
            {"jest.config.js": "module.exports = {};\n", "package.json": package({"jest": {"bail": 1}})},
        ),
        ("bad-manifest", "", {"package.json": '{"name": "shop",}\n'}),
        ("missing-file", "fixture", check("require('fs').readFileSync('fixtures/rates.json');")),
        ("panic", "", check("process.exit(3);")),
    ]


TOOL = node_tool("jest", cases)
