"""Elements are made like new ones, and what is alike stays: the focus, a selection, open details, scrolled boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from support.report_pages import needs_chromium
from support.report_samples import HOSTILE

from pipeline_trace.report import html

pytestmark = [pytest.mark.process, needs_chromium]

SCRIPT = Path(html.__file__).with_name("templates") / "report-morph.js"
_MORPH = """([before, after, act]) => {
  document.body.innerHTML = `<div id="old">${before}</div>`;
  const old = document.getElementById("old");
  window.was = new Map([...old.querySelectorAll("*")].map((one) => [one, one.textContent]));
  if (act) eval(act);
  morph(old, new DOMParser().parseFromString(`<div id="old">${after}</div>`, "text/html").body.firstElementChild);
  return old.innerHTML;
}"""
Morph = Callable[..., str]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with closing(browser.new_context(offline=True)) as context:
        page = context.new_page()
        page.set_content("<body></body>")
        page.add_script_tag(content=SCRIPT.read_text(encoding="utf-8"))
        yield page


@pytest.fixture
def morphed(page: Page) -> Morph:
    """Make one content like another one; first do something with it, of which the script is told. Return what it is then."""
    return lambda before, after, act="": str(page.evaluate(_MORPH, [before, after, act]))


def ask(page: Page, words: str) -> Any:
    return page.evaluate(words)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "<p>new</p>"),
        ("<p>old</p>", ""),
        ("<p>old</p>", "<div>new</div>"),
        ("one <b>two</b> three", "<b>two</b> three <i>four</i>"),
        ("<p class='a' title='t'>x</p>", "<p class='b' lang='en'>y</p>"),
        ("<!-- a --><p>x</p>", "<p>x</p><!-- b -->"),
        ("<svg><use href='#a'></use></svg>", "<svg viewBox='0 0 1 1'><use href='#b'></use></svg>"),
        (
            "<ul><li data-key='a'>A</li><li data-key='b'>B</li></ul>",
            "<ul><li data-key='b'>B2</li><li data-key='c'>C</li></ul>",
        ),
        (
            "<ul><li data-key='a'>A</li><li data-key='b'>B</li></ul>",
            "<ul><li data-key='b'>B</li><li data-key='a'>A</li></ul>",
        ),
        (
            "<table><tbody><tr><td>1</td></tr></tbody></table>",
            "<table><tbody><tr><td>0</td></tr><tr><td>1</td></tr></tbody></table>",
        ),
        ("<button class='plain'>one</button>", "<button class='plain'>two</button>"),
        ("<input value='a' type='search'>", "<input value='b' type='search'>"),
    ],
)
def test_the_new_content_is_there(page: Page, morphed: Morph, before: str, after: str) -> None:
    wanted = morphed("", after)
    assert morphed(before, after) == wanted
    assert morphed(after, after) == wanted


LIST = "<ul>{}</ul>"
ITEM = "<li data-key='{0}'><button data-jump='{1}'>{0}</button></li>"


def test_what_has_the_focus_keeps_it_when_others_come_and_go_before_it(page: Page, morphed: Morph) -> None:
    before = LIST.format("".join(ITEM.format(name, at) for at, name in enumerate("abc")))
    after = LIST.format("".join(ITEM.format(name, at) for at, name in enumerate("nxc")))
    morphed(before, after, "window.button = old.querySelectorAll('button')[2]; window.button.focus()")
    assert ask(page, "window.button === document.activeElement")
    assert ask(page, "window.button.dataset.jump") == "2"
    assert ask(page, "[...document.querySelectorAll('li')].map(one => one.textContent).join('')") == "nxc"


def test_what_readers_open_and_scroll_stays(page: Page, morphed: Morph) -> None:
    style = "<style>pre { height: 40px; overflow: auto }</style>"
    log = "<pre>" + "line\n" * 50 + "</pre>"
    closed = f"{style}<details data-key='d'><summary>More</summary>{log}<p>1 s</p></details>"
    opened = closed.replace("<details", "<details open").replace("1 s", "2 s")
    morphed(closed, opened)
    assert not ask(page, "document.querySelector('details').open")
    morphed(
        closed,
        closed.replace("1 s", "2 s"),
        "old.querySelector('details').open = true; old.querySelector('pre').scrollTop = 200",
    )
    assert ask(page, "document.querySelector('details').open")
    assert ask(page, "document.querySelector('pre').scrollTop") == 200
    assert ask(page, "document.querySelector('p').textContent") == "2 s"
    # One that is new is as the server says.
    morphed("", opened)
    assert ask(page, "document.querySelector('details').open")


def test_a_selection_stays_where_its_text_stays(page: Page, morphed: Morph) -> None:
    morphed(
        "<p>so far <b>1 s</b></p><pre>an error of web3</pre>",
        "<p>so far <b>2 s</b></p><i>new</i><pre>an error of web3</pre>",
        "getSelection().selectAllChildren(old.querySelector('pre'))",
    )
    assert ask(page, "getSelection().toString()") == "an error of web3"


def test_what_is_alike_is_not_touched(page: Page, morphed: Morph) -> None:
    text = "<section><h2>One</h2><p class='x'>Two</p></section>"
    changed = (
        "new MutationObserver(() => window.touched = true).observe(old, {subtree: true, childList: true, attributes: true})"
    )
    morphed(text, text, f"window.touched = false; {changed}")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert ask(page, "window.touched") is False


def test_hostile_texts_stay_text(page: Page, morphed: Morph) -> None:
    for text in HOSTILE:
        safe = text.encode("utf-8", "replace").decode().replace("&", "&amp;").replace("<", "&lt;").replace("\0", "")
        morphed("<p>before</p>", f"<p>{safe}</p>")
        assert ask(page, "document.querySelectorAll('#old *').length") == 1


def test_a_button_that_says_that_it_copied_says_so_until_it_is_left(page: Page, morphed: Morph) -> None:
    copied = "const b = old.querySelector('button'); b.focus(); b.dataset.label = 'Copy'; b.textContent = 'Copied'"
    assert "Copied" in morphed("<button>Copy</button>", "<button title='t'>Copy</button>", copied)


def test_what_is_sorted_anew_stays_open(page: Page, morphed: Morph) -> None:
    item = "<li data-key='{0}'><details><summary>{0}</summary>text</details></li>"
    before, after = ("".join(item.format(name) for name in order) for order in ("abc", "cab"))
    morphed(f"<ul>{before}</ul>", f"<ul>{after}</ul>", "old.querySelectorAll('details')[2].open = true")
    assert ask(page, "[...document.querySelectorAll('details')].map(one => one.open)") == [True, False, False]
