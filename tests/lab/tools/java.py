"""Java programs that stop with an exception: the project's own code, its set-up, or what the agent and shared services refuse."""

from __future__ import annotations

from collections.abc import Iterator

from lab.agent import HOME, WORKSPACE
from lab.faults import TLS
from lab.jvm import TRUST, TRUST_OPTIONS
from lab.model import Case, Machine, Site, Tool

RUN = "java -cp out com.acme.shop.Main"
COMPILE = "javac -d out $(find src -name '*.java') && chown -R 1000 out"
FOLDER = "src/com/acme/shop"
_DATABASE = 'try (var s = new java.net.Socket()) { s.connect(new java.net.InetSocketAddress("db.internal", 5432), 2000); }'
_GET = 'var c = java.net.http.HttpClient.newBuilder().connectTimeout(java.time.Duration.ofSeconds(2)).build(); var r = c.send(java.net.http.HttpRequest.newBuilder(java.net.URI.create("https://artifacts.internal/rates.json")).timeout(java.time.Duration.ofSeconds(2)).build(), java.net.http.HttpResponse.BodyHandlers.ofString());'


def program(body: str, more: str = "") -> dict[str, str]:
    """Return a program whose work is this body, three calls deep."""
    cart = f"package com.acme.shop;\n\nimport java.util.*;\n\nclass Cart {{\n    int total(List<Integer> counts) throws Exception {{\n        return price(counts);\n    }}\n\n    private int price(List<Integer> counts) throws Exception {{\n        {body}\n    }}\n{more}}}\n"
    main = "package com.acme.shop;\n\npublic class Main {\n    public static void main(String[] args) throws Exception {\n        System.out.println(new Cart().total(new java.util.ArrayList<>(java.util.List.of(1, 2))));\n    }\n}\n"
    return {f"{FOLDER}/Cart.java": cart, f"{FOLDER}/Main.java": main}


def case(fault: str, variant: str, body: str, script: str = RUN, more: str = "", **fields: object) -> Case:
    """Return a case whose program is compiled before, so that only its run is in the log."""
    before = f"{COMPILE}\n{fields.pop('before', '')}"
    return Case(fault, script, variant, files=program(body, more), before=before, **fields)  # type: ignore[arg-type]


def cases() -> Iterator[Case]:
    """Yield all cases of Java programs."""
    yield from _own()
    yield from _calls()
    yield from _agent()
    yield from _services()


def _own() -> Iterator[Case]:
    bodies = {
        "null": "String name = null; return name.length() + counts.get(0);",
        "index": "return counts.get(7);",
        "cast": "Object o = counts; return ((Map<?, ?>) o).size();",
        "number": 'return Integer.parseInt("three");',
        "divide": "return counts.get(0) / (counts.size() - 2);",
        "state": 'throw new IllegalStateException("no price for tea");',
        "argument": 'if (counts.size() < 3) throw new IllegalArgumentException("a cart has three counts"); return 1;',
        "iterator": "for (int c : counts) counts.add(c); return 1;",
        "recursion": "return total(counts) + 1;",
        "chained": 'try { return counts.get(7); } catch (RuntimeException e) { throw new Exception("the order cannot be priced", e); }',
        "immutable": "List.of(1).add(2); return 1;",
        "future": "return java.util.concurrent.CompletableFuture.supplyAsync(() -> counts.get(7)).get();",
        "optional": "return Optional.<Integer>empty().orElseThrow();",
        "sort": 'counts.sort((a, b) -> { throw new RuntimeException("no order for " + a); }); return 1;',
        "file": 'return java.nio.file.Files.readString(java.nio.file.Path.of("config/prices.properties")).length();',
    }
    for variant, body in bodies.items():
        yield case("panic", variant, body)
    yield case(
        "panic", "static", "return Rates.OF;", more="    static class Rates { static int OF = List.<Integer>of().get(0); }\n"
    )
    yield case(
        "test", "assert", 'assert counts.size() == 3 : "three counts"; return 1;', script=RUN.replace("java ", "java -ea ")
    )
    heap = "List<long[]> all = new ArrayList<>(); for (;;) all.add(new long[100_000]);"
    yield case("own-heap", "", heap, script=RUN.replace("java ", "java -Xmx16m "))


