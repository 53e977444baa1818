"""The account of a failure in each format: what a person reads, and what Slack and a Markdown page make of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from support import accounts
from support.accounts import BROKEN, GREEN, LINE, account

from pipeline_trace.ownership import OPS, UNKNOWN, Verdict
from pipeline_trace.ownership.account import FORMATS, Account, account_of_log, account_of_verdict, rendered
from pipeline_trace.ownership.account.record import Others

TEXT = """\
Ops should look at web2: Ansible could not reach it, and 2 other projects fail alike.
(85% sure, host_unreachable, green again in shop-deploy#14)
Because     3 projects have had the same error since 2026-11-24 12:05:00 UTC: orders, shop, web
Since       2026-11-24 12:05:00 UTC, first in shop-deploy#11 https://ci.example.com/job/shop-deploy/11/
            2 of the last 4 builds of shop-deploy to staging failed so
            green again since shop-deploy#14, 2026-11-24 12:30:00 UTC
Last green  shop-deploy#10, 2026-11-24 12:01:00 UTC, commit 9e0a3389c124
            built since: 63d034dacd87 (2 authors)
            compare the commits https://github.com/acme/shop/compare/{green}...{broken}
Started     by mara: shop-build#7 > shop-deploy#12
Where       agent deploy-1, host web2, environment staging, commit 63d034dacd87
            shop-build > Deploy > shop-deploy > Shell Script
Evidence    ssh: connect to host web2 port 22: <refused> & gone
            task 'Copy' could not reach web2
Fails alike orders-deploy to staging on deploy-1: 2 builds, the last orders-deploy#9, 2026-11-24 12:08:00 UTC
Passes      web-build on deploy-1: web-build#4, 2026-11-24 12:07:00 UTC
Next        Ops looks at web2; the change is not the cause.
            pipeline-trace show 'shop-deploy#12'
            the build's page https://ci.example.com/job/shop-deploy/12/
            the trace's page https://traces.example.com/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"""

MARKDOWN = r"""**{says}** (85% sure, host\_unreachable, green again in shop-deploy\#14)

- **Because:** 3 projects have had the same error since 2026-11-24 12:05:00Z: orders, shop, web
- **Since:**
  - 2026-11-24 12:05:00Z, first in [shop-deploy\#11](https://ci.example.com/job/shop-deploy/11/)
  - 2 of the last 4 builds of shop-deploy to staging failed so
  - green again since [shop-deploy\#14](https://ci.example.com/job/shop-deploy/14/), 2026-11-24 12:30:00Z
- **Last green:**
  - [shop-deploy\#10](https://ci.example.com/job/shop-deploy/10/), 2026-11-24 12:01:00Z, commit `9e0a3389c124`
  - built since: `63d034dacd87` (2 authors)
  - [compare the commits](https://github.com/acme/shop/compare/{green}...{broken})
- **Started:** by mara: [shop-build\#7](https://ci.example.com/job/shop-build/7/) \> """ + (
    r"""[shop-deploy\#12](https://ci.example.com/job/shop-deploy/12/)
- **Where:**
  - agent deploy-1, host web2, environment staging, commit 63d034dacd87
  - shop-build \> Deploy \> shop-deploy \> Shell Script
- **Evidence:**
  - `ssh: connect to host web2 port 22: <refused> & gone`
  - `task 'Copy' could not reach web2`
- **Fails alike:** orders-deploy to staging on deploy-1: 2 builds, the last """
    r"""[orders-deploy\#9](https://ci.example.com/job/orders-deploy/9/), 2026-11-24 12:08:00Z
- **Passes:** web-build on deploy-1: [web-build\#4](https://ci.example.com/job/web-build/4/), 2026-11-24 12:07:00Z
- **Next:**
  - Ops looks at web2; the change is not the cause.
  - `pipeline-trace show 'shop-deploy#12'`
  - [the build's page](https://ci.example.com/job/shop-deploy/12/)
  - [the trace's page](https://traces.example.com/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa)"""
)

SLACK = [
    "*{says}*",
    "85% sure, host_unreachable, green again in shop-deploy#14",
    "*Because*\n3 projects have had the same error since 2026-11-24 12:05:00Z: orders, shop, web",
    "*Since*\n2026-11-24 12:05:00Z, first in <https://ci.example.com/job/shop-deploy/11/|shop-deploy#11>\n"
    "2 of the last 4 builds of shop-deploy to staging failed so\n"
    "green again since <https://ci.example.com/job/shop-deploy/14/|shop-deploy#14>, 2026-11-24 12:30:00Z",
    "*Last green*\n"
    "<https://ci.example.com/job/shop-deploy/10/|shop-deploy#10>, 2026-11-24 12:01:00Z, commit `9e0a3389c124`\n"
    "built since: `63d034dacd87` (2 authors)\n"
    "<https://github.com/acme/shop/compare/{green}...{broken}|compare the commits>",
    "*Started*\nby mara: <https://ci.example.com/job/shop-build/7/|shop-build#7> &gt; "
    "<https://ci.example.com/job/shop-deploy/12/|shop-deploy#12>",
    "*Where*\nagent deploy-1, host web2, environment staging, commit 63d034dacd87\n"
    "shop-build &gt; Deploy &gt; shop-deploy &gt; Shell Script",
    "*Evidence*\n`ssh: connect to host web2 port 22: &lt;refused&gt; &amp; gone`\n`task 'Copy' could not reach web2`",
    "*Fails alike*\norders-deploy to staging on deploy-1: 2 builds, the last "
    "<https://ci.example.com/job/orders-deploy/9/|orders-deploy#9>, 2026-11-24 12:08:00Z",
    "*Passes*\nweb-build on deploy-1: <https://ci.example.com/job/web-build/4/|web-build#4>, 2026-11-24 12:07:00Z",
    "*Next*\nOps looks at web2; the change is not the cause.\n`pipeline-trace show 'shop-deploy#12'`\n"
    "<https://ci.example.com/job/shop-deploy/12/|the build's page>\n"
    "<https://traces.example.com/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|the trace's page>",
]


def filled(text: str) -> str:
    """Return an expected text with what is too long for a line of this file."""
    return text.replace("{green}", GREEN).replace("{broken}", BROKEN).replace("{says}", account().says)


def slack(known: Account) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(rendered(known, "slack"))
    return body


def texts(body: dict[str, Any]) -> list[str]:
    """Return the texts of a body's blocks."""
    return [part["text"] for block in body["blocks"] for part in block.get("elements") or [block["text"]]]


def test_text() -> None:
    assert rendered(account(), "text") == filled(TEXT)


def test_markdown() -> None:
    assert rendered(account(), "markdown") == filled(MARKDOWN)


def test_slack() -> None:
    body = slack(account())
    assert body["text"] == account().says
    assert texts(body) == list(map(filled, SLACK))
    assert {block["type"] for block in body["blocks"]} == {"section", "context"}


def test_json_keeps_the_keys_of_a_verdict_and_adds_what_is_known() -> None:
    document = json.loads(rendered(account(), "json"))
    assert list(document)[:5] == ["owner", "kind", "confidence", "evidence", "next"]
    first = {
        "name": "shop-deploy#11",
        "url": "https://ci.example.com/job/shop-deploy/11/",
        "started": "2026-11-24T12:05:00.000+00:00",
        "commit": BROKEN,
    }
    assert document["since"] == first
    assert (document["failed_alike"], document["of_last_builds"], document["authors_since"]) == (2, 4, 2)
    assert (document["last_green"]["commit"], document["commits_since"]) == (GREEN, [BROKEN])
    assert (document["started"]["cause"], document["started"]["by"]) == ("user", "mara")
    assert [build["name"] for build in document["started"]["builds"]] == ["shop-build#7", "shop-deploy#12"]
    assert document["fails_alike"][0]["builds"] == 2
    assert document["passes"][0]["last"]["name"] == "web-build#4"
    assert (document["agent"], document["hosts"], document["environment"]) == ("deploy-1", ["web2"], "staging")
    assert document["line"] == LINE


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_not_known_is_not_told(form: str) -> None:
    said = rendered(account_of_log(Verdict(OPS, "dns", 0.85, ["no such host"], "Ops looks at the DNS server.")), form)
    for word in ("not known", "Since", "since", "green", "Started", "Where", "null", "None", "[]", "alike"):
        assert word not in said


def test_a_log_alone_gives_the_same_form_with_fewer_facts() -> None:
    known = account_of_log(
        Verdict(OPS, "dns", 0.85, ["no such host", "command: curl"], "Ops looks at name resolution on this machine.")
    )
    assert rendered(known, "text").splitlines() == [
        "Ops should look at name resolution on this machine: a name does not resolve.",
        "(85% sure, dns)",
        "Evidence    no such host",
        "            command: curl",
        "Next        Ops looks at name resolution on this machine.",
    ]


def test_where_nobody_is_named_what_would_decide_is_told_once() -> None:
    known = account_of_log(Verdict(UNKNOWN, "out_of_memory", 0.5, ["Killed"], "Compare its memory use with the agent's."))
    assert rendered(known, "text").splitlines() == [
        "It is not clear whether Dev or Ops should look first: the memory ran out. "
        "To decide it: compare its memory use with the agent's.",
        "(out_of_memory)",
        "Evidence    Killed",
    ]


def test_nothing_failed_is_told_without_owner() -> None:
    known = account_of_verdict(Verdict(UNKNOWN, "nothing_failed", 1.0, ["RUN app: success"]))
    assert rendered(known, "text") == "Nothing failed.\n  - RUN app: success"


CALLS = "<!channel> @here @channel @everyone <@U1> &lt; `code` *bold* git@example.com"


def hostile() -> Account:
    return replace(account(), line=CALLS, seen=[CALLS], says=CALLS, because=[CALLS])


def test_slack_calls_nobody() -> None:
    body = slack(hostile())
    for text in (body["text"], *texts(body)):
        assert not any(call in text for call in ("<!", "<@", "@here", "@channel", "@everyone"))
    assert "git@example.com" in body["text"]
    assert all(part["verbatim"] for block in body["blocks"] for part in block.get("elements") or [block["text"]])
    # A backtick of the log would end the code.
    assert any(f"\n`{'&lt;!channel&gt;'}" in text and "'code'" in text for text in texts(body))


def test_markdown_calls_nobody_and_is_no_markup() -> None:
    said = rendered(hostile(), "markdown")
    quoted = next(line for line in said.splitlines() if line.startswith("  - `` "))
    assert quoted == f"  - `` {CALLS} ``"
    rest = said.replace(quoted, "")
    assert not any(call in rest for call in ("@here", "@channel", "@everyone"))
    assert r"\<!channel\>" in rest
    assert r"\*bold\*" in rest


def test_slack_keeps_its_limits_however_much_is_known() -> None:
    many = [Others("&" * 400, "", 1, accounts.build("x" * 400, number, 1)) for number in range(90)]
    known = replace(account(), because=["&" * 900] * 90, line="<" * 9000, seen=["`" * 900] * 300, alike=many)
    body = slack(known)
    assert len(body["blocks"]) <= 50
    assert all(0 < len(text) <= 3000 for text in texts(body))


def test_no_more_than_four_other_jobs_are_named() -> None:
    many = [Others(f"job{number}", "", 1, accounts.build("job", number, 1)) for number in range(6)]
    said = rendered(replace(account(), alike=many), "text")
    assert "job3" in said
    assert "job4" not in said
    assert "            and 2 more\n" in said
