"""Maven: artifacts from a mirror, compiles, tests, checks, deploys."""

from __future__ import annotations

from collections.abc import Iterator

from lab.agent import HOME
from lab.faults import CONNECTION, CONTENT, STATUS, TLS, UPLOAD
from lab.jvm import CART, TRUST, TRUST_OPTIONS, maven_pages
from lab.model import Case, Machine, Site, Tool
from lab.usual import Work, agent_cases, dev, shown_change

VERIFY = "mvn -B -ntp verify"
PAGES = maven_pages(("com.acme", "shop-rates", "2.0.0"), ("com.acme", "shop-cart", "1.0.0"))
SITE = Site(PAGES)
REPOSITORY = f"{HOME}/.m2/repository"
# Maven writes into its repository: each run has its own, with the plugins in it.
PREPARED = f"mkdir -p {HOME}/.m2 && cp -a {HOME}/tools/maven/repository {REPOSITORY} && chown -R 1000 {HOME}/.m2\n{TRUST}"
SETTINGS = "<settings><mirrors><mirror><id>registry</id><mirrorOf>*</mirrorOf><url>https://registry.example/</url></mirror></mirrors></settings>\n"
CHECK = "package com.acme.shop;\n\nimport static org.junit.Assert.assertEquals;\n\nimport java.util.List;\nimport org.junit.Test;\n\npublic class CartTest {\n    @Test\n    public void totalOfThree() throws Exception {\n        assertEquals(36, new Cart().total(List.of(1, 2)));\n    }\n}\n"
MAIN, TESTS = "src/main/java/com/acme/shop/Cart.java", "src/test/java/com/acme/shop/CartTest.java"


def pom(dependency: str = "", plugins: str = "", more: str = "") -> str:
    """Return a project: ``dependency`` is GROUP:NAME:VERSION."""
    words = [each.split(":") for each in dependency.split()]
    own = "".join(
        f"    <dependency><groupId>{g}</groupId><artifactId>{a}</artifactId><version>{v}</version></dependency>\n"
        for g, a, v in words
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0">\n  <modelVersion>4.0.0</modelVersion>\n  <groupId>com.acme</groupId>\n'
        "  <artifactId>shop</artifactId>\n  <version>1.4.0</version>\n  <properties>\n    <maven.compiler.release>17</maven.compiler.release>\n"
        "    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>\n  </properties>\n"
        "  <distributionManagement><repository><id>registry</id><url>https://registry.example/releases/</url></repository></distributionManagement>\n"
        "  <dependencies>\n    <dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>4.13.2</version><scope>test</scope></dependency>\n"
        f"{own}  </dependencies>\n  <build><plugins>{_PLUGINS}{plugins}</plugins></build>{more}\n</project>\n"
    )


_PLUGINS = "".join(
    f"\n    <plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-{name}-plugin</artifactId><version>{version}</version></plugin>"
    for name, version in (
        ("compiler", "3.11.0"),
        ("surefire", "3.2.5"),
        ("deploy", "3.1.1"),
        ("install", "3.1.1"),
        ("jar", "3.3.0"),
        ("resources", "3.3.1"),
    )
)
ENFORCER = (
    "\n    <plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-enforcer-plugin</artifactId><version>3.4.1</version><executions><execution>"
    "<id>rules</id><goals><goal>enforce</goal></goals><configuration><rules>{}</rules></configuration></execution></executions></plugin>"
)
JACOCO = (
    "\n    <plugin><groupId>org.jacoco</groupId><artifactId>jacoco-maven-plugin</artifactId><version>0.8.12</version><executions><execution><id>agent</id>"
    "<goals><goal>prepare-agent</goal></goals></execution><execution><id>check</id><goals><goal>check</goal></goals><configuration><rules><rule><limits>"
    "<limit><counter>LINE</counter><minimum>0.95</minimum></limit></limits></rule></rules></configuration></execution></executions></plugin>"
)
CHECKSTYLE = (
    "\n    <plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-checkstyle-plugin</artifactId><version>3.3.1</version><configuration>"
    "<configLocation>google_checks.xml</configLocation><violationSeverity>warning</violationSeverity><consoleOutput>true</consoleOutput></configuration>"
    "<executions><execution><phase>validate</phase><goals><goal>check</goal></goals></execution></executions></plugin>"
)
FILES = {"pom.xml": pom(), MAIN: CART, TESTS: CHECK, "~/.m2/settings.xml": SETTINGS}
FETCHING = {**FILES, "pom.xml": pom("com.acme:shop-rates:2.0.0")}
HALF = {
    "src/main/java/com/acme/shop/Half.java": "package com.acme.shop;\n\npublic class Half {\n    public int of(int n) {\n        n += 1;\n        n += 2;\n        return n / 2;\n    }\n}\n"
}


