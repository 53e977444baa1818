"""Certificates, proxies and redirects: what the variables that all programs share say."""

from __future__ import annotations

import pytest

from pipeline_trace.trace import network

PROXY = "http://proxy.example.com:3128"
URL = "http://ci.example.com/"


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, ""),
        ({"SSL_CERT_FILE": "c"}, "c"),
        ({"CURL_CA_BUNDLE": "b", "SSL_CERT_FILE": "c"}, "b"),
        ({"REQUESTS_CA_BUNDLE": "a", "CURL_CA_BUNDLE": "b", "SSL_CERT_FILE": "c"}, "a"),
        ({"REQUESTS_CA_BUNDLE": "", "SSL_CERT_FILE": "c"}, "c"),
    ],
)
def test_the_certificates_are_those_of_requests_then_curls_then_openssls(environ: dict[str, str], found: str) -> None:
    assert network.certificates(environ) == found


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, {}),
        ({"http_proxy": PROXY}, {"http": PROXY}),
        ({"HTTPS_PROXY": PROXY}, {"https": PROXY}),
        ({"http_proxy": "proxy.example.com:3128"}, {"http": PROXY}),
        ({"all_proxy": PROXY}, {"http": PROXY, "https": PROXY}),
        ({"ALL_PROXY": "http://other:1", "http_proxy": PROXY}, {"http": PROXY, "https": "http://other:1"}),
        ({"http_proxy": "", "HTTP_PROXY": PROXY}, {}),
    ],
)
def test_each_scheme_has_the_proxy_of_its_variable(environ: dict[str, str], found: dict[str, str]) -> None:
    assert network.proxies(URL, environ) == found


@pytest.mark.parametrize(
    ("url", "no_proxy", "is_direct"),
    [
        (URL, "", False),
        (URL, "*", True),
        (URL, "ci.example.com", True),
        (URL, "CI.Example.COM", True),
        (URL, "example.com", True),
        (URL, ".example.com", True),
        (URL, "*.example.com", True),
        (URL, "ample.com", False),
        (URL, "other.com, example.com", True),
        (URL, "other.com example.com", True),
        (URL, "ci.example.com:80", True),
        (URL, "ci.example.com:8080", False),
        (URL, ",,", False),
        (URL, ".", False),
        ("http://ci.example.com:8080/", "example.com:8080", True),
        ("http://ci.example.com:8080/", "example.com", True),
        ("http://10.1.2.3/", "10.0.0.0/8", True),
        ("http://10.1.2.3/", "10.1.2.3", True),
        ("http://10.1.2.3/", "10.1.2.3:80", True),
        ("http://10.1.2.3/", "10.1.2.3:81", False),
        ("http://10.1.2.3/", "192.168.0.0/16", False),
        ("http://10.1.2.3/", "2.3", False),
        ("http://10.1.2.3/", "10.0.0.0/99", False),
        ("http://ci.example.com/", "10.0.0.0/8", False),
        ("http://[fd00::1]:8080/", "fd00::/8", True),
        ("http://[fd00::1]:8080/", "[fd00::1]:8080", True),
        ("http://[fd00::1]:8080/", "10.0.0.0/8", False),
    ],
)
def test_no_proxy_has_domains_addresses_networks_and_ports(url: str, no_proxy: str, is_direct: bool) -> None:
    assert network.proxies(url, {"http_proxy": PROXY, "NO_PROXY": no_proxy}) == ({} if is_direct else {"http": PROXY})


@pytest.mark.parametrize("url", ["http://[::1/", "http://h:99999/"])
def test_what_is_no_url_needs_no_proxy(url: str) -> None:
    assert network.proxies(url, {"http_proxy": PROXY}) == {}


@pytest.mark.parametrize(
    ("url", "location", "asked"),
    [
        ("http://ci/a?tree=b[c]", "https://ci/a?tree=b[c]", "https://ci/a?tree=b[c]"),
        ("http://ci:8080/a", "https://CI:8443/a", "https://ci:8443/a"),
        ("http://ci/a?b", "https://ci/login?from=a", "https://ci/a?b"),
        ("http://ci/a", "//ci/a", ""),
        ("http://[::1]:80/a", "https://[::1]/a", "https://[::1]/a"),
        ("http://ci/a", "https://other/a", ""),
        ("http://ci/a", "https://ci.example.com/a", ""),
        ("http://ci/a", "http://ci/b", ""),
        ("http://ci/a", "/b", ""),
        ("http://ci/a", "", ""),
        ("https://ci/a", "http://ci/a", ""),
        ("https://ci/a", "https://ci/b", ""),
        ("http://ci/a", "https://[::1", ""),
        ("http://ci/a", "https://ci:99999/a", ""),
        ("http://ci/a", "https:///a", ""),
    ],
)
def test_only_a_redirect_to_https_on_the_same_host_is_followed_to_the_same_page(url: str, location: str, asked: str) -> None:
    assert network.secured(url, location) == asked
