"""Prepares what an account tells of spans: masked texts, and builds."""

from __future__ import annotations

from ...lookup.wording import visible
from ...trace.queries import build_name_of, revision_of, run_url_of
from ...trace.redact import masked
from ...trace.span import Span
from .record import Build


def clean(text: str) -> str:
    """Return a text in one line, with masked secrets and no invisible characters."""
    return visible(" ".join(masked(text).split()))


def build_of(run: Span) -> Build:
    """Return the build of a run span."""
    return Build(clean(build_name_of(run) or run.name), clean(run_url_of(run)), run.start_ns, clean(revision_of(run)))
