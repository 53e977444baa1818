"""Go: modules from a proxy, build, vet, test."""

from __future__ import annotations

from collections.abc import Iterator

from lab.faults import CONNECTION, CONTENT, STATUS, TLS
from lab.model import Case, Machine, Site, Tool
from lab.native import go_pages
from lab.usual import Work, agent_cases, dev, shown_change

BUILD = "go build ./..."
TEST = "go test ./..."
PAGES = go_pages(("git.internal/shop/rates", "v1.2.0", "package rates\n\nfunc Of() int { return 12 }\n"))
SITE = Site(PAGES)
MOD = "module git.internal/shop/cart\n\ngo 1.21\n"
CART = "package cart\n\n// Total returns the price of a count.\nfunc Total(count int) int {\n\treturn count * 12\n}\n"
CHECK = 'package cart\n\nimport "testing"\n\nfunc TestTotal(t *testing.T) {\n\tif got := Total(3); got != 36 {\n\t\tt.Errorf("Total(3) = %d, want 36", got)\n\t}\n}\n'
FILES = {"go.mod": MOD, "cart.go": CART, "cart_test.go": CHECK}
FETCHING = {
    **FILES,
    "go.mod": MOD + "\nrequire git.internal/shop/rates v1.2.0\n",
    "cart.go": CART.replace("package cart\n", 'package cart\n\nimport "git.internal/shop/rates"\n').replace(
        "12", "rates.Of()"
    ),
}
FETCH = "go mod download"


def cases() -> Iterator[Case]:
    """Yield all cases of Go."""
    yield from _proxy()
    yield from _agent()
    yield from dev("go build -mod=readonly ./...", FILES, *_source())
    yield from _tests()
    yield from _calls()


def _proxy() -> Iterator[Case]:
    for fault in [*CONNECTION, *TLS, *STATUS, "redirect-loop", "html"]:
        yield Case(
            fault,
            f"timeout 20 {FETCH}" if fault in ("hang", "connect-timeout") else FETCH,
            files=FETCHING,
            site=SITE,
            seconds=40,
        )
    for fault in ["http-401", "http-403", "http-502", "http-503", *CONTENT]:
        if fault not in ("redirect-loop", "stalled", "corrupt"):
            yield Case(fault, f"{BUILD}", "zip", files=FETCHING, site=Site(PAGES, at=r"\.zip$"))
    direct = {"GOPROXY": "direct", "GIT_TERMINAL_PROMPT": "0"}
    git = Site(host="git.internal")
    for fault in [
        "name-unknown",
        "refused",
        "no-route",
        "reset",
        "tls-expired",
        "tls-unknown",
        "http-401",
        "http-403",
        "http-503",
    ]:
        yield Case(fault, "go mod download -x", "direct", files=FETCHING, site=git, env=direct, seconds=60)
    yield Case("missing-internal", FETCH, files=FETCHING, site=Site())
    before, show = shown_change("go.mod", "v1.2.0", "v1.9.0")
    wrong = {**FETCHING, "go.mod": FETCHING["go.mod"].replace("v1.2.0", "v1.9.0")}
    yield Case("missing-version", f"{show}\n{FETCH}", files=wrong, site=SITE, before=before)
    pins = f"git.internal/shop/rates v1.2.0 h1:{'A' * 43}=\ngit.internal/shop/rates v1.2.0/go.mod h1:{'A' * 43}=\n"
    yield Case("pin-differs", FETCH, files={**FETCHING, "go.sum": pins}, site=SITE)
    yield Case("lock-out-of-step", "go build -mod=readonly ./...", files=FETCHING, site=SITE, env={"GOFLAGS": ""})


def _agent() -> Iterator[Case]:
    hangs = {
        "wait_test.go": 'package cart\n\nimport (\n\t"testing"\n\t"time"\n)\n\nfunc TestWait(t *testing.T) { time.Sleep(time.Minute) }\n'
    }
    work = Work(
        "go",
        "go test -c -o out/cart.test .",
        FILES,
        size="300k",
        temp="20k",
        memory=400,
        output="out",
    )
    yield from agent_cases(work)
    for fault, signal in (("killed", "KILL"), ("terminated", "TERM")):
        yield Case(fault, TEST, files={**FILES, **hangs}, machine=Machine(kill=(signal, "^go test", 4)))
    yield Case("timeout", f"timeout 4 {TEST}", files={**FILES, **hangs})
    yield Case(
        "home-denied",
        BUILD,
        files=FILES,
        env={"GOCACHE": "/home/jenkins/.cache/go"},
        before="mkdir -p /home/jenkins/.cache && chown 0 /home/jenkins/.cache && chmod 755 /home/jenkins/.cache",
    )
    yield Case("temp-missing", BUILD, files=FILES, env={"TMPDIR": "/var/tmp/build-47"})
    newer = {**FILES, "go.mod": MOD.replace("1.21", "1.99")}
    yield Case("tool-too-old", BUILD, files=newer)