def cases() -> Iterator[Case]:
    """Yield all cases of Maven."""
    yield from _mirror()
    yield from _lookups()
    yield from _agent()
    yield from (Case(**{**each.__dict__, "before": PREPARED}) for each in dev(VERIFY, FILES, *_project()))
    yield from _calls()


def _case(fault: str, script: str, variant: str = "", **fields: object) -> Case:
    return Case(fault, script, variant, **{"before": PREPARED, "seconds": 90, "files": FILES, **fields})  # type: ignore[arg-type]


def _mirror() -> Iterator[Case]:
    for fault in [*CONNECTION, *TLS, *STATUS, "redirect-loop", "html", "empty"]:
        yield _case(fault, VERIFY, files=FETCHING, site=SITE)
    for fault in ["http-401", "http-403", "http-502", "http-503", *CONTENT]:
        if fault not in ("redirect-loop", "empty"):
            yield _case(
                fault,
                f"{VERIFY} -C" if fault in ("corrupt", "html") else VERIFY,
                "download",
                files=FETCHING,
                site=Site(PAGES, at=r"\.jar"),
            )
    for fault in [*UPLOAD, "http-401", "http-403", "http-502", "refused"]:
        yield _case(fault, "mvn -B -ntp deploy", "publish", site=Site(at="/releases/"))
    plugin = {**FILES, "pom.xml": pom(plugins=_PLUGIN)}
    for fault in ("name-unknown", "refused", "connect-timeout", "tls-unknown", "http-401", "http-503"):
        yield _case(fault, VERIFY, "plugin", files=plugin, site=Site())


_PLUGIN = "\n    <plugin><groupId>com.acme</groupId><artifactId>release-maven-plugin</artifactId><version>1.0.0</version><extensions>true</extensions></plugin>"


def _lookups() -> Iterator[Case]:
    yield _case("missing-internal", VERIFY, files=FETCHING, site=Site())
    yield _case(
        "missing-internal",
        VERIFY,
        "parent",
        files={
            **FILES,
            "pom.xml": pom(
                more="\n  <parent><groupId>com.acme</groupId><artifactId>shop-parent</artifactId><version>7</version></parent>"
            ),
        },
        site=Site(),
    )
    for fault, old, new in (("missing-version", "2.0.0", "2.9.0"), ("misspelt-name", "shop-rates", "shop-raets")):
        before, show = shown_change("pom.xml", old, new)
        wrong = {**FILES, "pom.xml": pom("com.acme:shop-rates:2.0.0".replace(old, new))}
        yield _case(fault, f"{show}\n{VERIFY}", files=wrong, site=SITE, before=f"{PREPARED}\n{before}")
    yield _case(
        "misspelt-name",
        VERIFY,
        "plugin",
        files={**FILES, "pom.xml": pom().replace("maven-compiler-plugin", "maven-compliler-plugin")},
        site=Site(),
    )


