"""Gradle: artifacts from a repository, compiles, tests."""

from __future__ import annotations

from collections.abc import Iterator

from lab.agent import HOME
from lab.faults import CONNECTION, TLS
from lab.jvm import CART, TRUST, TRUST_OPTIONS, maven_pages
from lab.model import Case, Machine, Site, Tool
from lab.usual import Work, agent_cases, dev, shown_change

BUILD = "gradle --no-daemon --console=plain build"
PAGES = maven_pages(("com.acme", "shop-rates", "2.0.0"))
SITE = Site(PAGES)
SCRIPT = "apply plugin: 'java'\n\nsourceCompatibility = 1.8\n\nrepositories {\n    maven { url 'https://registry.example/' }\n}\n\ndependencies {\n    testCompile files('/usr/share/java/junit4.jar', '/usr/share/java/hamcrest-core.jar')\n}\n"
CHECK = "package com.acme.shop;\n\nimport static org.junit.Assert.assertEquals;\n\nimport java.util.Arrays;\nimport org.junit.Test;\n\npublic class CartTest {\n    @Test\n    public void totalOfThree() throws Exception {\n        assertEquals(36, new Cart().total(Arrays.asList(1, 2)));\n    }\n}\n"
MAIN, TESTS = "src/main/java/com/acme/shop/Cart.java", "src/test/java/com/acme/shop/CartTest.java"
FILES = {"build.gradle": SCRIPT, "settings.gradle": "rootProject.name = 'shop'\n", MAIN: CART, TESTS: CHECK}
FETCHING = {
    **FILES,
    "build.gradle": SCRIPT.replace("dependencies {", "dependencies {\n    compile 'com.acme:shop-rates:2.0.0'"),
}


def _case(fault: str, script: str, variant: str = "", **fields: object) -> Case:
    return Case(fault, script, variant, **{"before": TRUST, "seconds": 120, "files": FILES, **fields})  # type: ignore[arg-type]


def cases() -> Iterator[Case]:
    """Yield all cases of Gradle."""
    for fault in [
        *CONNECTION,
        *TLS,
        "http-401",
        "http-403",
        "http-407",
        "http-429",
        "http-500",
        "http-502",
        "http-503",
        "http-504",
        "html",
        "redirect-loop",
    ]:
        yield _case(fault, BUILD, files=FETCHING, site=SITE)
    for fault in ("http-403", "http-502", "truncated", "reset-midway", "stalled"):
        yield _case(fault, BUILD, "download", files=FETCHING, site=Site(PAGES, at=r"\.jar$"))
    yield _case("missing-internal", BUILD, files=FETCHING, site=Site())
    for fault, old, new in (("missing-version", "2.0.0", "2.9.0"), ("misspelt-name", "shop-rates", "shop-raets")):
        before, show = shown_change("build.gradle", old, new)
        wrong = {**FILES, "build.gradle": FETCHING["build.gradle"].replace(old, new)}
        yield _case(fault, f"{show}\n{BUILD}", files=wrong, site=SITE, before=f"{TRUST}\n{before}")
    yield from _agent()
    yield from dev(BUILD, FILES, *_source())
    yield from dev(BUILD, FILES, *_scripts())
    yield _case("unknown-target", BUILD.replace("build", "biuld"))
    silent = CHECK.replace("        assertEquals", "        System.exit(3);\n        assertEquals")
    why = "the forked process ended in silence; the log tells no cause"
    yield _case("panic", BUILD, "exit", files={**FILES, TESTS: silent}, owner="unknown", why=why)
    yield _case("unknown-target", BUILD.replace("build", ":rates:build"), "module")
    yield _case("wrong-option", f"{BUILD} --skip-tests")
    yield _case("missing-file", BUILD.replace("build", "-b ci/build.gradle build"))
    yield _case(
        "undefined-variable", f"{BUILD} -q", "property", files={**FILES, "build.gradle": SCRIPT + "version = channel\n"}
    )
    yield _case("not-executable", "./gradlew build", files={**FILES, "gradlew": '#!/bin/sh\nexec gradle "$@"\n'})
    yield _case("missing-file", "sh gradlew build", "wrapper")