def _calls() -> Iterator[Case]:
    yield case("missing-file", "class", "return 1;", script=RUN.replace("Main", "Shop"))
    yield case("missing-file", "jar", "return 1;", script="java -jar build/shop-1.4.0.jar")
    yield case("bad-manifest", "jar", "return 1;", script="java -jar shop.jar", before="(cd out && jar cf ../shop.jar .)")
    yield case("wrong-option", "", "return 1;", script=RUN.replace("java ", "java -Xmx "))
    yield case("wrong-option", "vm", "return 1;", script=RUN.replace("java ", "java -XX:+UseFastGC "))
    gone = "rm out/com/acme/shop/Cart.class"
    yield case("missing-dependency", "class", "return 1;", before=gone, why="a class that the program needs is not packed")
    other = f"mkdir other && printf 'package com.acme.shop; class Cart {{}}' > other/Cart.java && javac -d out other/Cart.java && chown -R 1000 out && rm -r {FOLDER}"
    yield case(
        "dependency-conflict",
        "method",
        "return 1;",
        before=other,
        why="the class is of another version of the project's code",
    )
    newer = "printf '\\000\\000\\000\\105' | dd of=out/com/acme/shop/Cart.class bs=1 seek=4 conv=notrunc 2>/dev/null"
    yield case("tool-too-old", "", "return 1;", before=newer, why="the agent's Java, or the project's wish")
    yield Case("tool-missing", RUN, machine=Machine(without=("java",)))
    yield Case("tool-misspelt", RUN.replace("java", "jvaa"))


def _agent() -> Iterator[Case]:
    write = 'java.nio.file.Files.write(java.nio.file.Path.of("{}"), new byte[300_000]); return 1;'
    yield case("disk-full", "", write.format("report.bin"), machine=Machine(workspace="160k"))
    yield case(
        "temp-full",
        "",
        'java.nio.file.Files.write(java.io.File.createTempFile("shop", null).toPath(), new byte[300_000]); return 1;',
        machine=Machine(temp="90k"),
    )
    yield case("read-only", "", write.format("report.bin"), machine=Machine(read_only=(WORKSPACE,)))
    yield case("no-permission", "", write.format("reports/report.bin"), before="mkdir reports && chmod 755 reports")
    yield case(
        "home-denied", "", write.format(f"{HOME}/.shop/cache"), before=f"mkdir {HOME}/.shop && chmod 755 {HOME}/.shop"
    )
    yield case(
        "temp-missing",
        "",
        'return (int) java.io.File.createTempFile("shop", null).length();',
        script=RUN.replace("java ", "java -Djava.io.tmpdir=/var/tmp/build-47 "),
        why="the temporary folder that the pipeline names is missing",
        owner="unknown",
    )
    yield case("out-of-memory", "", "return 1;", machine=Machine(memory=700))
    many = 'var all = new ArrayList<java.io.InputStream>(); for (;;) all.add(new java.io.FileInputStream("/etc/hosts"));'
    yield case(
        "too-many-files",
        "",
        many,
        machine=Machine(open_files=40),
        owner="unknown",
        why="a limit of the agent, or a leak of the program",
    )
    threads = "for (int n = 0; n < 90; n++) new Thread(() -> { try { Thread.sleep(3000); } catch (InterruptedException e) { } }).start(); return 1;"
    yield case("too-many-processes", "", threads, machine=Machine(processes=40))
    waits = "Thread.sleep(60_000); return 1;"
    for fault, signal in (("killed", "KILL"), ("terminated", "TERM")):
        yield case(fault, "", waits, machine=Machine(kill=(signal, "^java", 3)))
    yield case("timeout", "", waits, script=f"timeout 3 {RUN}")
    taken = (
        "python3 -c 'import socket, time; s = socket.socket(); s.bind((\"127.0.0.1\", 8080)); s.listen(); time.sleep(60)'"
    )
    yield case(
        "port-taken",
        "",
        'new java.net.ServerSocket(8080, 1, java.net.InetAddress.getByName("127.0.0.1")).accept(); return 1;',
        service=taken,
    )
    yield case("local-service-absent", "", 'new java.net.Socket("127.0.0.1", 5432).close(); return 1;')


def _services() -> Iterator[Case]:
    for fault in ("name-unknown", "refused", "connect-timeout", "no-route", "dns-down"):
        what = f"the shared database: {fault}"
        yield case(fault, "database", f"{_DATABASE} return 1;", script=f"DB_HOST=db.internal {RUN}", what=what)
    trusted = RUN.replace("java ", f"java {TRUST_OPTIONS} ")
    site = Site(host="artifacts.internal")
    for fault in (*TLS, "refused", "reset", "closed", "hang", "name-unknown"):
        yield case(fault, "https", f"{_GET} return r.statusCode();", script=trusted, site=site, before=TRUST, seconds=40)
    for status in ("http-401", "http-403", "http-429", "http-502", "http-503"):
        body = f'{_GET} if (r.statusCode() != 200) throw new java.io.IOException("GET " + r.uri() + ": " + r.statusCode()); return 1;'
        yield case(status, "https", body, script=trusted, site=site, before=TRUST)
    url = 'try (var in = new java.net.URL("https://artifacts.internal/rates.json").openStream()) { return in.read(); }'
    for fault in ("http-401", "http-403", "http-500", "http-503", "tls-expired", "tls-unknown", "tls-wrong-name"):
        yield case(fault, "url", url, script=trusted, site=site, before=TRUST)


TOOL = Tool("java", cases)
