# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Reads the callback's options, and describes the Ansible command that it runs in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import core

c = core.conventions

# The option for each attribute of a deploy.
_DEPLOYMENT = {
    c.DEPLOYMENT_ENVIRONMENT: "deployment_environment",
    c.DEPLOYMENT_NAME: "deployment_name",
    c.VCS_HEAD_REVISION: "revision",
    c.ARTIFACT_VERSION: "version",
}


@dataclass(frozen=True)
class Command:
    """The Ansible command: its playbooks, inventories and options. All fields are empty if a program uses Ansible's API."""

    playbooks: Sequence[str] = ()
    inventories: Sequence[str] = ()
    check_mode: bool = False
    module: str | None = None


DETAILS = ("host", "task", "play")
_FLUSH_LIMIT = 5.0


@dataclass(frozen=True)
class Settings:
    """The callback's options. ``flush_limit``: seconds. ``deployment``: option values by attribute name.

    ``warnings``: a line for each option whose value is wrong, and so is not used.
    """

    endpoint: str
    protocol: str
    traceparent: str
    service_name: str
    trace_per: str
    detail: str
    propagate: bool
    messages: bool
    task_arguments: bool
    trace_url: str
    flush_limit: float
    quiet: bool
    enabled_by: str
    deployment: Mapping[str, str]
    warnings: Sequence[str] = ()

    @classmethod
    def read(cls, option: Callable[[str], Any]) -> Settings:
        """Return the settings from Ansible's options. ``option``: the callback's get_option."""

        def text(name: str) -> str:
            return str(option(name) or "").strip()

        warnings = []
        detail = text("detail") or DETAILS[0]
        if detail not in DETAILS:
            warnings.append(f"the option detail={detail} is not valid; using {DETAILS[0]}. Set it to {', '.join(DETAILS)}")
            detail = DETAILS[0]
        try:
            flush_limit = max(float(text("flush_limit") or _FLUSH_LIMIT), 0.0)
        except ValueError:
            given, flush_limit = text("flush_limit"), _FLUSH_LIMIT
            warnings.append(f"the option flush_limit={given} is not a number of seconds; using {flush_limit:g}")
        return cls(
            endpoint=text("endpoint"),
            protocol=text("protocol"),
            traceparent=text("traceparent"),
            service_name=text("service_name"),
            trace_per=text("trace_per"),
            detail=detail,
            propagate=bool(option("propagate")),
            messages=not option("hide_messages"),
            task_arguments=bool(option("task_arguments")),
            trace_url=text("trace_url"),
            flush_limit=flush_limit,
            quiet=bool(option("quiet")),
            enabled_by=text("enable_from_environment"),
            deployment={attribute: text(name) for attribute, name in _DEPLOYMENT.items()},
            warnings=tuple(warnings),
        )

    def environ(self, environ: Mapping[str, str], variables: Mapping[str, Any]) -> dict[str, str]:
        """Return a copy of the environment, updated with the options and extra variables.

        Extra variables override the environment, which overrides ini files. Ansible itself resolves the last two.
        """
        found = dict(environ)
        endpoint = variables.get("pipeline_trace_endpoint")
        if endpoint:
            found.pop("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", None)
        given = {
            core.w3c.TRACEPARENT: variables.get("pipeline_trace_traceparent") or self.traceparent,
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint or self.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": self.protocol,
            "OTEL_SERVICE_NAME": self.service_name if self.service_name != "ansible" else "",
        }
        found.update({name: str(value) for name, value in given.items() if value})
        return found
