"""Sends one message to a webhook. What it says of an error has no address."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from ..delivery.destinations import answers, deadline, transport
from ..trace import network
from .settings import Webhook

_SECONDS = 10.0
# These statuses are about the message, not about the webhook: another message may be accepted.
_UNFIT = (400, 413, 422)


@dataclass(frozen=True)
class Answer:
    """What became of a message. ``problem``: "" if it has arrived. ``wait``: the seconds that the webhook asks for, or None.

    ``unfit``: the webhook does not accept this message.
    """

    problem: str = ""
    wait: float | None = None
    unfit: bool = False


def send(webhook: Webhook, body: Any, environ: Mapping[str, str], seconds: float = _SECONDS) -> Answer:
    """Send a body as JSON, once. ``seconds``: until the whole answer must be here."""
    until = time.monotonic() + seconds
    try:
        with requests.Session() as session:
            # The proxies and certificates are those of the poller, and no login comes from ~/.netrc.
            session.trust_env = False
            session.proxies.update(network.proxies(webhook.address, environ))
            session.verify = network.certificates(environ) or True
            for scheme in ("http://", "https://"):
                session.mount(scheme, deadline.adapter(lambda: until))
            headers = {"Content-Type": "application/json"}
            data = json.dumps(body, allow_nan=False).encode("ascii")
            with session.post(
                webhook.address, data, headers=headers, timeout=seconds, allow_redirects=False, stream=True
            ) as answer:
                return _said(answer)
    except (requests.RequestException, OSError, ValueError) as error:
        return Answer(webhook.hidden(transport.reason_of(error)))


def _said(answer: requests.Response) -> Answer:
    if 200 <= answer.status_code < 300:
        return Answer()
    wait = answers.retry_after(answer.headers.get("Retry-After") or "", time.time())
    return Answer(f"it answered {answer.status_code}", wait, answer.status_code in _UNFIT)
