"""The page's text: one file, nothing loaded, nothing of the data runs. No browser here."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from datetime import datetime, timezone
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support import accounts
from support.report_samples import HOSTILE, PATH, Verdict, hostile_spans, make, many, sample, story

from pipeline_trace.report import html
from pipeline_trace.report.headline import Headline
from pipeline_trace.report.html import Known, page_html
from pipeline_trace.report.live import LivePage
from pipeline_trace.trace.span import Event

NOW = datetime(2025, 3, 5, 16, 0, tzinfo=timezone.utc)


class Page(HTMLParser):
    """The page, taken apart: elements with their attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.blocks: list[tuple[str, dict[str, str | None], str]] = []
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside in ("script", "style"):
            self.blocks.append((*self.elements[-1], data))
        else:
            self.texts.append(data)

    def block(self, tag: str, kind: str | None = None) -> str:
        return "".join(text for name, attrs, text in self.blocks if name == tag and attrs.get("type") == kind)


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(page_html(sample(), title="app-build #42", generated_at=NOW))


def addresses(page: Page) -> list[str]:
    """Return where the links lead that do not stay in the page."""
    found = [attrs["href"] or "" for tag, attrs in page.elements if tag == "a"]
    return [address for address in found if not address.startswith("#")]


def data_of(page: Page) -> Any:
    return json.loads(page.block("script", "application/json"))


def test_the_policy_allows_exactly_the_script_and_the_style(page: Page) -> None:
    policies = [a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    script, style = (
        "'sha256-" + b64encode(sha256(text.encode()).digest()).decode() + "'"
        for text in (page.block("script", "module"), page.block("style"))
    )
    assert policies == [
        f"default-src 'none'; script-src {script}; style-src {style}; img-src data:; base-uri 'none'; form-action 'none'"
    ]
    tags = [tag for tag, _ in page.elements]
    first_block = min(tags.index("script"), tags.index("style"))
    assert next(i for i, (_, a) in enumerate(page.elements) if "http-equiv" in a) < first_block


def test_only_a_page_that_follows_its_trace_asks_and_only_its_own_server(page: Page) -> None:
    live = LivePage(lambda: int(NOW.timestamp()) * 10**9)
    live.take([make("x", None, "one", 0, None)], Known())
    following = Page(live.page("/trace/1/events"))
    script, style = (
        "'sha256-" + b64encode(sha256(text.encode()).digest()).decode() + "'"
        for text in (following.block("script", "module"), following.block("style"))
    )
    assert [a["content"] for tag, a in following.elements if a.get("http-equiv") == "Content-Security-Policy"] == [
        f"default-src 'none'; script-src {script}; style-src {style}; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'"
    ]
    assert data_of(following)["live"]["events"] == "/trace/1/events"
    assert "new EventSource" in following.block("script", "module")
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "fetch("):
        assert forbidden not in following.block("script", "module")
    for quiet in (page, Page(live.page(""))):
        assert "live" not in data_of(quiet)
        assert "EventSource" not in quiet.block("script", "module")
    # Where there is no JavaScript, nothing is loaded again by itself.
    assert "refresh" not in [attributes.get("http-equiv") for _, attributes in following.elements]
    assert any("reload the page" in text for text in following.texts)


def test_nothing_is_loaded_from_anywhere(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "img", "base", "form")
        assert not {"src", "srcset", "style", "action", "ping"} & set(attributes)
        assert all(not name.startswith("on") for name in attributes)
        reference = attributes.get("href") or ""
        # A link loads nothing until somebody follows it.
        elsewhere = tag == "a" and attributes.get("rel") == "noopener noreferrer" and reference.startswith("https://")
        assert reference == "" or reference.startswith("#") or (tag, reference) == ("link", "data:,") or elsewhere
    assert "url(" not in page.block("style")
    assert "@import" not in page.block("style")


def test_the_script_never_makes_markup_of_data(page: Page) -> None:
    script = page.block("script", "module")
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "fetch("):
        assert forbidden not in script


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_title_is_text(text: str) -> None:
    plain = Page(page_html([], title="plain", generated_at=NOW))
    hostile = Page(page_html([], title=text, generated_at=NOW))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]


def test_hostile_data_is_neither_markup_nor_lost() -> None:
    text = page_html(hostile_spans(), title="hostile", generated_at=NOW)
    page = Page(text)
    assert len(page.blocks) == 3
    assert not any(tag == "img" or "onerror" in attrs or "onload" in attrs for tag, attrs in page.elements)
    assert addresses(page) == []
    raw = page.block("script", "application/json")
    assert not set("<>&\u2028\u2029") & set(raw)
    data = data_of(page)
    assert {HOSTILE[0], HOSTILE[1], HOSTILE[3]} <= set(data["texts"])
    assert "invoice\u2039U+202E\u203afdp.exe" in data["texts"]
    assert "broken \u2039U+D800\u203a half" in data["texts"]
    assert "\u202e" not in text
    # In the list of what failed too.
    assert HOSTILE[1] in page.texts


