"""Reads the settings of the notifier from the environment. The webhook's address is a secret: nothing here shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ..trace.files import read_regular

ADDRESS = "PIPELINE_TRACE_NOTIFY"
ADDRESS_FILE = "PIPELINE_TRACE_NOTIFY_FILE"
FORM = "PIPELINE_TRACE_NOTIFY_FORM"
TEMPLATE = "PIPELINE_TRACE_NOTIFY_TEMPLATE"

SLACK, TEAMS, JSON = "slack", "teams", "json"
FORMS = (SLACK, TEAMS, JSON)
# Hosts of webhooks, each with its form. A dot before a name: any host below it.
_HOSTS = {
    "hooks.slack.com": SLACK,
    "hooks.slack-gov.com": SLACK,
    ".webhook.office.com": TEAMS,
    ".logic.azure.com": TEAMS,
    ".api.powerplatform.com": TEAMS,
}
_MOST_ADDRESS = 8 << 10
_MOST_TEMPLATE = 64 << 10
# A part of an address that is as long as this may be the secret in it.
_LEAST_SECRET = 8
_HIDDEN = "[the webhook's address]"


class SettingsError(Exception):
    """A setting is wrong. The message is one line that names the variable; it never has the address."""


@dataclass(frozen=True)
class Webhook:
    """Where messages go. ``address``: the secret. ``source``: the variable or the file that has it, for people."""

    address: str = field(repr=False)
    source: str

    @property
    def host(self) -> str:
        """Return the host of the address. It is all that people see of it."""
        return urlsplit(self.address).hostname or ""

    @property
    def secrets(self) -> list[str]:
        """Return the texts that no log may have, the longest first: the address, its path, and the parts of that."""
        parts = urlsplit(self.address)
        asked = f"{parts.path}?{parts.query}" if parts.query else parts.path
        pieces = re.split(r"[/?&=]", asked)
        # Not words such as "services", which other lines have too.
        secret = (piece for piece in pieces if len(piece) >= _LEAST_SECRET and not re.fullmatch("[a-z]+", piece))
        found = {self.address, asked, parts.username or "", parts.password or "", *secret} - {"", "/"}
        return sorted(found, key=len, reverse=True)

    def hidden(self, text: str) -> str:
        """Return a text without the address and its secret parts."""
        for secret in self.secrets:
            text = text.replace(secret, _HIDDEN)
        return text


@dataclass(frozen=True)
class Settings:
    """The settings. ``form``: one of FORMS. ``template``: the user's template, "" for the built-in form."""

    webhook: Webhook
    form: str
    template: str = ""

    @property
    def said(self) -> str:
        """Return where messages go, for people."""
        return f"a webhook of {self.webhook.host} ({self.form}, from {self.webhook.source})"


def from_environment(environ: Mapping[str, str]) -> Settings | None:
    """Return the settings; None if no webhook is set. Raises SettingsError."""
    webhook = _webhook(environ)
    if webhook is None:
        return None
    form = environ.get(FORM, "").strip().lower() or form_of_host(webhook.host)
    if form not in FORMS:
        raise SettingsError(f"{FORM} is not one of {', '.join(FORMS)}")
    return Settings(webhook, form, _template(environ))


def form_of_host(host: str) -> str:
    """Return the form of the messages that a webhook's host understands: JSON, if the host is not a known one."""
    for known, form in _HOSTS.items():
        if host == known or (known.startswith(".") and host.endswith(known)):
            return form
    return JSON


def _webhook(environ: Mapping[str, str]) -> Webhook | None:
    address, file = environ.get(ADDRESS, "").strip(), environ.get(ADDRESS_FILE, "")
    if address and file:
        raise SettingsError(f"both {ADDRESS} and {ADDRESS_FILE} are set; unset one of them")
    if file:
        address = _text(file, ADDRESS_FILE, _MOST_ADDRESS).strip()
    elif not address:
        return None
    source = ADDRESS_FILE if file else ADDRESS
    if not _is_address(address):
        raise SettingsError(f"{source} has no address of a webhook; it looks like https://HOST/PATH, on one line")
    return Webhook(address, source)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        # Reading the port checks it.
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and text.isprintable()
            and " " not in text
        )
    except ValueError:
        return False


def _template(environ: Mapping[str, str]) -> str:
    file = environ.get(TEMPLATE, "")
    return _text(file, TEMPLATE, _MOST_TEMPLATE) if file else ""


def _text(file: str, variable: str, most: int) -> str:
    try:
        return read_regular(Path(file), most).decode("utf-8")
    except OSError as error:
        raise SettingsError(f"cannot read {file}, which {variable} names: {error.strerror}") from None
    except ValueError:
        raise SettingsError(f"cannot read {file}, which {variable} names: it is not UTF-8 text") from None
