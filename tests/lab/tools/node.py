"""node: a program of the project that stops: in its own code or at a service."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, STATUS, TLS
from lab.model import Case, Machine, Reply, Site, Tool

RUN = "node publish.js"
FETCH = """async function rates(address) {
  const answer = await fetch(address, { signal: AbortSignal.timeout(3000) });
  if (!answer.ok) throw new Error(`${address}: ${answer.status} ${answer.statusText}`);
  return answer.json();
}

rates("https://registry.example/rates.json").then((found) => console.log(Object.keys(found).length));
"""
FINE = {"publish.js": "console.log('published');\n"}
SITE = Site({"/rates.json": Reply(b'{"EUR": 1}', "application/json")})


def cases() -> Iterator[Case]:
    """Yield all cases of Node programs."""
    for fault in [*CONNECTION, *TLS, *STATUS, "redirect-loop"]:
        yield Case(fault, RUN, files={"publish.js": FETCH}, site=SITE)
    why = "the service gives no JSON, or the program asks for the wrong thing: not said"
    yield Case("html", RUN, files={"publish.js": FETCH}, site=SITE, owner="unknown", why=why)
    get = (
        "require('https').get('https://registry.example/rates.json', (answer) => process.exit(answer.statusCode === 200 ? 0"
        " : 1));\n"
    )
    for fault in ("refused", "reset", "name-unknown", "no-route", "tls-expired", "tls-unknown", "tls-wrong-name"):
        yield Case(fault, RUN, "https", files={"publish.js": get}, site=SITE)
    for variant, text in {
        "undefined": "const cart = {};\nconsole.log(cart.lines.length);\n",
        "function": "const cart = { total: 1 };\nconsole.log(cart.total());\n",
        "thrown": "throw new Error('version 1.8.0 has no notes in CHANGELOG.md');\n",
        "assertion": "require('node:assert').strictEqual(41, 42);\n",
        "rejected": "async function publish() { throw new Error('no notes for 1.8.0'); }\npublish();\n",
        "range": "const total = (n) => total(n + 1);\ntotal(0);\n",
        "constant": "const a = 1;\na = 2;\n",
        "exit": "console.error('publish: RELEASE must be a version, got \"next\"');\nprocess.exit(3);\n",
    }.items():
        yield Case("panic", RUN, variant, files={"publish.js": text})
    yield Case(
        "bad-config",
        RUN,
        files={
            "publish.js": "JSON.parse(require('fs').readFileSync('settings.json', 'utf8'));\n",
            "settings.json": '{"port": 80,}\n',
        },
    )
    yield Case("syntax", RUN, files={"publish.js": "function total( {\n  return 1;\n}\n"})
    yield Case("undefined-name", RUN, files={"publish.js": "console.log(vesion);\n"}, kind="exception")
    yield Case("import", RUN, files={"publish.js": "require('./pricing');\n"})
    yield Case(
        "missing-dependency",
        RUN,
        files={"publish.js": "require('left-pad');\n"},
        owner="unknown",
        why="the manifest, or an install that did not run: not said",
    )
    yield Case("missing-file", RUN.replace("publish", "publsh"), files=FINE)
    yield Case(
        "missing-file",
        RUN,
        "read",
        files={"publish.js": "require('fs').readFileSync('notes/1.8.0.md');\n"},
        kind="exception",
    )
    yield Case(
        "own-heap",
        "node --max-old-space-size=30 publish.js",
        files={"publish.js": "const rows = [];\nwhile (true) rows.push(new Array(1000).fill(rows.length));\n"},
    )
    write = {"publish.js": "require('fs').writeFileSync('out.bin', Buffer.alloc(900000));\n"}
    yield Case("disk-full", RUN, files=write, machine=Machine(workspace="300k"))
    yield Case("read-only", RUN, files=write, machine=Machine(read_only=("/home/jenkins/workspace/shop",)))
    yield Case("no-permission", RUN, files=write, before="touch out.bin && chmod 644 out.bin")
    yield Case(
        "temp-full",
        RUN,
        files={"publish.js": "require('fs').writeFileSync('/tmp/out.bin', Buffer.alloc(900000));\n"},
        machine=Machine(temp="100k"),
    )
    yield Case(
        "too-many-files",
        RUN,
        "open",
        files={"publish.js": "const fs = require('fs');\nfor (let n = 0; n < 200; n++) fs.openSync('publish.js');\n"},
        machine=Machine(open_files=60),
    )
    slow = {"publish.js": "setTimeout(() => 0, 25000);\n"}
    yield Case("killed", RUN, files=slow, machine=Machine(kill=("KILL", "node publish", 2)))
    yield Case("timeout", f"timeout 2 {RUN}", files=slow)
    held = "python3 -c \"import socket, time; s = socket.create_server(('127.0.0.1', 8080)); time.sleep(25)\""
    yield Case(
        "port-taken", RUN, files={"publish.js": "require('http').createServer().listen(8080, '127.0.0.1');\n"}, service=held
    )
    yield Case("tool-misspelt", RUN.replace("node", "ndoe"), files=FINE)
    yield Case("tool-missing", RUN, files=FINE, machine=Machine(without=("node",)))
    yield Case("wrong-option", RUN.replace(" ", " --no-such-option ", 1), files=FINE)


TOOL = Tool("node", cases, setup="command -v node || apt-get install -y -qq nodejs")
