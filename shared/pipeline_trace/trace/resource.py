"""Reads resource attributes from the standard variables OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from . import masking
from .conventions import SERVICE_NAME
from .span import AttributeValue


def from_environment(environ: Mapping[str, str], service_name: str) -> dict[str, AttributeValue]:
    """Return the attributes that the environment sets, masked. ``service_name`` is the default for ``service.name``.

    Entries of OTEL_RESOURCE_ATTRIBUTES that are not ``key=value`` are ignored, as the OpenTelemetry specification requires.
    """
    found: dict[str, AttributeValue] = {SERVICE_NAME: masking.masked(service_name)}
    for entry in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        name, equals, value = entry.partition("=")
        if equals and name.strip():
            name, value = masking.named(name.strip(), unquote(value.strip()))
            found[name] = value
    if environ.get("OTEL_SERVICE_NAME", "").strip():
        found[SERVICE_NAME] = masking.masked(environ["OTEL_SERVICE_NAME"].strip())
    return found
