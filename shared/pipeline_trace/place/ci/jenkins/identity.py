"""A Jenkins build's identity: controller, job and number, and the URLs that name them.

Standard library only: this runs inside ansible-playbook.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ....trace.ids import span_id, trace_id


@dataclass(frozen=True)
class Build:
    """A build's identity. ``controller``: the configured root URL, normalised; ``job``: the full name."""

    controller: str
    job: str
    number: int

    @property
    def key(self) -> tuple[str, ...]:
        """Return the build's key."""
        return ("jenkins", self.controller, self.job, str(self.number))

    @property
    def name(self) -> str:
        """Return the build's name as every command takes it: JOB#N."""
        return f"{self.job}#{self.number}"

    @property
    def trace_id(self) -> str:
        """Return the id of the trace of which this build is the root."""
        return trace_id(self.key)

    @property
    def run_span_id(self) -> str:
        """Return the id of the build's run span."""
        return span_id(self.key)

    def span_id(self, *part: str) -> str:
        """Return the id of a span within the build, such as ``("stage", name, occurrence)``."""
        return span_id((*self.key, *part))


def normalised_url(url: str) -> str:
    """Return a controller's root URL in the one form: lower-case scheme and host, no default port, no trailing slash.

    Raises ValueError where it is no http(s) URL.
    """
    wrong = ValueError(f"{url!r} is no URL such as https://jenkins.example.com/")
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


def build_url_parts(url: str) -> tuple[str, str, int] | None:
    """Return the root URL, the full job name and the number of a build's URL; None where it is none.

    The path is ASCII, so it survives an agent in the C locale, which JOB_NAME does not.
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
