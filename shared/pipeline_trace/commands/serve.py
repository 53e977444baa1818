"""`pipeline-trace serve`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..delivery import home
from ..figures.cost import Prices, prices_of
from ..notify.settings import ADDRESS, ADDRESS_FILE, SettingsError, from_environment
from ..serve.trusted import TrustedHeader, trusted_header
from . import fail, parsed, reading
from .units import age_seconds, size_bytes

if TYPE_CHECKING:
    from ..serve.guard import AccessRules
    from ..serve.run import Listening

TOKEN = "PIPELINE_TRACE_SERVE_TOKEN"
_LEAST_TOKEN = 16


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4318,
    show_default=True,
    help="The port for OTLP over HTTP and for the web pages. 0: any free port.",
)
@click.option(
    "--grpc-port",
    type=click.IntRange(0, 65535),
    default=4317,
    show_default=True,
    help="The port for OTLP over gRPC. 0: any free port.",
)
@click.option(
    "--keep",
    callback=parsed(age_seconds),
    default="30d",
    show_default=True,
    metavar="AGE",
    help="How long to keep a trace after its last span arrived, for example 12h, 30d or 8w.",
)
@click.option(
    "--keep-size",
    callback=parsed(size_bytes),
    default="2G",
    show_default=True,
    metavar="SIZE",
    help="The largest size of the store, for example 500M or 2G. If it is larger, serve removes the oldest traces.",
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"A file with the token that clients must send, instead of {TOKEN}.",
)
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="Another host name that clients use for this server. Repeatable."
)
@click.option(
    "--trust-user-header",
    metavar="NAME",
    help="The header in which a proxy names the person that it has logged in. People need no token then; spans do.",
)
@click.option(
    "--trust-from",
    multiple=True,
    metavar="CIDR",
    help="A network from which this header counts, such as 10.1.2.0/24: the proxy's. Repeatable.",
)
@click.option(
    "--cost",
    "prices",
    multiple=True,
    callback=parsed(prices_of),
    metavar="LABEL=PRICE/min",
    help="What an executor of agents with this label costs, for example linux=0.12/min or 'linux && docker=7.20 EUR/h'. "
    "Repeatable. '*' stands for any text: '*=0.05/min' for all other labels.",
)
@reading.source_option
def command(
    host: str,
    port: int,
    grpc_port: int,
    keep: float,
    keep_size: int,
    token_file: Path | None,
    allow_host: tuple[str, ...],
    trust_user_header: str | None,
    trust_from: tuple[str, ...],
    prices: Prices,
    source: str,
) -> None:
    """Receive spans over OTLP, and show traces in a browser.

    Writes the spans into this machine's store. Runs until the signal TERM or INT.

    By default, serve accepts connections from this machine only. Another --host needs a token, from
    PIPELINE_TRACE_SERVE_TOKEN or --token-file. OTLP clients send it as
    OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20TOKEN"; people use it to log in with the browser.

    Instead of the token, pages can have the login of a proxy in front of them: --trust-user-header and --trust-from.

    With --from, serve only shows the traces of ClickHouse: it takes no spans, and several may run behind a load balancer.
    """
    # By default, gRPC writes to stderr between our own lines. It reads this variable when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # Imported here: the web server and gRPC are large, and other commands must start fast.
    from ..serve import guard, retention
    from ..serve.run import ServeSettings, run

    token, trusted = _token(token_file), _trusted(trust_user_header, trust_from)
    if not guard.is_loopback(host):
        if not token and not trusted:
            raise fail(
                f"--host {host} lets other machines connect, which needs a token: set {TOKEN} or --token-file; "
                "or a proxy that logs people in: --trust-user-header and --trust-from"
            )
        said = f"warning: other machines can connect to {host}, without encryption: {_risk(token)}"
        click.echo(f"pipeline-trace: {said}", err=True)
    if source:
        _show(source, host, port, guard.rules(host, token, allow_host, trusted), prices)
        return
    try:
        notify = from_environment(os.environ)
    except SettingsError as error:
        notify = None
        click.echo(f"pipeline-trace: no failures are told: {error}", err=True)
    kept = retention.Keep(keep, keep_size)
    settings = ServeSettings(host, port, grpc_port, kept, token, allow_host, notify, trusted, prices=prices)
    place = home.find_home(os.environ)
    if place.warning:
        click.echo(f"pipeline-trace: {place.warning}", err=True)
    run(place, settings, _say)


def _show(source: str, host: str, port: int, rules: AccessRules, prices: Prices) -> None:
    """Show the traces of a source until a signal."""
    from ..serve import replica

    def say(url: str) -> None:
        click.echo(f"traces:    {url}/")
        click.echo(f"source:    {source}")

    if os.environ.get(ADDRESS) or os.environ.get(ADDRESS_FILE):
        said = "no failures are told: with --from, serve takes nothing in; let the poller tell them"
        click.echo(f"pipeline-trace: {said}", err=True)
    replica.run(replica.ReplicaSettings(source, host, port, rules, prices), os.environ, say)


def _token(path: Path | None) -> str:
    token = (path.read_text(encoding="utf-8") if path else os.environ.get(TOKEN, "")).strip()
    if (token or path) and len(token) < _LEAST_TOKEN:
        source = path or TOKEN
        raise fail(f"the token in {source} is shorter than {_LEAST_TOKEN} characters; make one with: openssl rand -hex 24")
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise fail("the token has characters that an HTTP header cannot carry; make one with: openssl rand -hex 24")
    return token


def _trusted(name: str | None, networks: tuple[str, ...]) -> TrustedHeader | None:
    if name is None and not networks:
        return None
    if name is None or not networks:
        raise click.UsageError(
            "--trust-user-header and --trust-from go together: the header in which your proxy names the person, and the "
            "network from which the proxy connects."
        )
    try:
        return trusted_header(name, networks)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None


def _risk(token: str) -> str:
    if token:
        return "anyone who sees the traffic sees the token; put a TLS proxy in front, or use only a trusted network"
    return "anyone who sees the traffic sees the pages; let only the proxy connect"


def _say(listening: Listening) -> None:
    click.echo(f"traces:    {listening.url}/")
    click.echo(f"OTLP/HTTP: {listening.url}")
    click.echo(f"OTLP/gRPC: http://{listening.grpc}")
    click.echo(f"store:     {listening.store}")
