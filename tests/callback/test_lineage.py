"""What a task is inside, read from objects as Ansible has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils import lineage
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils.notifiers import Notifiers

_numbers = count()


def new_uuid() -> str:
    """Return an id that nothing else has."""
    return f"uuid-{next(_numbers)}"


@dataclass(eq=False)
class Role:
    """A role."""

    name: str
    _uuid: str = field(default_factory=new_uuid)

    def get_name(self) -> str:
        """Return its name."""
        return self.name


@dataclass(eq=False)
class Block:
    """A block; Ansible's has no get_name."""

    name: str = ""
    _parent: Any = None
    _role: Any = None
    rescue: list[Any] = field(default_factory=list)
    _uuid: str = field(default_factory=new_uuid)


@dataclass(eq=False)
class Task:
    """A task."""

    name: str = "Task"
    _parent: Any = None
    _role: Any = None
    listen: Any = None
    _uuid: str = field(default_factory=new_uuid)

    def get_name(self, include_role_fqcn: bool = True) -> str:
        """Return its name as Ansible shows it."""
        role = f"collection.{self._role.name}" if include_role_fqcn and self._role else self._role and self._role.name
        return f"{role} : {self.name}" if role else self.name


@dataclass(eq=False)
class RoleTask(Task):
    """A task of a role that is in no collection."""

    def get_name(self, include_role_fqcn: bool = True) -> str:
        """Return its name as Ansible shows it."""
        return f"{self._role.name} : {self.name}"


@dataclass(eq=False)
class Include(Task):
    """An include or a static import, a task to Ansible."""

    statically_loaded: bool = False
    action: str = "ansible.builtin.include_tasks"


def told(task: Any) -> list[tuple[str, str]]:
    """Return kinds and names of what a task is inside."""
    return [(group.kind, group.name) for group in lineage.groups(task)]


def test_a_task_of_a_play_is_in_nothing() -> None:
    assert told(Task()) == []
    assert told(Task(_parent=Block())) == []


def test_named_blocks_nest_and_unnamed_ones_are_passed_over() -> None:
    outer = Block("Outer", Block())
    assert told(Task(_parent=Block("Inner", Block("", outer)))) == [("block", "Outer"), ("block", "Inner")]


def test_a_static_role_is_known_by_the_task_alone() -> None:
    role = Role("web")
    assert told(Task(_role=role, _parent=Block(_role=role))) == [("role", "web")]


def test_a_block_in_a_role_is_inside_the_role() -> None:
    role = Role("web")
    assert told(Task(_role=role, _parent=Block("Install", Block(_role=role), role))) == [
        ("role", "web"),
        ("block", "Install"),
    ]


def test_a_role_in_a_role_is_inside_it() -> None:
    outer, inner = Role("outer"), Role("inner")
    include = Include("Include role", Block(_role=outer), outer)
    task = Task(_role=inner, _parent=Block(_parent=include, _role=inner))
    assert told(task) == [("role", "outer"), ("include", "Include role"), ("role", "inner")]


def test_an_include_holds_what_it_brings_and_a_static_import_does_not() -> None:
    assert told(Task(_parent=Block(_parent=Include("Include it")))) == [("include", "Include it")]
    assert told(Task(_parent=Block(_parent=Include("Import it", statically_loaded=True)))) == []


def test_an_include_without_a_name_is_named_by_its_action() -> None:
    assert told(Task(_parent=Include(""))) == [("include", "ansible.builtin.include_tasks")]


def test_groups_of_equal_names_are_told_apart_by_their_ids() -> None:
    one, two = Role("same"), Role("same")
    (first,), (second,) = lineage.groups(Task(_role=one)), lineage.groups(Task(_role=two))
    assert (first.name, first.uuid == second.uuid) == (second.name, False)


@pytest.mark.parametrize(
    ("name", "role", "shown"),
    [
        ("Plain", None, "Plain"),
        ("  Spaces  ", None, "Spaces"),
        ("Install", Role("web"), "Install"),
        ("a : b", None, "a : b"),
    ],
)
def test_the_role_before_a_name_is_left_out(name: str, role: Role | None, shown: str) -> None:
    assert lineage.short_name(RoleTask(name, _role=role) if role else Task(name)) == shown


@pytest.mark.parametrize(
    ("value", "words"), [(None, []), ("", []), ("one", ["one"]), (["one", "two"], ["one", "two"]), (("one",), ["one"])]
)
def test_names_are_written_as_one_or_as_a_list(value: object, words: list[str]) -> None:
    assert list(lineage.words(value)) == words


def test_a_handler_is_notified_by_any_of_its_names() -> None:
    handler = Task("Restart", _role=Role("web"), listen="topic")
    assert lineage.handler_names(handler) == {"Restart", "web : Restart", "collection.web : Restart", "topic"}
    assert lineage.handler_names(Task("", listen=["a", "b"])) == {"a", "b"}


def test_a_handler_names_those_that_notified_it_since_it_ran_last() -> None:
    notifiers = Notifiers()
    notifiers.note(["Restart", "topic"], "First")
    notifiers.note(["Restart"], "Second")
    notifiers.note(["Restart"], "Second")
    assert notifiers.take("one", {"Restart", "web : Restart"}) == ["First", "Second"]
    # Another handler of the same topic still has its own.
    assert notifiers.take("two", {"topic"}) == ["First"]
    assert notifiers.take("one", {"Restart"}) == []
    notifiers.note(["Restart"], "Third")
    assert notifiers.take("one", {"Restart"}) == ["Third"]


def test_not_all_of_many_notifiers_are_named() -> None:
    notifiers = Notifiers()
    for number in range(1000):
        notifiers.note(["Restart"], f"Task {number}")
    assert notifiers.take("one", {"Restart"}) == [f"Task {number}" for number in range(20)]
