"""Secrets that their own form gives away: tokens of well-known services, keys, hashes, logins in base64."""

from __future__ import annotations

from .pattern import BEGIN, Pattern, Row, Spans, find_rows

# Who gives it out, how it begins, what follows at least. The forms are the services' own: docs/security.md lists them.
PREFIXES: tuple[tuple[str, str], ...] = (
    ("AWS", r"(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|ANPA|ANVA|AIPA)[0-9A-Z]{12,}"),
    ("GitHub", r"gh[pousr]_[A-Za-z0-9]{10,}|github_pat_[A-Za-z0-9_]{10,}"),
    ("GitLab", r"gl(?:pat|ptt|dt|rt|rtr|cbt|soat|agent|ft|imt|ffct|wt|oas)-[A-Za-z0-9_.=-]{10,}"
               r"|GR1348941[A-Za-z0-9_-]{16,}"),
    ("Slack", r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{10,}"),
    ("JSON web token or other base64 of JSON", r"(?<!-)eyJ[A-Za-z0-9_-]{6,}(?:[+/.=][A-Za-z0-9_+/=-]*)*"),
    ("OpenAI, Anthropic, Stripe test", r"sk-[A-Za-z0-9_-]{16,}"),
    ("Stripe", r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/=]{16,}"),
    ("npm", r"npm_[A-Za-z0-9]{20,}"),
    ("PyPI", r"pypi-[A-Za-z0-9_-]{20,}"),
    ("HashiCorp Vault", r"hv[sbr]\.[A-Za-z0-9_-]{20,}|[sbr]\.[A-Za-z0-9]{24,}(?:\.[A-Za-z0-9]{5})?"),
    ("Terraform Cloud", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{20,}"),
    ("Google", r"AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_.-]{16,}|GOCSPX-[A-Za-z0-9_-]{16,}"),
    ("Azure", r"[A-Za-z0-9_~.-]{3,5}Q~[A-Za-z0-9_~.-]{24,}"),
    ("SendGrid", r"SG\.[A-Za-z0-9_-]{10,100}\.[A-Za-z0-9_-]{10,}"),
    ("Docker Hub", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{16,}"),
    ("Grafana", r"gl(?:sa|c)_[A-Za-z0-9+/=_-]{16,}"),
    ("Hugging Face", r"hf_[A-Za-z0-9]{20,}"),
    ("Bitbucket, Atlassian", r"ATBB[A-Za-z0-9_=-]{20,}|ATATT3[A-Za-z0-9_=-]{20,}|ATCTT3[A-Za-z0-9_=-]{20,}"),
    ("Artifactory", r"AKCp[0-9A-Za-z]{20,}|cmVmdGtu[A-Za-z0-9]{20,}"),
    ("Doppler", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{20,}"),
    ("Shopify", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{20,}"),
    ("RubyGems", r"rubygems_[0-9a-f]{32,}"),
    ("SonarQube", r"sq[upa]_[0-9a-f]{32,}"),
    ("Mailgun, Mailchimp", r"key-[0-9a-f]{32}|[0-9a-f]{32}-us\d{1,2}"),
    ("Tailscale", r"tskey-[A-Za-z0-9-]{10,}"),
    ("DigitalOcean", r"do[opr]_v1_[0-9a-f]{32,}"),
    ("New Relic", r"NR(?:AK|JS|II|RA|AL)-[A-Za-z0-9-]{16,}|NRBR-[0-9a-f]{16,}"),
    ("Linear, Postman, Pulumi, PlanetScale, Figma, Notion",
        r"lin_(?:api|oauth)_[A-Za-z0-9]{20,}|PMAK-[0-9a-f-]{30,}|pul-[0-9a-f]{32,}"
     r"|pscale_(?:tkn|pw|oauth)_[\w.=-]{20,}|figd_[\w-]{20,}|(?:secret|ntn)_[A-Za-z0-9]{30,}"),
    ("Telegram", r"\d{8,10}:AA[A-Za-z0-9_-]{32,}"),
    ("Discord", r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"),
    ("age, WireGuard, SSH", r"AGE-SECRET-KEY-1[A-Za-z0-9]{20,}"),
    ("Sentry", r"sntry[su]_[A-Za-z0-9+/=_-]{20,}"),
    ("Buildkite, CircleCI, Netlify, Vercel, Fly",
        r"bk(?:ua|at)_[0-9a-z]{20,}|CCI(?:PAT|PRJ)_[A-Za-z0-9_]{20,}|nfp_[A-Za-z0-9]{20,}"
     r"|vc[a-z]?_[A-Za-z0-9]{24,}|f(?:m1|m2|o1)_[A-Za-z0-9+/=_-]{20,}"),
    ("1Password", r"ops_eyJ[A-Za-z0-9+/=_-]{20,}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{5,11}-?){4,6}"),
    ("OpenShift", r"sha256~[A-Za-z0-9_-]{20,}"),
    ("OpenStack, Fernet", r"gAAAAA[A-Za-z0-9_=-]{40,}"),
    ("Heroku, Airtable", r"HRKU-[A-Za-z0-9_-]{20,}|pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
)  # fmt: skip
_TOKEN = Pattern(BEGIN + "(?:" + "|".join(f"(?:{form})" for _name, form in PREFIXES) + ")")

# Where a token may be: its own letters behind its prefix, or a prefix of letters alone.
MAYBE = Pattern(
    r"[AJ_.~MG-](?:(?<=[_.~-])(?=[A-Za-z0-9]{6})[a-z]{0,23}[A-Z0-9]|(?<=eyJ)|(?<=cmVmdG)tu"
    r"|(?<=A)(?:KIA|SIA|BIA|CCA|GPA|IDA|ROA|NPA|NVA|IPA|Iza|TBB|TATT|TCTT|KCp|AAAA)|(?<=M)[A-Za-z0-9_-]{23})"
)
# Those whose prefix has nothing of this: each with the letters that a text with one has.
_NOT_BEFORE = r"(?<![A-Za-z0-9_]"
BARE: tuple[tuple[str, Row], ...] = (
    ("AKIA", Row("AWS", "AKIAIOSFODNN7EXAMPLE SECRET",
                 Pattern(r"AKIA[0-9A-Z]{12,40}\b[^\n]{0,200}?(?<![A-Za-z0-9/+=])(?P<secret>[A-Za-z0-9/+]{40,100}={0,2})"
                         r"(?![A-Za-z0-9/+=])"))),
    ("11", Row("Jenkins", "11SECRET", Pattern(rf"(?P<secret>11{_NOT_BEFORE}11)[0-9a-f]{{32}}(?![0-9a-f]))"))),
    ("1//0", Row("Google refresh token", "1//0SECRET", Pattern(rf"(?P<secret>1//0{_NOT_BEFORE}1//0)[A-Za-z0-9_-]{{20,}})"))),
    ("dapi", Row("Databricks", "dapiSECRET", Pattern(rf"(?P<secret>dapi{_NOT_BEFORE}dapi)[0-9a-f]{{32}}(?:-\d)?)"))),
    ("ewog", Row("base64 of JSON", "ewogSECRET", Pattern(rf"(?P<secret>ewog{_NOT_BEFORE}ewog)[A-Za-z0-9+/_=-]{{16,}})"))),
    ("SK", Row("Twilio", "SKSECRET", Pattern(rf"(?P<secret>SK{_NOT_BEFORE}SK)[0-9a-f]{{32}})"))),
    ("oy2", Row("NuGet", "oy2SECRET", Pattern(rf"(?P<secret>oy2{_NOT_BEFORE}oy2)[a-z0-9]{{43}})"))),
    ("GR1348941", Row("GitLab runner", "GR1348941SECRET", Pattern(r"(?P<secret>GR1348941[A-Za-z0-9_-]{16,})"))),
    ("AZDO", Row("Azure DevOps", "SECRETAZDO1234",
                 Pattern(r"(?P<secret>(?<![A-Za-z0-9_])[A-Za-z0-9]{40,}AZDO[A-Za-z0-9]{4})"))),
)  # fmt: skip
_RUN_BACK = Pattern(r"[\w.~+/=\\%:-]*")
_RUN = Pattern(r"[\w.~+/=\\%:-]*")


def find_tokens(text: str, spans: Spans) -> None:
    """Add tokens of well-known services. Only the words are searched in which one may be."""
    for sign, row in BARE:
        if sign in text:
            find_rows((row,), text, spans)
    found, done = MAYBE.regex.search(text), 0
    while found is not None:
        at = found.start()
        window = text[max(done, at - 128) : at][::-1]
        back = _RUN_BACK.regex.match(window)
        start = at - (back.end() if back else 0)
        run = _RUN.regex.match(text, at)
        done = max(run.end() if run else at, at + 1)
        spans.extend(each.span() for each in _TOKEN.regex.finditer(text, start, done))
        found = MAYBE.regex.search(text, done)


# Words that say that a credential follows.
_PROSE = (
    r"(?:auth\w*|tokens?|realm|required|scheme|header|error|challenge|is|was|not|and|or|credentials?|with|for"
    r"|from|in|to|of|\*)\b"
)
SCHEMES = (
    Row("bearer", "refused: Bearer SECRET",
        Pattern(rf"(?i){BEGIN}bearer(?: +|%20|\\? )(?!{_PROSE})(?P<secret>[^\s\"',;\\<>]{{4,}})")),
)  # fmt: skip
_BASIC = Pattern(rf"(?i){BEGIN}basic(?: +|%20)([A-Za-z0-9+/_-]{{6,}}={{0,2}})")


def find_schemes(text: str, low: str, spans: Spans) -> None:
    """Add what follows "Bearer", and logins in base64 that follow "Basic"."""
    if "bearer" in low:
        find_rows(SCHEMES, text, spans)
    if "basic" in low:
        spans.extend(found.span(1) for found in _BASIC.regex.finditer(text) if _is_login(found[1]))


def _is_login(encoded: str) -> bool:
    """Return whether a word is a login in base64, of which the end may be cut off."""
    from base64 import b64decode

    encoded = encoded.rstrip("=")[:400].replace("-", "+").replace("_", "/")
    try:
        return b":" in b64decode(
            encoded[: len(encoded) // 4 * 4] if len(encoded) % 4 == 1 else encoded + "=" * (-len(encoded) % 4)
        )
    except ValueError:
        return False


_KEY_BEGIN = Pattern(r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_KEY_END = Pattern(r"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\\ \t\r\n"
_LINE_BREAK = Pattern(r"\n|\\{1,8}n")
_VAULT = Pattern(r"\$ANSIBLE_VAULT;[\w.;-]+(?:\s|\\n)+(?P<secret>[0-9a-f](?:[0-9a-f]|\s|\\n)*)")
_PUTTY = Pattern(r"Private-Lines: \d+(?:\r?\n|\\n)(?P<secret>(?:[A-Za-z0-9+/=]|\r?\n|\\n)+?)(?=(?:\r?\n|\\n)Private-MAC|\Z)")


def find_keys(text: str, spans: Spans) -> None:
    """Add private keys, also those of which the begin or the end is cut off, and texts encrypted with ansible-vault."""
    at = 0
    while begin := _KEY_BEGIN.regex.search(text, at):
        _key_cut(text, at, begin.start(), spans)
        end = _KEY_END.regex.search(text, begin.end())
        at = end.end() if end else len(text)
        spans.append((begin.start(), at))
    _key_cut(text, at, len(text), spans)
    spans.extend(found.span("secret") for pattern in (_VAULT, _PUTTY) for found in pattern.regex.finditer(text))


def _key_cut(text: str, start: int, end: int, spans: Spans) -> None:
    """Add keys whose first line is missing: their last line, and the lines of the key before it."""
    for found in _KEY_END.regex.finditer(text, start, end):
        before = text[start : found.start()]
        kept = len(before.rstrip(_KEY_LETTERS))
        line = _LINE_BREAK.regex.search(before, kept) if kept else None
        begin = start + (line.end() if line else 0 if not kept else len(before))
        spans.append((begin, found.end()))
        start = found.end()


_BASE64_LINE = Pattern(r"(?m)^[ \t]*(?P<secret>[A-Za-z0-9+/]{40,}={0,2})[ \t\r]*$")
_MIXED = (Pattern(r"[a-z]"), Pattern(r"[A-Z]"), Pattern(r"[0-9]"))


def find_base64_lines(text: str, spans: Spans) -> None:
    """Add lines of base64 that follow each other: the middle of a key, or an encoded secret."""
    block: Spans = []
    for found in _BASE64_LINE.regex.finditer(text):
        if not all(each.regex.search(found["secret"]) for each in _MIXED):
            continue
        if block and text[block[-1][1] : found.start("secret")].strip():
            _add_block(block, spans)
            block = []
        block.append(found.span("secret"))
    _add_block(block, spans)


def _add_block(block: Spans, spans: Spans) -> None:
    if len(block) > 1:
        spans.append((block[0][0], block[-1][1]))


HASHES = (
    Row("hash of a password", "root:$6$salt$SECRET", Pattern(r"(?P<secret>\$(?:1|2[abxy]?|5|6|7|y|gy|apr1|md5"
                                                             r"|argon2(?:id?|d)|scrypt"
                                                             r"|pbkdf2[\w-]*)\$[A-Za-z0-9./=,$+_-]{8,})")),
    Row("hash of a PostgreSQL password", '"md5SECRET"',
        Pattern(r"(?:\bmd5|SCRAM-SHA-256\$)(?P<secret>[0-9a-f]{32}\b|\d{1,9}:[\w+/=$:]{20,})")),
    Row("hash of an LDAP password", "{SSHA}SECRET",
        Pattern(r"\{(?:S?SHA(?:256|384|512)?|S?MD5|CRYPT)\}(?P<secret>[A-Za-z0-9+/=$.]{8,})")),
)  # fmt: skip
