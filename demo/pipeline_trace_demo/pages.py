"""HTML pages of Jenkins, for example its error pages. They are shortened from recordings."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

JENKINS_HEADERS = {"X-Jenkins": "2.462.3", "X-Jenkins-Session": "f8acf73e"}
"""The headers of Jenkins' own answers. The servlet container's error pages do not have them."""

HTML = "text/html;charset=utf-8"
HTML_OF_CONTAINER = "text/html;charset=iso-8859-1"
JSON = "application/json;charset=utf-8"
TEXT = "text/plain;charset=utf-8"

_CONTAINER_ERROR = """<html>
<head>
<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>
<title>Error {status} {message}</title>
</head>
<body><h2>HTTP ERROR {status} {message}</h2>
<table>
<tr><th>URI:</th><td>{path}</td></tr>
<tr><th>STATUS:</th><td>{status}</td></tr>
<tr><th>MESSAGE:</th><td>{message}</td></tr>
<tr><th>SERVLET:</th><td>Stapler</td></tr>
</table>
<hr/><a href="https://jetty.org">Powered by Jetty:// 10.0.24</a><hr/>

</body>
</html>
"""


def container_error(status: int, message: str, path: str) -> str:
    """Return the servlet container's error page, as for a wrong token (401) or a missing crumb (403)."""
    return _CONTAINER_ERROR.format(status=status, message=message, path=escape(path))


def authentication_required(path: str) -> str:
    """Return the page of a 403 for a request without a login. It redirects a browser to the login page."""
    login = f"/login?from={quote(path, safe='')}"
    return (
        f"<html><head><meta http-equiv='refresh' content='1;url={login}'/>"
        f"<script id='redirect' data-redirect-url='{login}' src='/static/f8acf73e/scripts/redirect.js'></script></head>"
        "<body style='background-color:white; color:white;'>\nAuthentication required\n<!--\n-->\n\n</body></html>"
        + " "
        * 512
    )


def not_found() -> str:
    """Return Jenkins' page for a 404."""
    return _page("Not Found [Jenkins]", "<h1>Not Found</h1><p>It may not exist, or you may not see it.</p>")


def dashboard() -> str:
    """Return the controller's front page. Clients request it for its headers."""
    return _page("Dashboard [Jenkins]", "<h1>Welcome to Jenkins!</h1>")


def oops() -> str:
    """Return the page for a 500, as after a malformed ``tree`` query."""
    return _page("Jenkins [Jenkins]", "<h1>Oops!</h1><p>A problem occurred while processing the request.</p>")


def login_page() -> str:
    """Return the login page, which proxies and single sign-on may send in place of JSON."""
    form = "<form method='post' action='j_spring_security_check'><input name='j_username'/></form>"
    return _page("Sign in [Jenkins]", form)


def starting() -> str:
    """Return the page that Jenkins shows while it starts."""
    return _page("Starting Jenkins", "<h1>Please wait while Jenkins is getting ready to work…</h1>")


def _page(title: str, body: str) -> str:
    return f"\n  \n  <!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>\n"