def test_the_page_can_be_written_as_utf8(tmp_path: Path) -> None:
    span = make("x", None, "\ud800", 0, 1, value="\udfff")
    span.events.append(Event("\udc80", span.start_ns, {"\ud800": ["\ud800"]}))
    (tmp_path / "report.html").write_text(page_html([span], title="\ud800", generated_at=NOW), encoding="utf-8")


def test_the_header_says_how_it_went(page: Page) -> None:
    text = re.sub(r"\s+", " ", " ".join(page.texts))
    for expected in (
        "Failed",
        "app-build #42",
        "5 min 21 s",
        "2025-03-05 15:30:09 UTC",
        "What failed",
        "Connection refused",
    ):
        assert expected in text
    assert {"lang": "en"} in [attrs for tag, attrs in page.elements if tag == "html"]


def test_where_nothing_failed_one_calm_line_says_so() -> None:
    text = " ".join(Page(page_html([make("x", None, "one", 0, 1)], title="t", generated_at=NOW)).texts)
    assert "Nothing failed." in text
    assert "What failed" not in text


def test_what_was_cancelled_is_listed_where_nothing_failed() -> None:
    span = make("x", None, "one", 0, 1, cicd_pipeline_result="cancellation")
    page = Page(page_html([span], title="t", generated_at=NOW))
    assert "Nothing failed. These were cancelled" in page.texts
    assert [attrs["data-jump"] for _, attrs in page.elements if "data-jump" in attrs] == ["0"]


def test_the_list_of_failures_is_bounded_and_says_what_it_leaves_out() -> None:
    spans = [make("root", None, "root", 0, 9)]
    for number in range(70):
        spans.append(make(f"f{number}", "root", f"f{number}", 0, 1))
        spans[-1].fail()
    page = Page(page_html(spans, title="t", generated_at=NOW))
    assert sum("data-jump" in attrs for _, attrs in page.elements) == 50
    assert any("and 20 more" in text for text in page.texts)


def test_without_spans_the_page_says_so() -> None:
    assert "There are no spans." in Page(page_html([], title="none", generated_at=NOW)).texts


def test_open_spans_reach_to_the_moment_of_the_report() -> None:
    span = make("x", None, "one", 0, None)
    data = data_of(Page(page_html([span], title="t", generated_at=NOW)))
    assert data["rows"][0][5] is None
    assert data["origin"] + data["extent"] == NOW.timestamp() * 1_000_000
    # A clock that is behind the span's moves neither end of the axis.
    early = datetime(2020, 1, 1, tzinfo=timezone.utc)
    assert data_of(Page(page_html([span], title="t", generated_at=early)))["extent"] == 0


def test_times_beyond_the_calendar_do_not_stop_the_report() -> None:
    span = make("x", None, "one", 0, 1)
    span.start_ns, span.end_ns = 10**30, 10**30 + 5
    assert "one" in page_html([span], title="t", generated_at=NOW)


def test_attribute_values_of_all_kinds_are_texts() -> None:
    span = make("x", None, "one", 0, 1, flag=True, number=3, ratio=float("nan"), several=["a", 2])
    data = data_of(Page(page_html([span], title="t", generated_at=NOW)))
    texts, flat = data["texts"], data["rows"][0][15]
    values = dict(zip((texts[key] for key in flat[::2]), flat[1::2], strict=True))
    assert texts[values["flag"]] == "true"
    assert texts[values["number"]] == "3"
    assert texts[values["ratio"]] == "nan"
    assert [texts[item] for item in values["several"]] == ["a", "2"]


def test_10000_spans_weigh_at_most_3_megabytes() -> None:
    assert len(page_html(many(10_000), title="many", generated_at=NOW).encode()) <= 3_000_000


def test_the_first_screen_says_whose_it_is_and_whether_it_can_be_deployed() -> None:
    spans, headline, history = story()
    page = Page(page_html(spans, title="t", generated_at=NOW, headline=headline, history=history))
    text = re.sub(r"\s+", " ", " ".join(page.texts))
    for expected in (
        "Ops should look first",
        "host unreachable",
        "93 % sure",
        "web3: Connection refused",
        "Ops looks at web3.",
    ):
        assert expected in text
    assert "Can it be deployed? no: staging failed 3 times with the same error" in text
    for expected in ("not reached", "failed 3 times", "waited 1 min 01 s for a person (mara)"):
        assert expected in text
    assert text.index("Ops should look first") < text.index("What failed") < text.index("Where the time went")
    assert addresses(page) == [
        "https://ci.example.org/job/app-build/42/",
        "https://git.example.org/shop/app",
        # Since when it fails, since when it is green again, what was green before, and what changed.
        *(f"https://ci.example.com/job/shop-deploy/{number}/" for number in (11, 14, 10)),
        f"https://github.com/acme/shop/compare/{accounts.GREEN}...{accounts.BROKEN}",
        "https://ci.example.org/job/app-build/42/",
    ]


