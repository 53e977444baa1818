"""The shell, and the programs that every agent has."""

from __future__ import annotations

from collections.abc import Iterator

from lab.model import Case, Machine, Tool
from lab.packages import noise

HERE = "/home/jenkins/workspace/shop"
BUILD = {"build.sh": "#!/bin/sh\nset -eu\nmkdir -p out\necho building $1\ncp -r src out/\n", "src/cart.txt": "cart\n"}
WAIT = {"import.sh": "#!/bin/sh\necho importing rates\nsleep 60\n"}
UNKNOWN = "the agent's image, or the pipeline's wish"


def cases() -> Iterator[Case]:
    """Yield all cases of the shell."""
    yield from _machine()
    yield from _project()


def _machine() -> Iterator[Case]:
    full = Machine(workspace="100k")
    yield Case("disk-full", "tar czf shop.tar.gz src", files={"src/rates.bin": noise(60_000)}, machine=full)
    yield Case("disk-full", "cp -r src out", "cp", files={"src/rates.bin": noise(60_000)}, machine=full)
    yield Case(
        "disk-full", "for n in 1 2 3 4 5 6 7 8 9; do head -c 20000 /dev/zero >> report.txt; done", "write", machine=full
    )
    yield Case(
        "temp-full",
        "sort -S 64k src/rates.txt > sorted.txt",
        files={"src/rates.txt": "7919 rate\n" * 60_000},
        machine=Machine(temp="100k"),
    )
    yield Case("temp-missing", "f=$(mktemp)\necho rates > $f", env={"TMPDIR": "/var/tmp/agent-3"})
    yield Case("read-only", "sh build.sh shop", files=BUILD, machine=Machine(read_only=(HERE,)))
    yield Case("no-permission", "sh build.sh shop", files=BUILD, before="mkdir out && chmod 755 out")
    yield Case("no-permission", "rm -rf out", "clean", before="mkdir out && touch out/old.jar && chmod 755 out")
    yield Case("no-permission", "mkdir -p /srv/shop/releases/47", "srv", why="the CI account may not write there")
    yield Case(
        "out-of-memory",
        "python3 import.py",
        files={"import.py": "rows = [bytearray(1000000) for n in range(900)]\n"},
        machine=Machine(memory=200),
        owner="unknown",
        why="a bare MemoryError: the agent, or the program",
    )
    files = {"open.py": "opened = [open('/etc/hosts') for n in range(200)]\n"}
    yield Case(
        "too-many-files",
        "python3 open.py",
        files=files,
        machine=Machine(open_files=64),
        owner="unknown",
        why="the limit, or a leak",
    )
    yield Case(
        "locale",
        "LC_ALL=de_DE.UTF-8 python3 total.py",
        files={"total.py": "import locale\nlocale.setlocale(locale.LC_ALL, '')\n"},
    )
    lock = "as_jenkins flock /home/jenkins/deploy.lock sleep 60"
    yield Case("lock-held", "flock -w 2 -E 75 --verbose ~/deploy.lock sh build.sh shop", files=BUILD, service=lock)
    yield Case(
        "port-taken", "python3 -m http.server 8080", service="as_jenkins python3 -m http.server 8080", owner="unknown"
    )
    yield Case("local-service-absent", "python3 -c \"import socket; socket.create_connection(('localhost', 5432), 2)\"")
    for signal, fault in (("KILL", "killed"), ("TERM", "terminated")):
        yield Case(fault, "sh import.sh", files=WAIT, machine=Machine(kill=(signal, "^sh import.sh", 1.5)))
    yield Case(
        "killed",
        "python3 train.py",
        "python",
        files={"train.py": "import time\ntime.sleep(60)\n"},
        machine=Machine(kill=("KILL", "^python3 train", 1.5)),
    )
    yield Case("timeout", "timeout 2 sh import.sh", files=WAIT)
    yield Case("timeout", "timeout -s KILL 2 sh import.sh", "kill", files=WAIT)
    yield Case("tool-missing", "jq . rates.json", machine=Machine(without=("jq",)), files={"rates.json": "{}"}, why=UNKNOWN)
    yield Case(
        "tool-missing",
        "cat Dockerfile.agent\nzip -r shop.zip src",
        "listed",
        files={**BUILD, "Dockerfile.agent": _IMAGE},
        machine=Machine(without=("zip",)),
        owner="ops",
        why="the agent's image should have it",
    )
    listed = "cat package.json\nwebpack --mode production"
    yield Case(
        "tool-missing",
        listed,
        "manifest",
        files={"package.json": '{"dependencies": {"vite": "5.2.0"}}\n'},
        owner="dev",
        why="not in the manifest",
    )


