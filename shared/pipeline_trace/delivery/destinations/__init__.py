"""Chooses where spans are delivered: to an OTLP receiver if an endpoint is set, else to the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...trace.span import Span


class DeliveryError(Exception):
    """A batch was not delivered. A later retry is possible.

    ``refused``: the destination accepts nothing now, so no other batch can be delivered either. ``unfit``: the receiver says
    that the batch is invalid, so a retry with the same batch does not help. ``too_large``: smaller batches may be accepted.
    ``foreign``: something else than an OTLP receiver answered, so the batch may have arrived or not. ``unwanted``: the
    receiver takes no such requests, whatever is in them. ``passing``: an early retry may help. ``wait``: the seconds that
    the receiver asks for before a retry.
    """

    def __init__(
        self,
        message: str,
        *,
        refused: bool = False,
        unfit: bool = False,
        too_large: bool = False,
        foreign: bool = False,
        unwanted: bool = False,
        passing: bool = False,
        wait: float | None = None,
    ) -> None:
        super().__init__(message)
        self.refused = refused
        self.unfit = unfit
        self.too_large = too_large
        self.foreign = foreign
        self.unwanted = unwanted
        self.passing = passing
        self.wait = wait

    def prefixed(self, name: str) -> DeliveryError:
        """Return this error with the destination's name before its message."""
        self.args = (f"{name}: {self}",)
        return self


class SetupError(Exception):
    """The destination is not set up correctly. The message says what to do."""


@dataclass(frozen=True)
class Accepted:
    """The answer to an accepted batch: how many of its spans the receiver rejected, and the receiver's reason.

    If spans were rejected, this is a partial success in OTLP: no span of the batch may be sent again.
    """

    rejected: int = 0
    reason: str = ""


class Destination(Protocol):
    """A receiver or a store that accepts spans. ``name``: for messages, without secrets."""

    name: str

    def deliver(self, spans: Sequence[Span], timeout: float) -> Accepted:
        """Deliver a batch within ``timeout`` seconds. Raises DeliveryError, SetupError."""

    def close(self) -> None:
        """Close all connections."""


class Teller(Protocol):
    """Tells a receiver of open spans. Nothing of it is tried again, and no failure of it is said."""

    @property
    def wanted(self) -> bool:
        """Whether it may be worth to call ``tell``: False if the receiver is known to want nothing."""

    def tell(self, spans: Sequence[Span], every: float) -> bool:
        """Tell that these spans are open, within some seconds. Return whether to tell more in this run.

        ``every``: after so many seconds they are told again, if they are still open.
        """

    def close(self) -> None:
        """Close all connections, also from another thread while ``tell`` runs."""


# What `serve` answers to metrics. The poller knows it by this: nobody has to do anything about it.
ONLY_TRACES = "this server accepts only traces"
# A header of `serve`'s answers, or metadata over gRPC: it keeps open spans that are told as log records.
TAKES_OPEN = "pipeline-trace-open-spans"


def traces_endpoint(environ: Mapping[str, str], signal: str = "TRACES") -> str:
    """Return the OTLP endpoint for spans that the standard variables set; empty if none is set.

    ``signal``: TRACES, METRICS or LOGS, as in the variables' names.
    """
    specific = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "").strip()
    return specific or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()


def metrics_endpoint(environ: Mapping[str, str]) -> str:
    """Return the OTLP endpoint for metrics from the standard variables; empty if metrics are off or no endpoint is set."""
    off = (
        environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        or environ.get("OTEL_METRICS_EXPORTER", "").strip().lower() == "none"
    )
    return "" if off else traces_endpoint(environ, "METRICS")


def is_disabled(environ: Mapping[str, str]) -> bool:
    """Return whether the standard variables turn tracing off."""
    return (
        environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        or environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    )


def setup_warning(environ: Mapping[str, str]) -> str:
    """Return one line that says what is wrong with the variables and what they should be; empty if nothing is.

    It imports no package and asks no receiver, so it is cheap enough for the begin of a playbook.
    """
    if not traces_endpoint(environ):
        return ""
    from . import endpoint

    return endpoint.setup_warning(environ)


def configured_destination(environ: Mapping[str, str], store: Path) -> Destination:
    """Return the destination that the environment sets: OTLP if there is an endpoint, else the store.

    Raises SetupError if the variables are wrong or a package is missing.
    """
    # Imported here: the SDK is large, and a machine without it can still use the store.
    if traces_endpoint(environ):
        from .otlp import Otlp

        return Otlp(environ)
    from .store import Store

    return Store(store)


def logs_exporters(environ: Mapping[str, str]) -> list[str]:
    """Return the exporters for logs that the standard variable names, in lower case; "none" turns logs off."""
    return [name.strip() for name in environ.get("OTEL_LOGS_EXPORTER", "").lower().split(",")]


def configured_teller(environ: Mapping[str, str], destination: Destination) -> Teller | None:
    """Return what tells of open spans, or None if nobody is to be told: not where the store is the destination.

    By default it tells our own `serve` alone, where ``destination`` sends to. Raises SetupError as configured_destination.
    """
    exporters = logs_exporters(environ)
    if not traces_endpoint(environ) or "none" in exporters:
        return None
    from .otlp import Otlp
    from .otlp_logs import OtlpLogs

    if "otlp" in exporters and traces_endpoint(environ, "LOGS"):
        return OtlpLogs(environ)
    return OtlpLogs(environ, destination) if isinstance(destination, Otlp) else None