def test_what_is_not_known_is_not_shown(page: Page) -> None:
    text = " ".join(page.texts)
    for absent in ("should look first", "Can it be deployed", "The path to production", "usual time", "flaky"):
        assert absent not in text


def test_hostile_verdicts_paths_and_logs_are_text() -> None:
    for text in HOSTILE:
        span = make("x", None, text, 0, 1, jenkins_type="run")
        span.attributes["jenkins.log"] = f"{text}\n{text}"
        span.fail("no")
        step = {"step": text, "state": text, "last": {"run": text, "url": text}}
        path = {
            "answer": {"answer": text, "reason": text, "next": text},
            "services": [{"service": text, "steps": [step]}] * 2,
            "notes": [text],
        }
        headline = Headline(Verdict(text, text, 0.5, [text], text), path)
        page = Page(page_html([span], title="t", generated_at=NOW, headline=headline))
        assert not any(tag == "img" or "onerror" in attrs or "onload" in attrs for tag, attrs in page.elements)
        assert addresses(page) == []
        assert len(page.blocks) == 3


def test_the_end_of_a_log_is_shown_and_its_lines_are_kept() -> None:
    spans, _, _ = story()
    page = page_html(spans, title="t", generated_at=NOW)
    assert "The end of its log" in page
    assert "line 28 of the journal\nline 29 of the journal</pre>" in page


def test_usual_times_stand_beside_the_stages_and_slow_ones_are_named() -> None:
    spans, _, history = story()
    page = Page(page_html(spans, title="t", generated_at=NOW, history=history))
    text = re.sub(r"\s+", " ", " ".join(page.texts))
    assert "1 slower than usual" in text
    assert "1 min 16 s slow 1 min 00 s 1 min 10 s 14" in text
    data = data_of(page)
    names = [data["texts"][row[1]] for row in data["rows"]]
    assert [names[at] for at in data["usual"][::4]] == ["Checkout", "Unit test"]
    assert [names[at] for at in data["flaky"]] == ["Unit test"]
    assert [names[at] for at in data["attempts"][::2]] == ["make lint"]


def test_each_row_has_a_side_and_the_critical_path_is_embedded(page: Page) -> None:
    data = data_of(page)
    names = [data["texts"][row[1]] for row in data["rows"]]
    sides = dict(zip(names, data["sides"], strict=True))
    assert (sides["RUN app-build"], sides["Schedule"], sides["make test"]) == ("b", "o", "d")
    on_path = {names[at] for at in data["critical"][::2]}
    assert "make test" in on_path
    assert "make lint" not in on_path


def test_10000_spans_with_logs_weigh_at_most_3_megabytes() -> None:
    spans = many(10_000)
    for number, span in enumerate(span for span in spans if span.status_code == "ERROR"):
        span.attributes["jenkins.log"] = "\n".join(
            f"{number} line {n} of a log of some length, as logs are" for n in range(100)
        )
    assert len(page_html(spans, title="many", generated_at=NOW, headline=Headline(None, PATH)).encode()) <= 3_000_000


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_keep_to_wcag_aa(scheme: int) -> None:
    css = Path(html.__file__).with_name("templates").joinpath("report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[scheme]))
    backgrounds = ("bg", "surface", "hover", "selected")
    texts = [(text, back) for text in ("text", "muted", "accent") for back in backgrounds]
    texts += [("fail", "fail-bg"), ("fail", "surface"), ("fail", "hover"), ("warn", "warn-bg"), ("warn", "surface")]
    texts += [("good", "surface"), ("text", "mark")]
    for text, back in texts:
        assert contrast(colours[text], colours[back]) >= 4.5, (text, back)
    for mark in ("run", "stage", "step", "wait", "playbook", "play", "task", "host", "fail", "edge"):
        for back in ("surface", "hover", "selected"):
            assert contrast(colours[mark], colours[back]) >= 3, (mark, back)


@pytest.mark.parametrize(
    ("gone", "opened", "said"),
    [
        (
            "run",
            "",
            ["Incomplete", "Nothing failed so far.", "What is around this span has not arrived", "The last span ended at"],
        ),
        ("", "run", ["Running", "Running since", "Nothing failed so far."]),
    ],
)
def test_what_runs_or_is_half_here_has_not_succeeded(gone: str, opened: str, said: list[str]) -> None:
    spans = [make("run", None, "RUN app", 0, 60, jenkins_type="run", cicd_pipeline_result="success")]
    spans.append(make("s", "run", "Test", 1, 59, jenkins_type="stage", cicd_pipeline_task_run_result="success"))
    for span in spans:
        if opened and span.name == "RUN app":
            span.end_ns = 0
            del span.attributes["cicd.pipeline.result"]
    page = Page(page_html([span for span in spans if not (gone and span.name == "RUN app")], title="t", generated_at=NOW))
    text = " ".join(page.texts)
    assert [part for part in said if part not in text] == []
    assert "Succeeded" not in text
    assert "Nothing failed." not in text
