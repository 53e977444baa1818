"""Requests whose words are fields of a form: clickhouse-connect sends long parameters so."""

from __future__ import annotations

from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP

from .errors import Refusal

# ClickHouse's http_max_field_value_size.
_LONGEST = 128 << 10


def fields(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return the fields of a form; none where the body is no form. Raises Refusal."""
    kind = headers.get("Content-Type", "")
    if not kind.startswith("multipart/form-data"):
        return {}
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    found: dict[str, str] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True)
        if len(value) > _LONGEST:
            raise Refusal(
                f"Code: 1000. DB::Exception: HTML Form Exception: Field value of {name} too long. (POCO_EXCEPTION)"
            )
        found[str(name)] = value.decode()
    return found
