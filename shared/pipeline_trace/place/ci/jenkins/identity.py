"""Defines the identity of a Jenkins build (controller, job, number), and reads it from URLs."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ....trace.ids import span_id, trace_id


@dataclass(frozen=True)
class Build:
    """A build's identity. ``controller``: its root URL, normalised. ``job``: the full name, with folders."""

    controller: str
    job: str
    number: int

    @property
    def key(self) -> tuple[str, ...]:
        """Return the key that the build's ids follow from (see trace/ids.py)."""
        return ("jenkins", self.controller, self.job, str(self.number))

    @property
    def name(self) -> str:
        """Return the build's name as every command takes it: JOB#N."""
        return f"{self.job}#{self.number}"

    @property
    def trace_id(self) -> str:
        """Return the id of the trace if this build is the root of its chain."""
        return trace_id(self.key)

    @property
    def run_span_id(self) -> str:
        """Return the id of the build's run span."""
        return span_id(self.key)

    def span_id(self, *part: str) -> str:
        """Return the id of a span within the build, such as ``("stage", name, occurrence)``."""
        return span_id((*self.key, *part))


def normalised_url(url: str) -> str:
    """Return a controller's root URL with lower-case scheme and host, without default port and trailing slash.

    Raises ValueError if it is not an http or https URL.
    """
    wrong = ValueError(f"{url!r} is not an http(s) URL; use one such as https://jenkins.example.com/")
    try:
        parts = urlsplit(url.strip())
        number = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise wrong
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme.lower()]
    port = f":{number}" if number and number != default else ""
    return f"{parts.scheme.lower()}://{host.lower()}{port}{parts.path.rstrip('/')}"


def build_at(url: str) -> Build | None:
    """Return the build of a URL; None where it is no build's URL."""
    parts = build_url_parts(url)
    try:
        return Build(normalised_url(parts[0]), parts[1], parts[2]) if parts else None
    except ValueError:
        return None


def build_url_parts(url: str) -> tuple[str, str, int] | None:
    """Return the root URL, full job name and number from a build URL; None if it is not a build URL.

    Use this before JOB_NAME: the path of a URL is ASCII, but an agent in the C locale can damage JOB_NAME.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    segments = [segment for segment in parts.path.split("/") if segment]
    if not parts.hostname or not segments or not segments[-1].isdecimal():
        return None
    number = int(segments.pop())
    names: list[str] = []
    while len(segments) >= 2 and segments[-2] == "job":
        names.insert(0, unquote(segments.pop()))
        segments.pop()
    if not names:
        return None
    root = "".join(f"/{segment}" for segment in segments)
    return f"{parts.scheme}://{parts.netloc}{root}", "/".join(names), number