def _source() -> list[tuple[str, str, dict[str, str]]]:
    imports = CART.replace("package cart\n", 'package cart\n\nimport "{}"\n')
    return [
        ("syntax", "", {"cart.go": CART.replace("{\n", "\n{\n")}),
        ("syntax", "expression", {"cart.go": CART.replace("count * 12", "count * ")}),
        ("type", "", {"cart.go": CART.replace("count * 12", '"count" * 12')}),
        ("type", "interface", {"cart.go": CART + "\ntype Rate interface{ Of() int }\n\nvar _ Rate = struct{}{}\n"}),
        ("type", "arguments", {"cart.go": CART + "\nfunc Half() int { return Total(1, 2) }\n"}),
        ("undefined-name", "", {"cart.go": CART.replace("* 12", "* rate")}),
        ("undefined-name", "unused", {"cart.go": imports.replace("{}", "os", 1)}),
        ("import", "", {"cart.go": imports.replace("{}", "git.internal/shop/cart/rates", 1)}),
        (
            "import",
            "cycle",
            {
                "a/a.go": 'package a\n\nimport _ "git.internal/shop/cart/b"\n',
                "b/b.go": 'package b\n\nimport _ "git.internal/shop/cart/a"\n',
            },
        ),
        ("missing-dependency", "", {"cart.go": imports.replace('"{}"', '_ "git.internal/shop/rates"', 1)}),
        ("link", "", {"cart.go": CART + "\nfunc sum(count int) int\n\nvar Sum = sum(1)\n"}),
        ("bad-manifest", "", {"go.mod": MOD + "\nrequire git.internal/shop/rates\n"}),
        ("bad-manifest", "word", {"go.mod": MOD.replace("go 1.21", "golang 1.21")}),
    ]


def _tests() -> Iterator[Case]:
    def check(body: str, *imports: str) -> dict[str, str]:
        names = "".join(f'\t"{name}"\n' for name in ("testing", *imports))
        return {"cart_test.go": f"package cart\n\nimport (\n{names})\n\nfunc TestCart(t *testing.T) {{\n{body}\n}}\n"}

    mock = (
        "\tserver := httptest.NewServer(http.NotFoundHandler())\n\tserver.Close()\n\t_, err := http.Get(server.URL)\n"
        '\tif err != nil {\n\t\tt.Fatalf("rates: %v", err)\n\t}'
    )
    answers = (
        "\tserver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }))\n"
        '\tres, _ := http.Get(server.URL)\n\tif res.StatusCode != 200 {\n\t\tt.Fatalf("got %s from the rates, want 200", res.Status)\n\t}'
    )
    rows = (
        ("test", "", {"cart.go": CART.replace("12", "11")}),
        ("test-error", "", check("\tvar counts []int\n\t_ = counts[3]")),
        ("test-error", "nil", check('\tvar rates map[string]int\n\trates["tea"] = 1')),
        ("test-mock", "", check(mock, "net/http", "net/http/httptest")),
        ("test-mock", "status", check(answers, "net/http", "net/http/httptest")),
        ("syntax", "test", {"cart_test.go": CHECK.replace("got != 36 {", "got != 36")}),
        ("lint", "vet", check('\tt.Errorf("%d", "three")')),
        (
            "missing-file",
            "fixture",
            check('\tif _, err := os.ReadFile("testdata/rates.json"); err != nil {\n\t\tt.Fatal(err)\n\t}', "os"),
        ),
    )
    yield from dev(TEST, FILES, *rows)
    waits = check("\ttime.Sleep(time.Minute)", "time")
    yield Case("test-timeout", "go test -timeout 2s ./...", files={**FILES, **waits}, seconds=60)
    low = 'go test -coverprofile=c.out ./...\ngo tool cover -func=c.out | awk \'/^total/ && $3+0 < 80 {print "coverage " $3 " is below 80%"; exit 1}\''
    yield Case(
        "coverage",
        low,
        files={**FILES, "half.go": "package cart\n\nfunc Half(n int) int {\n\tn++\n\tn--\n\treturn n / 2\n}\n"},
    )
    shared = 'package cart\n\nimport (\n\t"fmt"\n\t"net"\n\t"os"\n\t"testing"\n\t"time"\n)\n\nfunc TestMain(m *testing.M) {\n\t_, err := net.DialTimeout("tcp", "db.internal:5432", 2*time.Second)\n\tif err != nil {\n\t\tfmt.Println("database:", err)\n\t\tos.Exit(1)\n\t}\n\tos.Exit(m.Run())\n}\n'
    for fault in ("name-unknown", "refused", "connect-timeout", "no-route"):
        what = f"all tests need the shared database: {fault}"
        yield Case(fault, f"{TEST}  # db.internal", "set-up", files={**FILES, "main_test.go": shared}, what=what)


