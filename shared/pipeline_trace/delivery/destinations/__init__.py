"""Where spans are delivered: an OTLP receiver, else the local store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...trace.span import Span


class DeliveryError(Exception):
    """A batch was not accepted; it may be tried again later.

    ``refused``: nobody takes anything there now, so that trying again at once is no use. ``unfit``: the receiver says that
    what it was sent is wrong or too large, so that sending the same again is no use.
    """

    def __init__(self, message: str, *, refused: bool = False, unfit: bool = False) -> None:
        super().__init__(message)
        self.refused = refused
        self.unfit = unfit


class SetupError(Exception):
    """The destination cannot work as it is set up. The message says what to do."""


@dataclass(frozen=True)
class Accepted:
    """A batch that was accepted, but for so many spans, which the receiver rejected for good, and why it says so.

    OTLP's partial success: nothing of it may be sent again.
    """

    rejected: int = 0
    reason: str = ""


class Destination(Protocol):
    """Somebody who takes spans."""

    name: str

    def deliver(self, spans: Sequence[Span], timeout: float) -> Accepted:
        """Deliver a batch within ``timeout`` seconds, trying again as long as that makes sense.

        Raises DeliveryError, SetupError.
        """

    def close(self) -> None:
        """Let go of connections."""


def traces_endpoint(environ: Mapping[str, str]) -> str:
    """Return the OTLP endpoint that the standard variables set, or nothing."""
    specific = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip()
    return specific or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()


def metrics_endpoint(environ: Mapping[str, str]) -> str:
    """Return where metrics go by the standard variables; nothing where they are off or no endpoint is set."""
    off = (
        environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        or environ.get("OTEL_METRICS_EXPORTER", "").strip().lower() == "none"
    )
    specific = environ.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "").strip()
    return "" if off else specific or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()


def is_disabled(environ: Mapping[str, str]) -> bool:
    """Tell whether the standard variables ask that nothing be emitted."""
    return (
        environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        or environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    )


def configured_destination(environ: Mapping[str, str], store: Path) -> Destination:
    """Return the destination that the environment asks for: OTLP where an endpoint is set, else the store.

    Raises SetupError.
    """
    # Imported where needed: the SDK is large, and a machine without it can still use the store.
    if traces_endpoint(environ):
        from .otlp import Otlp

        return Otlp(environ)
    from .store import Store

    return Store(store)
