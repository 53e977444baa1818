"""Secrets in addresses: logins, and paths that are secrets themselves. Values of a query have names: ``assignments``."""

from __future__ import annotations

from .pattern import Pattern, Row, Spans, find_rows

# What an address may hold. Whoever writes a password into one does not always encode it: "#", "/", "?" and "@" may be in it.
_RUN = Pattern(r"[^\s\"'<>`\\\x00{}|]*")
_BRACED = Pattern(r"[^\s\"'<>`\\\x00]*")
_SCHEME = Pattern(r"[A-Za-z0-9.+_-]*")
_HOST = r"(?:[\w-]+(?:\.[\w-]+)*|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?(?=[/?#,;:)\]]|$)"
_HOST_BEGIN = Pattern(_HOST)
_REAL_HOST = Pattern(r"(?:[\w-]+\.[\w.-]+|localhost|\[[0-9a-fA-F:.]+\]|[\w-]+(?=:\d))(?::\d{1,5})?(?=[/?#,;:)\]]|$)")
_PORT = Pattern(r"\d{1,5}\Z")
# Where a lone user is a token as often as not.
_TOKEN_SCHEMES = ("http", "https", "ftp", "ftps", "ws", "wss")
_CLEAR_USERS = ("git", "hg", "svn", "anonymous")
# Longer than any host: a login whose end is cut off.
_CUT = 300

ROWS = (
    Row("chat webhook", "https://hooks.slack.com/services/T0/B0/SECRET",
        Pattern(r"(?i)hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/(?P<secret>[^\s\"'<>\\?#]+)")),
    Row("Teams webhook", "https://x.webhook.office.com/webhookb2/SECRET",
        Pattern(r"(?i)(?:webhook\.office|outlook\.office(?:365)?)\.com/webhook(?:b2)?/(?P<secret>[^\s\"'<>\\?#]+)")),
    Row("webhook by its path", "https://example.com/hook/SECRETSECRET",
        Pattern(r"(?i)://[^\s\"'<>\\?#]{1,200}?/(?:api/)?(?:web)?hooks?(?:/(?:catch|trigger|incoming|v\d|\d+))*/"
                r"(?P<secret>(?=[^\s\"'<>\\?#/]*\d)(?=[^\s\"'<>\\?#/]*[A-Za-z])[\w.~%-]{10,}[^\s\"'<>\\?#]*)")),
    Row("Telegram bot", "https://api.telegram.org/bot123456:SECRET/getMe",
        Pattern(r"(?i)telegram\.org/(?:file/)?bot(?P<secret>\d+:[\w-]+)")),
    Row("code of OAuth", "https://x/cb?code=SECRET",
        Pattern(r"[?&](?:code|assertion|client_assertion)=(?P<secret>[^\s&#\"'<>]{8,})")),
    Row("IFTTT", "https://maker.ifttt.com/trigger/x/with/key/SECRET", Pattern(r"(?i)/with/key/(?P<secret>[\w-]+)")),
    Row("Oracle's thin driver", "jdbc:oracle:thin:app/SECRET@//h:1521/x",
        Pattern(r"(?i)jdbc:oracle:(?:thin|oci8?):[^\s/@\"']{1,100}/(?P<secret>[^\s\"']{1,300})@(?=//|[\w(.-])")),
    Row("encoded address", "https%3A%2F%2Fu%3ASECRET%40host", Pattern(r"(?i)%3A%2F%2F(?P<secret>[^\s\"'<>&/]{1,300}?)%40")),
)  # fmt: skip
# A login of Oracle's without the program that it is for: only what no name of a package, action or branch looks like.
LOGINS = (
    Row("Oracle's login", "scott/SECRET@db", Pattern(
        r"(?<![\w/@.:%=-])[A-Za-z]\w{0,29}/(?P<secret>(?=[^\s@]{0,60}?\d)(?=[^\s@]{0,60}?[A-Z])(?=[^\s@]{0,60}?[a-z])"
        r"[^\s/@\"':<>]{6,60})@(?=[A-Za-z][\w.-]*(?:[:/\s,;\"')]|\Z))(?!v\d|main\b|master\b)")),
    Row("login without a scheme", "deploy:SECRET1@nexus.example.com:8081",
        Pattern(r"(?<![\w/@.:%-])(?!(?:mailto|to|from|cc|bcc|sip|xmpp|user|email|mail|by|acct):)[A-Za-z][\w.-]{0,60}:"
                r"(?P<secret>(?=[^\s@]*\d)[^\s@\"'/:<>]{4,200}|[^\s@\"'/:<>]{4,200}(?=@(?:(?:tcp"
                r"|unix)\(|[\w.-]{1,200}:\d{2,5}(?!\w))))@(?!sha\d+:)(?=[A-Za-z\d\[])")),
)  # fmt: skip