def _calls() -> Iterator[Case]:
    yield Case("missing-file", "go build ./cmd/shop", files=FILES)
    yield Case("missing-file", BUILD, "manifest", files={"cart.go": CART})
    yield Case("wrong-option", "go build -verbose ./...", files=FILES)
    yield Case("unknown-target", "go biuld ./...", files=FILES)
    yield Case(
        "format",
        'test -z "$(gofmt -d . | tee /dev/stderr)"',
        files={**FILES, "cart.go": CART.replace("\treturn", "  return")},
    )
    command = {"go.mod": MOD}
    crashes = {
        "nil": "var o *struct{ n int }\n\tprintln(o.n)",
        "range": "a := []int{}\n\tprintln(a[len(a)+2])",
        "deadlock": "<-make(chan int)",
        "explicit": 'panic("no price for tea")',
    }
    for variant, body in crashes.items():
        yield Case(
            "panic", "go run .", variant, files={**command, "main.go": f"package main\n\nfunc main() {{\n\t{body}\n}}\n"}
        )
    race = 'package main\n\nimport "time"\n\nfunc main() {\n\tn := 0\n\tgo func() { n++ }()\n\tn++\n\ttime.Sleep(time.Second)\n\tprintln(n)\n}\n'
    yield Case("panic", "go run -race .", "race", files={**command, "main.go": race}, seconds=120, env={"CGO_ENABLED": "1"})
    native = {
        **command,
        "main.go": 'package main\n\n// int one() { return 1; }\nimport "C"\n\nfunc main() { println(C.one()) }\n',
    }
    yield Case("tool-missing", "go build .", "compiler", files=native, env={"CGO_ENABLED": "1", "CC": "clang-19"})


_ENVIRONMENT = {
    "GOPROXY": "https://registry.example",
    "GOFLAGS": "-mod=mod",
    "GONOSUMDB": "*",
    "GOSUMDB": "off",
    "GOTOOLCHAIN": "local",
    "GOCACHE": "/home/jenkins/tools/go/cache",
    "CGO_ENABLED": "0",
}
# The toolchain, and what every program needs, compiled once.
_SETUP = """
mkdir -p sdk && cp -a "$(go env GOROOT)/." sdk/
mkdir -p warm && cd warm
printf 'module warm\\n\\ngo 1.21\\n' > go.mod
printf 'package main\\n\\nimport (\\n\\t"fmt"\\n\\t"net/http/httptest"\\n)\\n\\nfunc main() { fmt.Println(httptest.NewServer(nil).URL) }\\n' > main.go
printf 'package main\\n\\nimport "testing"\\n\\nfunc TestWarm(t *testing.T) {}\\n' > main_test.go
export GOCACHE=/home/jenkins/tools/go/cache GOFLAGS= GOTOOLCHAIN=local PATH=/home/jenkins/tools/go/sdk/bin:$PATH
CGO_ENABLED=0 go test ./... && CGO_ENABLED=0 go build ./... && CGO_ENABLED=0 go test -coverprofile=/dev/null ./...
CGO_ENABLED=1 go build ./... && CGO_ENABLED=1 go build -race ./...
chmod -R a+rwX ../cache
"""
TOOL = Tool("go", cases, setup=_SETUP, path=("go/sdk/bin",), env=_ENVIRONMENT)