_IMAGE = "# the image of all agents\nFROM registry.example/base/debian:12\nRUN apt-get install -y zip unzip git\n"


def _project() -> Iterator[Case]:
    yield Case("undefined-variable", "set -u\necho deploying $RELEASE_TAG")
    yield Case("undefined-variable", "sh build.sh", "argument", files=BUILD)
    yield Case("empty-variable", "TARGET=\ncp -r src $TARGET", files=BUILD)
    yield Case("missing-file", "./scripts/build.sh", files=BUILD)
    yield Case("missing-file", "cp config/prod.yaml out.yaml", "cp", files=BUILD)
    yield Case("missing-file", "cd services/cart", "cd", files=BUILD)
    yield Case("missing-file", ". ./ci/env.sh", "source", files=BUILD)
    yield Case("not-executable", "./build.sh shop", files=BUILD)
    yield Case("tool-misspelt", "pyhton3 --version")
    yield Case("tool-misspelt", "mkdri out", "mkdir")
    yield Case("syntax", "sh deploy.sh", files={"deploy.sh": "if [ -f a ]; then\n  echo a\n"})
    yield Case("syntax", "bash deploy.sh", "bash", files={"deploy.sh": "for f in *; do\n  echo $f\nfi\n"})
    yield Case(
        "script-bug",
        "sh deploy.sh",
        files={"deploy.sh": "set -e\n[[ $1 == prod ]]\necho prod\n"},
        why="the script is not for this shell",
    )
    yield Case(
        "script-bug", "./deploy.sh", "interpreter", files={"deploy.sh": "#!/bin/bahs\n"}, before="chmod 755 deploy.sh"
    )
    yield Case(
        "script-bug",
        "./deploy.sh",
        "carriage-return",
        files={"deploy.sh": "#!/bin/sh\r\necho a\r\n"},
        before="chmod 755 deploy.sh",
    )
    yield Case("script-bug", "expr $(wc -l < src/cart.txt) / 0", "division", files=BUILD)
    yield Case("wrong-option", "cp --recursiv-all src out", files=BUILD)
    yield Case("wrong-option", "tar --creat -f a.tar src -Q", "tar", files=BUILD)
    yield Case(
        "wrong-parameter",
        "sh deploy.sh",
        files={"deploy.sh": '[ $# -eq 1 ] || { echo "usage: deploy.sh ENVIRONMENT" >&2; exit 64; }\n'},
    )
    yield Case(
        "unknown-target",
        "sh deploy.sh qa7",
        files={"deploy.sh": 'case $1 in prod|test) ;; *) echo "unknown environment: $1" >&2; exit 2;; esac\n'},
    )
    yield Case("merge-conflict", "patch -p1 < fix.patch", files={**BUILD, "fix.patch": _PATCH})
    yield Case(
        "test",
        "sh test.sh",
        files={"test.sh": 'got=$((3 * 12))\n[ $got -eq 35 ] || { echo "FAIL: total: got $got, want 35"; exit 1; }\n'},
    )
    yield Case(
        "ignored-then-dev",
        "rm out/old.jar || true\nsh test.sh",
        files={"test.sh": 'echo "FAIL: total: got 36, want 35"\nexit 1\n'},
    )
    yield Case("bad-config", "python3 -m json.tool config.json", files={"config.json": '{"port": 8080,}\n'})
    yield Case("panic", "python3 import.py", files={"import.py": "rates = {}\nprint(rates['de'])\n"})
    yield Case("import", "python3 import.py", files={"import.py": "from shop import rates\n"})


_PATCH = "--- a/src/cart.txt\n+++ b/src/cart.txt\n@@ -1 +1 @@\n-basket\n+trolley\n"


TOOL = Tool("sh", cases)
