"""What a page gives to be copied: a text for the chat in two forms, and commands."""

from __future__ import annotations

from dataclasses import replace

from support.accounts import account

from pipeline_trace.report.copying import About, Around, copies_of
from pipeline_trace.report.heading import Heading, Named
from pipeline_trace.trace import conventions as c

BUILD = Named("shop/build#47", "https://ci.example.org/job/shop/47/")
HEADING = Heading(
    "shop/build#47",
    BUILD,
    is_build=True,
    services=["shop"],
    versions=["1.7.3"],
    environments=["integration", "staging"],
    started_by="mara",
)
GREEN = About(HEADING, "a" * 32, c.SUCCESS, "Succeeded", 1_795_521_600 * 10**9, 83 * 10**9)
FAILED = replace(GREEN, result=c.FAILURE, state="Failed")
PAGE = "https://traces.example.org/trace/" + "a" * 32


def test_of_a_failure_the_whole_account_is_told() -> None:
    copies = copies_of(FAILED, account(), Around(PAGE), has_path=True)
    for told in (
        "Ops should look at web2",
        "85% sure",
        "Since ",
        "2 of the last 4 builds",
        "Evidence ",
        "Next ",
        "pipeline-trace show",
    ):
        assert told in copies.text
    assert copies.text.splitlines()[0].startswith("Failed: shop/build#47, shop 1.7.3 to integration and staging, ")
    assert copies.markdown.partition("\n\n")[2].startswith("**Ops should look at web2")
    assert "- **Evidence:**" in copies.markdown


def test_where_nothing_failed_two_lines_say_what_the_page_is_about() -> None:
    copies = copies_of(GREEN, None, Around(PAGE), has_path=True)
    assert copies.text.splitlines() == [
        "Succeeded: shop/build#47, shop 1.7.3 to integration and staging, 1 min 23 s, "
        "started 2026-11-24 12:00:00 UTC by mara",
        f"the trace's page {PAGE}",
    ]
    assert copies.markdown.splitlines() == [
        "Succeeded: [shop/build\\#47](https://ci.example.org/job/shop/47/), shop 1.7.3 to integration and staging, "
        "1 min 23 s, started 2026-11-24 12:00:00Z by mara  ",
        f"[the trace's page]({PAGE})",
    ]


def test_where_the_builds_name_does_not_find_the_trace_alone_commands_have_its_id() -> None:
    hidden = replace(GREEN, heading=replace(HEADING, is_exact=False))
    for about in (replace(GREEN, is_shared=True), hidden):
        found = copies_of(about, None, Around(), has_path=False).commands
        assert found == tuple(f"pipeline-trace {name} {'a' * 32}" for name in ("show", "report"))


CALLS = "@channel <!here> @mara <@U1> git@example.com"
CALM = "@\u2060channel <!\u2060here> @\u2060mara <@\u2060U1> git@example.com"


def test_no_name_in_the_text_calls_anybody() -> None:
    heading = replace(HEADING, name=CALLS, services=[CALLS], versions=[], environments=[], started_by=CALLS)
    text = copies_of(replace(GREEN, heading=heading), None, Around(PAGE), has_path=False).text
    assert text.splitlines()[0] == (f"Succeeded: {CALM}, {CALM}, 1 min 23 s, started 2026-11-24 12:00:00 UTC by {CALM}")


def test_neither_does_the_account_and_its_commands_stay_as_they_are() -> None:
    told = account()
    assert told.build
    assert told.streak
    build, command = replace(told.build, name=CALLS), "pipeline-trace show '@here#1'"
    streak = replace(told.streak, job=CALLS, first=build)
    odd = replace(told, says=CALLS, because=[CALLS], line="@acme/lib: @here", streak=streak, build=build, commands=[command])
    odd.place.steps[:] = [CALLS, CALLS]
    text = copies_of(FAILED, odd, Around(PAGE), has_path=True).text
    assert text.splitlines()[1] == CALM
    assert text.count(CALM) >= 5
    assert "@acme/lib: @\u2060here" in text
    for call in ("@channel", "<!here", "@mara", "<@U1"):
        assert call not in text
    assert command in text


def test_a_file_names_the_builds_page_else_the_command() -> None:
    alone = replace(GREEN, heading=Heading("playbook site.yml"))
    assert copies_of(GREEN, None, Around(), has_path=False).text.endswith(
        "\nthe build's page https://ci.example.org/job/shop/47/"
    )
    assert copies_of(alone, None, Around(), has_path=False).text.endswith(f"\npipeline-trace show {'a' * 32}")


def test_of_several_services_nobody_says_which_version_is_whose() -> None:
    several = replace(GREEN, heading=replace(HEADING, services=["shop", "cart"], versions=["1", "2"]))
    assert ", shop, cart, 1, 2 to integration and staging, " in copies_of(several, None, Around(), has_path=False).text


def test_commands_name_the_build_and_the_source() -> None:
    assert copies_of(FAILED, None, Around(), has_path=True).commands == tuple(
        f"pipeline-trace {name} 'shop/build#47'" for name in ("show", "why", "compare", "path", "report")
    )
    source = "clickhouse://reader@db.example.org:8443/otel?table=otel_traces"
    assert copies_of(GREEN, None, Around(source=source), has_path=False).commands == tuple(
        f"pipeline-trace {name} 'shop/build#47' --from '{source}'" for name in ("show", "report")
    )


def test_where_the_store_is_elsewhere_commands_name_its_folder() -> None:
    (show, *_) = copies_of(GREEN, None, Around(home="/srv/a b"), has_path=False).commands
    assert show == "PIPELINE_TRACE_HOME='/srv/a b' pipeline-trace show 'shop/build#47'"


def test_what_is_no_build_is_named_by_its_trace() -> None:
    alone = replace(GREEN, heading=Heading("playbook site.yml", BUILD))
    assert copies_of(alone, None, Around(), has_path=False).commands[0] == f"pipeline-trace show {'a' * 32}"