def find(text: str, spans: Spans) -> None:
    """Add where addresses hold secrets."""
    at, done = text.find("://"), 0
    while at >= 0:
        done = _login(text, at, done, spans)
        at = text.find("://", at + 3)
    find_rows(ROWS, text, spans)
    if "@" in text:
        find_rows(LOGINS, text, spans)


def _login(text: str, at: int, done: int, spans: Spans) -> int:
    """Add the login of the address whose "://" is at ``at``. Return where the next one may begin."""
    begin = at + 3
    following = text.find("://", begin)
    run = _RUN.regex.match(text, begin, following if following >= 0 else len(text))
    end = run.end() if run else begin
    if text[end : end + 1] in ("{", "}", "|") and (
        wide := _BRACED.regex.match(text, end, following if following >= 0 else len(text))
    ):
        end = wide.end() if "@" in wide[0] else end
    if end == following:
        scheme = _SCHEME.regex.match(text[max(begin, end - 32) : end][::-1])
        end -= scheme.end() if scheme else 0
    window = text[max(done, at - 32) : at][::-1]
    name = _SCHEME.regex.match(window)
    scheme_word = (name[0][::-1] if name else "").lower()
    login = _end_of_login(text, begin, end, scheme_word)
    if login > begin:
        spans.append((begin, login))
        return login
    return end


def _end_of_login(text: str, begin: int, end: int, scheme: str) -> int:
    """Return where the login ends, before its "@"; ``begin`` where there is none."""
    rest = text[begin:end]
    authority = _AUTHORITY.regex.match(rest)
    first = authority[0] if authority else ""
    sign = first.rfind("@")
    if sign < 0:
        user, colon, word = first.partition(":")
        if not colon or _PORT.regex.match(word) or rest.startswith("["):
            return begin
        later = _last_login_sign(rest, len(user) + 1)
        if later < 0:
            cut = begin + len(rest) == len(text) and len(rest) >= _CUT
            return end if cut else begin
        return begin + later
    if not _REAL_HOST.regex.match(rest, sign + 1):
        later = _last_login_sign(rest, sign + 1)
        sign = later if later > sign else sign
    elif rest[len(first) : len(first) + 1] == "#" or (":" in first[:sign] and "@" in rest[len(first) :].partition("?")[0]):
        later = _last_login_sign(rest, sign + 1)
        sign = later if later > sign and _REAL_HOST.regex.match(rest, later + 1) else sign
    user = rest[:sign]
    if ":" in user or scheme.split("+")[-1] in _TOKEN_SCHEMES:
        return begin + sign if user not in _CLEAR_USERS or scheme.split("+")[-1] in _TOKEN_SCHEMES else begin
    return begin


def _last_login_sign(rest: str, start: int) -> int:
    """Return where the last "@" is that a host follows, -1 where there is none."""
    at = rest.rfind("@", start)
    for _number in range(8):
        if at < 0 or _HOST_BEGIN.regex.match(rest, at + 1):
            return at
        at = rest.rfind("@", start, at)
    return at


_AUTHORITY = Pattern(r"[^/?#]*")