def _agent() -> Iterator[Case]:
    slow = {TESTS: CHECK.replace("        assert", "        Thread.sleep(60_000);\n        assert")}
    work = Work(
        "mvn",
        VERIFY,
        FILES,
        PREPARED,
        seconds=90,
        size="12k",
        temp="4k",
        memory=700,
        output="target",
        slow=VERIFY,
        slow_files=slow,
    )
    for case in agent_cases(work):
        # The program that runs is java.
        yield (
            Case(**{**case.__dict__, "machine": Machine(kill=(case.machine.kill[0], "classworlds", 8))})
            if case.machine.kill[0]
            else case
        )
    denied = f"{PREPARED}\nmkdir -p {REPOSITORY}/com/acme && chown -R 0 {REPOSITORY} && chmod 755 {REPOSITORY}/com/acme"
    yield _case("home-denied", VERIFY, files=FETCHING, site=SITE, before=denied)
    why = "the agent's JDK, or the project's wish"
    yield _case("tool-too-old", VERIFY, files={**FILES, "pom.xml": pom().replace(">17<", ">99<")}, why=why)
    rule = "<requireJavaVersion><version>[99,)</version></requireJavaVersion>"
    yield _case("tool-too-old", VERIFY, "rule", files={**FILES, "pom.xml": pom(plugins=ENFORCER.format(rule))}, why=why)
    yield _case("tool-missing", VERIFY, "java", env={"JAVA_HOME": "/usr/lib/jvm/java-99"})


def _project() -> list[tuple[str, str, dict[str, str]]]:
    def main(old: str, new: str) -> dict[str, str]:
        return {MAIN: CART.replace(old, new)}

    def check(body: str) -> dict[str, str]:
        return {TESTS: CHECK.replace("        assertEquals(36, new Cart().total(List.of(1, 2)));\n", f"        {body}\n")}

    own = 'var s = new java.net.ServerSocket(0); int port = s.getLocalPort(); s.close(); new java.net.Socket("127.0.0.1", port); // own test server'
    return [
        ("syntax", "", main("sum = 0;", "sum = 0")),
        ("type", "", main("return sum * 12;", 'return "12";')),
        ("undefined-name", "", main("return sum", "return summ")),
        ("import", "", main("import java.util.List;", "import java.util.List;\nimport com.acme.shop.rates.Rate;")),
        (
            "missing-dependency",
            "",
            main("import java.util.List;", "import java.util.List;\nimport org.apache.commons.lang3.StringUtils;"),
        ),
        ("test", "", main("12", "11")),
        ("test", "fail", check('org.junit.Assert.fail("no price for tea");')),
        ("test-error", "", check("new Cart().total(null);")),
        (
            "test-error",
            "set-up",
            {
                TESTS: CHECK.replace(
                    "    @Test",
                    '    @org.junit.BeforeClass\n    public static void orders() {\n        throw new IllegalStateException("no orders in the fixture");\n    }\n\n    @Test',
                )
            },
        ),
        ("test-mock", "refused", check('throw new java.net.ConnectException("Connection refused (mock of the rates)");')),
        ("test-mock", "own-server", check(own)),
        ("type", "test", check("assertEquals(36, new Cart().sum(List.of(1)));")),
        (
            "own-heap",
            "",
            {
                "pom.xml": pom().replace(
                    "<version>3.2.5</version>",
                    "<version>3.2.5</version><configuration><argLine>-Xmx20m</argLine></configuration>",
                ),
                **check("var all = new java.util.ArrayList<long[]>(); for (;;) all.add(new long[100_000]);"),
            },
        ),
        ("bad-manifest", "", {"pom.xml": pom().replace("</properties>", "<properties>")}),
        ("bad-manifest", "version", {"pom.xml": pom().replace("  <version>1.4.0</version>\n", "")}),
        ("bad-manifest", "dependency", {"pom.xml": pom("com.acme:shop-rates:").replace("<version></version>", "")}),
        (
            "bad-manifest",
            "tag",
            {
                "pom.xml": pom().replace(
                    "<modelVersion>4.0.0</modelVersion>", "<modelVersion>4.0.0</modelVersion>\n  <artefact>x</artefact>"
                )
            },
        ),
        (
            "bad-config",
            "module",
            {
                "pom.xml": pom(more="\n  <modules><module>rates</module></modules>").replace(
                    "  <version>1.4.0</version>", "  <version>1.4.0</version>\n  <packaging>pom</packaging>"
                )
            },
        ),
        (
            "bad-config",
            "rule",
            {"pom.xml": pom(plugins=ENFORCER.format("<requireProperty><property>channel</property></requireProperty>"))},
        ),
        (
            "bad-config",
            "environment",
            {
                "pom.xml": pom(
                    plugins=ENFORCER.format(
                        "<requireEnvironmentVariable><variableName>CHANNEL</variableName></requireEnvironmentVariable>"
                    )
                )
            },
        ),
        ("coverage", "", {"pom.xml": pom(plugins=JACOCO), **HALF}),
        ("lint", "", {"pom.xml": pom(plugins=CHECKSTYLE)}),
        (
            "lint",
            "warnings",
            {
                "pom.xml": pom().replace(
                    "<version>3.11.0</version>",
                    "<version>3.11.0</version><configuration><failOnWarning>true</failOnWarning><showWarnings>true</showWarnings><compilerArgs><arg>-Xlint:all</arg></compilerArgs></configuration>",
                ),
                **main("int sum = 0;", "int sum = 0;\n        java.util.List raw = counts;"),
            },
        ),
    ]


