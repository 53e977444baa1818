"""Names of attributes and metrics stand in trace/conventions.py alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT

from pipeline_trace.trace import conventions

CONVENTIONS = ROOT / "shared/pipeline_trace/trace/conventions.py"
COLLECTION = ROOT / "collections/ansible_collections/pipeline_trace/otel/plugins"
# A name, or a piece of one as f-strings have it: jenkins.queue. or ansible.task
NAME = re.compile(r"(?<![\w./@-])(?:jenkins|ansible|pipeline_trace|cicd|vcs|deployment)\.[a-z_]+(?:\.[a-z_]*)*")
# The same beginnings, but no names of attributes: what Ansible, Python and the internet call so.
OTHERS = re.compile(
    r"ansible\.(?:cfg|builtin\.\w+|legacy\.\w+|windows\.\w+)|jenkins\.example\.com|pipeline_trace\.otel(?:\.deploy_trace)?"
    r"|pipeline_trace\.(?:commands|checks|live|poll)"
)


def sources() -> list[Path]:
    """Return the product's own modules and the scripts and templates of its pages."""
    found = [path for folder in ("shared", "jenkins", "demo") for path in (ROOT / folder).rglob("*.py")]
    found += [path for folder in ("callback", "plugin_utils") for path in (COLLECTION / folder).glob("*.py")]
    found += [path for path in (ROOT / "shared").rglob("templates/*") if path.is_file()]
    return [path for path in found if path != CONVENTIONS]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each literal of a module, without docstrings; of another file, each line."""
    if path.suffix != ".py":
        yield from enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    # Documentation of Ansible's, which is read by people.
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            docstrings.add(id(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def names_in(text: str) -> list[str]:
    """Return the names of attributes in a text."""
    return [match[0] for match in NAME.finditer(text) if not OTHERS.fullmatch(match[0].rstrip("."))]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("jenkins.queue.", ["jenkins.queue."]),
        ('","ansible.host.name":', ["ansible.host.name"]),
        ("callbacks_enabled = pipeline_trace.otel.deploy_trace", []),
        ("https://jenkins.example.com/", []),
        ("in ansible.cfg:", []),
    ],
)
def test_what_is_taken_for_a_name(text: str, names: list[str]) -> None:
    assert names_in(text) == names


def test_no_name_of_an_attribute_stands_outside_the_conventions() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources()
        for line, text in texts(path)
        for name in names_in(text)
    ]
    assert found == []


def test_every_name_stands_once() -> None:
    names = [value for value in vars(conventions).values() if isinstance(value, str) and NAME.fullmatch(value)]
    assert len(names) > 100
    assert len(names) == len(set(names))


def test_the_page_of_docs_tells_every_name() -> None:
    told = "".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("spans.md", "metrics.md"))
    names = [value for value in vars(conventions).values() if isinstance(value, str) and NAME.fullmatch(value)]
    assert [name for name in names if name not in told and name.rpartition(".")[2] not in told] == []