def _agent() -> Iterator[Case]:
    slow = {TESTS: CHECK.replace("        assert", "        Thread.sleep(60000);\n        assert")}
    work = Work(
        "gradle", BUILD, FILES, TRUST, seconds=120, size="60k", memory=700, output="build", slow=BUILD, slow_files=slow
    )
    for case in agent_cases(work):
        # The program that runs is java.
        yield (
            Case(**{**case.__dict__, "machine": Machine(kill=(case.machine.kill[0], "^[^ ]*java ", 12))})
            if case.machine.kill[0]
            else case
        )
    denied = f"{TRUST}\nmkdir -p {HOME}/.gradle && touch {HOME}/.gradle/.old && chmod 755 {HOME}/.gradle && chown -R 0 {HOME}/.gradle"
    yield _case("home-denied", BUILD, before=denied)
    yield _case("tool-missing", BUILD, "java", env={"JAVA_HOME": "/usr/lib/jvm/java-99"})
    newer = {**FILES, "build.gradle": SCRIPT.replace("1.8", "99")}
    yield _case("tool-too-old", BUILD, files=newer)


def _source() -> list[tuple[str, str, dict[str, str]]]:
    def main(old: str, new: str) -> dict[str, str]:
        return {MAIN: CART.replace(old, new)}

    def check(body: str) -> dict[str, str]:
        return {
            TESTS: CHECK.replace("        assertEquals(36, new Cart().total(Arrays.asList(1, 2)));\n", f"        {body}\n")
        }

    return [
        ("syntax", "", main("sum = 0;", "sum = 0")),
        ("type", "", main("return sum * 12;", 'return "12";')),
        ("undefined-name", "", main("return sum", "return summ")),
        (
            "missing-dependency",
            "",
            main("import java.util.List;", "import java.util.List;\nimport org.apache.commons.lang3.StringUtils;"),
        ),
        ("test", "", main("12", "11")),
        ("test-error", "", check("new Cart().total(null);")),
        ("test-mock", "", check('throw new java.net.ConnectException("Connection refused (mock of the rates)");')),
        ("type", "test", check("assertEquals(36, new Cart().sum(null));")),
    ]


def _scripts() -> list[tuple[str, str, dict[str, str]]]:
    return [
        ("bad-config", "syntax", {"build.gradle": SCRIPT.replace("repositories {", "repositories")}),
        ("bad-config", "plugin", {"build.gradle": SCRIPT.replace("'java'", "'javaa'")}),
        ("bad-config", "method", {"build.gradle": SCRIPT.replace("testCompile", "testCompiles")}),
        (
            "bad-config",
            "property",
            {"build.gradle": SCRIPT + "task pack(type: Zip) { from sources }\nbuild.dependsOn pack\n"},
        ),
        (
            "bad-config",
            "cycle",
            {"build.gradle": SCRIPT + "task one\ntask two(dependsOn: one)\none.dependsOn two\nbuild.dependsOn one\n"},
        ),
        (
            "bad-config",
            "project",
            {"build.gradle": SCRIPT.replace("dependencies {", "dependencies {\n    compile project(':rates')")},
        ),
        (
            "panic",
            "task",
            {
                "build.gradle": SCRIPT
                + "task check1 { doLast { throw new GradleException('CHANNEL must be stable or beta') } }\nbuild.dependsOn check1\n"
            },
        ),
        (
            "missing-file",
            "task",
            {
                "build.gradle": SCRIPT
                + "task read { doLast { println file('config/prices.txt').text } }\nbuild.dependsOn read\n"
            },
        ),
        (
            "tool-misspelt",
            "exec",
            {
                "build.gradle": SCRIPT
                + "task pack(type: Exec) { commandLine 'tarr', 'cf', 'a.tar', '.' }\nbuild.dependsOn pack\n"
            },
        ),
        (
            "script-bug",
            "exec",
            {
                "build.gradle": SCRIPT
                + "task pack(type: Exec) { commandLine 'sh', '-c', 'test -s dist/shop.jar' }\nbuild.dependsOn pack\n"
            },
        ),
    ]


TOOL = Tool("gradle", cases, setup="apt-get install -y -qq gradle junit4", env={"GRADLE_OPTS": TRUST_OPTIONS})