def _calls() -> Iterator[Case]:
    yield _case("unknown-target", "mvn -B instal")
    silent = CHECK.replace("        assertEquals", "        System.exit(3);\n        assertEquals")
    why = "the forked process ended in silence; the log tells no cause"
    yield _case("panic", VERIFY, "exit", files={**FILES, TESTS: silent}, owner="unknown", why=why)
    yield _case("unknown-target", "mvn -B -pl rates verify", "module")
    yield _case("wrong-option", f"{VERIFY} --skip-test")
    yield _case("missing-file", VERIFY, files={"~/.m2/settings.xml": SETTINGS})
    yield _case("missing-file", "mvn -B -f build/pom.xml verify", "named")
    yield _case(
        "bad-config",
        f"{VERIFY} -s ci/settings.xml",
        "settings",
        files={**FILES, "ci/settings.xml": "<settings><mirrors></settings>\n"},
    )
    yield _case("missing-file", f"{VERIFY} -s ci/settings-release.xml", "settings")
    yield _case("unknown-target", f"{VERIFY} -Dtest=BasketTest", "test")


# The plugins come once, from the public repository; what tells where they came from goes.
_SETUP = f"""
rm -rf repository warm && mkdir -p warm/{MAIN.rpartition("/")[0]} warm/{TESTS.rpartition("/")[0]} && cd warm
cat > {MAIN} <<'X'
{CART}X
cat > {TESTS} <<'X'
{CHECK}X
cat > pom.xml <<'X'
{pom(plugins=JACOCO + CHECKSTYLE.replace("warning<", "error<") + ENFORCER.format("<requireJavaVersion><version>17</version></requireJavaVersion>"))}X
mvn -B -q -Dmaven.repo.local={HOME}/tools/maven/repository -Djacoco.haltOnFailure=false -DaltDeploymentRepository=file::file:/tmp/lab-maven-warm deploy
rm -rf /tmp/lab-maven-warm {HOME}/tools/maven/repository/com/acme
find {HOME}/tools/maven/repository \\( -name _remote.repositories -o -name '*.lastUpdated' -o -name 'resolver-status.properties' \\) -delete
chmod -R a+rX {HOME}/tools/maven/repository
"""
TOOL = Tool(
    "maven",
    cases,
    setup=_SETUP,
    env={
        "MAVEN_OPTS": f"{TRUST_OPTIONS} -Dmaven.wagon.http.retryHandler.count=0 -Dmaven.wagon.rto=3000 -Dmaven.wagon.http.connectionTimeout=2500"
    },
)
