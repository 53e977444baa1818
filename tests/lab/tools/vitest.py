"""Vitest: tests of a small project of ES modules."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Machine
from lab.node import checks_of, needs_store, node_tool, node_work, package
from lab.usual import agent_cases, dev

TEST = "vitest run --globals"
CART = "export const total = (counts, rate = 12) => counts.reduce((a, b) => a + b, 0) * rate;\n"


def check(body: str, before: str = "") -> dict[str, str]:
    """Return a file of tests: what one does, and what goes before all."""
    return checks_of("import { total } from './cart.js';", body, before)


FILES = {"package.json": package({"type": "module"}), "cart.js": CART, **check("expect(total([1, 2])).toBe(36);")}


def cases() -> Iterator[Case]:
    """Yield all cases of Vitest."""
    shared = {
        **FILES,
        **check(
            "expect(total([1])).toBe(12);",
            "await fetch('https://artifacts.internal/rates.json', { signal: AbortSignal.timeout(2500) });",
        ),
    }
    yield from needs_store(TEST, shared)
    slow = check("await new Promise((done) => setTimeout(done, 60000));")
    yield from agent_cases(
        node_work(
            "vitest", TEST, FILES, TEST, {**slow, "vitest.config.js": "export default { test: { testTimeout: 90000 } };\n"}
        )
    )
    writes = {**FILES, **check("const fs = await import('node:fs'); fs.writeFileSync('report.bin', Buffer.alloc(300000));")}
    yield Case("disk-full", TEST, files=writes, machine=Machine(workspace="120k"))
    yield Case(
        "no-permission",
        TEST,
        files={**FILES, **check("const fs = await import('node:fs'); fs.writeFileSync('reports/a', 'x');")},
        before="mkdir reports && chmod 755 reports",
    )
    yield from dev(TEST, FILES, *_project())
    yield Case("missing-dependency", f"{TEST} --coverage", "provider", files=FILES)
    yield Case("test-timeout", f"{TEST} --test-timeout 1500", files={**FILES, **check("await new Promise(() => {});")})
    yield Case("unknown-target", f"{TEST} basket", files=FILES)
    yield Case("wrong-option", f"{TEST} --bails-out", files=FILES)


def _project() -> list[tuple[str, str, dict[str, str]]]:
    return [
        ("test", "", {"cart.js": CART.replace("12", "11")}),
        ("test", "object", check("expect({ tea: total([1]) }).toEqual({ tea: 11, rate: 12 });")),
        ("test", "throws", check("expect(() => total([1])).toThrow('no price');")),
        ("test-error", "", check("total(undefined);")),
        ("test-error", "set-up", check("expect(1).toBe(1);", "throw new Error('no orders in the fixture');")),
        ("test-error", "rejection", check("Promise.reject(new Error('order lost')); expect(1).toBe(1);")),
        (
            "test-mock",
            "refused",
            check("const get = vi.fn().mockRejectedValue(new Error('connect ECONNREFUSED 127.0.0.1:5432')); await get();"),
        ),
        (
            "test-mock",
            "disk",
            check("const put = vi.fn(() => { throw new Error('ENOSPC: no space left on device'); }); put();"),
        ),
        ("import", "", {"cart.js": "import rates from './rates.js';\n" + CART}),
        (
            "import",
            "name",
            {
                "cart.test.js": FILES["cart.test.js"]
                .replace("{ total }", "{ total, rates }")
                .replace("toBe(36)", "toBe(rates())")
            },
        ),
        ("missing-dependency", "", {"cart.js": "import _ from 'lodash';\n" + CART}),
        ("syntax", "", {"cart.js": CART.replace(") =>", " =>", 1)}),
        ("bad-config", "", {"vitest.config.js": "export default { test: { environment: 'jsdomm' } };\n"}),
        ("bad-config", "syntax", {"vitest.config.js": "export default { test: { globals: true };\n"}),
        ("missing-file", "fixture", check("const fs = await import('node:fs'); fs.readFileSync('fixtures/rates.json');")),
    ]


TOOL = node_tool("vitest", cases)
