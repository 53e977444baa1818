"""Reads the variables for certificates and proxies that all programs share, and says which redirects are safe to follow.

What asks a controller from inside a build, the poller and `doctor` all ask this, so that they reach the same controller.
Does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit, urlunsplit

CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_PORTS = {"http": 80, "https": 443}


def certificates(environ: Mapping[str, str]) -> str:
    """Return the file or folder of trusted certificates; empty for the default ones."""
    return next((environ[name] for name in CERTIFICATES if environ.get(name)), "")


def proxies(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the proxy for the host of a URL, by scheme (http and https). A scheme without one is left out."""
    found = {scheme: _proxy(scheme, environ) for scheme in _PORTS}
    return {scheme: proxy for scheme, proxy in found.items() if proxy and not _is_direct(scheme, url, environ)}


def _proxy(scheme: str, environ: Mapping[str, str]) -> str:
    proxy = _either(f"{scheme}_proxy", environ) or _either("all_proxy", environ)
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def _either(name: str, environ: Mapping[str, str]) -> str:
    """Return a variable's value. Lower case comes first, also if it is empty, as in curl."""
    return environ.get(name, environ.get(name.upper(), "")).strip()


def _is_direct(scheme: str, url: str, environ: Mapping[str, str]) -> bool:
    """Return whether no_proxy has the URL's host."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return True
    entries = re.split(r"[,\s]+", _either("no_proxy", environ))
    return any(_has(entry, host, port or _PORTS[scheme]) for entry in entries if entry)


def _has(entry: str, host: str, port: int) -> bool:
    """Return whether an entry of no_proxy has a host: ``*``, a network, or a domain or address, perhaps with a port."""
    if entry == "*":
        return True
    name, own_port = _split_port(entry)
    if own_port not in (None, port):
        return False
    if _is_address(host):
        return _is_in_network(host, name)
    domain = name.lower().removeprefix("*").strip(".")
    return bool(domain) and (host.rstrip(".") == domain or host.rstrip(".").endswith(f".{domain}"))


def _split_port(entry: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*):([0-9]{1,5})", entry)
    name, port = (match[1], int(match[2])) if match else (entry, None)
    return name.removeprefix("[").removesuffix("]"), port


def _is_address(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _is_in_network(address: str, network: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False


def secured(url: str, location: str) -> str:
    """Return the URL to ask after a redirect of a GET from http to https on the same host; empty for any other redirect.

    It has the path and the query of ``url``: another page would be a login page. A login may be sent there.
    """
    try:
        before, after = urlsplit(url), urlsplit(urljoin(url, location))
        port = f":{after.port}" if after.port else ""
    except ValueError:
        return ""
    host = after.hostname or ""
    if (before.scheme, after.scheme) != ("http", "https") or not host or host != before.hostname:
        return ""
    return urlunsplit(("https", (f"[{host}]" if ":" in host else host) + port, before.path, before.query, ""))
