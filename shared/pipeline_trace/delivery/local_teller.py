"""Tells the `serve` of this machine of open spans, where spans are delivered into the store that it shows."""

from __future__ import annotations

from collections.abc import Sequence

from ..trace.span import Span
from . import listening
from .destinations import Teller
from .home import Home


class LocalTeller:
    """See Teller. `serve` may start, stop and start again at another port while this is used."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._url = ""
        self._teller: Teller | None = None

    @property
    def wanted(self) -> bool:
        """See Teller.wanted. It is what the last ``tell`` found."""
        return bool(self._url)

    def tell(self, spans: Sequence[Span], every: float) -> bool:
        """See Teller.tell. Raises SetupError."""
        url = listening.url_of(self._home)
        if url != self._url:
            self.close()
            self._url, self._teller = url, _teller_of(url) if url else None
        if self._teller and spans:
            self._teller.tell(spans, every)
        return True

    def close(self) -> None:
        """See Teller.close."""
        if self._teller:
            self._teller.close()


def _teller_of(url: str) -> Teller:
    from .destinations.otlp_logs import OtlpLogs

    # Not the variables of this process: they are for other receivers. Where `serve` wants a token, it gets none from here.
    return OtlpLogs(
        {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{url}/v1/logs", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/protobuf"}
    )
