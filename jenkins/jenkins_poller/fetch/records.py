"""The base of typed records: what an answer of the controller says, with a default for all that is missing or odd."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, field_validator

from .times import LATEST_MS


class Record(BaseModel):
    """A JSON object. A field of a wrong type has its default, so that one odd value does not hide the rest."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _lenient(cls, value: Any, handler: Callable[[Any], Any], info: Any) -> Any:
        try:
            return handler(value)
        except ValidationError:
            return cls.model_fields[info.field_name].get_default(call_default_factory=True)


Some = TypeVar("Some", bound=Record)


def record(kind: type[Some], answer: object) -> Some:
    """Return the record of an answer; one of defaults if it is no JSON object."""
    return kind.model_validate(answer if isinstance(answer, Mapping) else {})


def records(kind: type[Some], answer: object) -> list[Some]:
    """Return the records of a list, without what is no JSON object; an empty list if it is no list."""
    return [record(kind, item) for item in objects(answer)]


def objects(answer: object) -> list[Mapping[str, Any]]:
    """Return the JSON objects of a list; an empty list if it is no list."""
    return [item for item in answer if isinstance(item, Mapping)] if isinstance(answer, list | tuple) else []


def _whole(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LATEST_MS < value < LATEST_MS:
        raise ValueError("no number")
    return int(value)


def _identifier(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("no identifier")
    return str(value)


# A number; a fraction is cut off. NaN, infinity and what no clock can show are odd values.
Whole = Annotated[int, BeforeValidator(_whole)]
# A node's id: digits, as a text or as a number.
NodeId = Annotated[str, BeforeValidator(_identifier)]
