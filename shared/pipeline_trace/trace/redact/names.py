"""Which names say that their value is a secret: of variables, options, headers, fields, elements.

A name is split into words (``dbRootPassword``, ``DB_ROOT_PASSWORD`` and ``db.root-password`` are the same three), and the
words are looked up in the tables below.
"""

from __future__ import annotations

from functools import lru_cache

from .pattern import Pattern

# What a name says of its value.
NONE = ""
PASSWORD = "password"  # may hold blanks
SECRET = "secret"
KEY = "key"  # secret after "=", and where it looks like one: "key: value" is prose
WEAK = "weak"  # only where the value looks like a secret
HEADER = "header"  # all of the line
NUMBER = "number"  # a short number, or what looks like a secret

_WORDS = Pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Parts of words. Where "password" is a part of a word, the word says password.
_PASSWORD_PARTS = ("passw", "passphrase", "passcode", "passkey", "kennwort", "wachtwoord", "contrase", "senha", "haslo",
                   "hasło", "пароль", "密码", "密碼", "パスワード", "비밀번호")  # fmt: skip
_SECRET_PARTS = (
    "secret",
    "credential",
    "mnemonic",
    "privkey",
    "privatekey",
    "dockerconfigjson",
    "dockercfg",
    "encryptedkey",
)
_PASSWORD_WORDS = _set(
    "pass passe pwd pw pswd psw passwd pword pwds passes2 clave motdepasse userpass dbpass rootpass adminpass"
)
_SECRET_WORDS = _set(
    "cred creds token tokens psk pat jwt dsn sas csrf xsrf authtoken apikey apikeys accesskey secretkey sshkey"
    " authkey masterkey"
    " signingkey encryptionkey licensekey accountkey sharedkey sharedaccesskey storagekey sessionkey hmackey keypass"
    " appkey deploykey clientkey keydata masterauth crumb authtok"
)
_NUMBER_WORDS = _set("pin otp totp mfa cvv cvc")
_HEADERS = _set("authorization cookie cookies")
# Words of which only the end of the word says pass or token: not these.
_NOT_PASS = _set("compass bypass encompass surpass trespass overpass underpass bypass")
# The value is about the secret, and is none itself: `token_count`, `password_file`, `secretName`.
_ABOUT = _set(
    "helper helpers count counts length len size min max file files filename path paths dir directory folder type"
    " types kind name names url uri urls endpoint host port ttl expiry expires expired expiration expire age policy"
    " policies enabled disabled required optional valid validity status state limit limits used usage store manager"
    " backend provider providers engine prompt reset changed change updated created rotation rotated version field"
    " fields column attribute format encoding algorithm alg ref refs reference references label labels index position"
    " rate lifetime period seconds minutes hours days bits stdin authentication lock mode strength source template"
    " class hint budget reader writer parser callback service pull ring rings board checking exchange usages exception"
    " map list in at by for from env var variable mount volume rule rules words word parts part error errors message"
    " duration renewable generator generation hasher validator validation checker check exists found missing cost window"
)
# The value is one of a few words or a number: `update_password: on_create`, `max_tokens: 4096`.
_AMOUNTS = _set(
    "max min num count total no use has is update require requires required allow enable disable show ask need needs"
    " without completion prompt input output hide skip by"
)
# What stands before "key" where the key is no secret.
_OPEN_KEYS = _set(
    "sort primary foreign public pub partition cache hash range group grouping index unique composite natural lookup"
    " message routing object bucket map dict json row column shard join order ordering idempotency hot host registry"
    " translation label property config option param parameter output header missing unknown duplicate invalid known dedup"
    " dedupe search query arrow enter next prev start end last first metric event issue project component s3 item list"
    " attribute tag field entry step job build stage task context state distribution surrogate candidate alternate"
    " compare merge restore primarykey sortkey foreignkey publickey cachekey hostkey parent child outer inner any"
    " every each menu function shortcut binding keyboard"
)
_KEY_WORDS = _set("key keys")
# What follows "key" and leaves it one.
_KEY_TAILS = _set(
    "id base b64 base64 data pem value val content text secret material old new current previous prod dev test staging"
)
# What may stand before a lone "key", with a blank between: "Secret Access Key: ...", "Unseal Key 1: ...".
KEY_QUALIFIERS = _set(
    "api access unseal secret private recovery license signing encryption master root account storage shared ssh"
    " deploy auth session client preshared pre-shared wep wpa product activation app application service stream"
)
# Whole names, whatever their words say.
_EXACT = {
    "userpass": PASSWORD, "secretgenerator": SECRET, "stringdata": SECRET, "authorizationdata": SECRET,
    "imagepullsecrets": NONE, "github-oauth": SECRET, "gitlab-oauth": SECRET, "gitlab-token": SECRET, "http-basic": SECRET,
    "routing_key": WEAK, "routingkey": WEAK, "auth": KEY, "_auth": SECRET, "proxy-auth": SECRET, "x-auth": SECRET,
    "http_auth": KEY, "basic_auth": SECRET,
    "basicauth": SECRET, "api_auth": SECRET, "secure": WEAK, "sig": WEAK, "signature": WEAK, "x-amz-signature": SECRET,
    "salt": WEAK, "seed": WEAK,
    "session": WEAK, "sessionid": WEAK, "session_id": WEAK, "session-id": WEAK, "jsessionid": SECRET, "phpsessid": SECRET,
    "sid": WEAK,
    "asp.net_sessionid": SECRET, "connect.sid": SECRET, "set-cookie": HEADER, "set-cookie2": HEADER,
    "proxy-authorization": HEADER,
    "www-authorization": HEADER, "x-amz-credential": SECRET, "x-authorization": HEADER,
    "x-goog-signature": SECRET, "x-goog-credential": SECRET, "x-jfrog-art-api": SECRET,
    "x-honeycomb-team": SECRET,
    "sonar.login": WEAK, "secret_id": SECRET, "secret-id": SECRET, "secretid": SECRET, "token_id": SECRET, "tokenid": SECRET,
    "private_key_id": SECRET, "client-certificate-data": SECRET, "hmac": WEAK, "nonce": WEAK, "authenticity_token": SECRET,
    "samlresponse": SECRET, "samlrequest": WEAK, "certificate-authority-data": NONE, "swarmkey": SECRET,
    "authorization": HEADER,
}  # fmt: skip
_LONGEST = 200


def add(name: str) -> None:
    """Make a name, in lower case, one whose value is a secret, alone and at the end of other names."""
    _own.add(name)
    kind_of.cache_clear()


_own: set[str] = set()


@lru_cache(maxsize=2048)
def kind_of(name: str) -> str:
    """Return what a name says of its value: one of the words above, ``NONE`` where it says nothing."""
    lower = name.lower()
    exact = _EXACT.get(lower)
    if exact is not None:
        return exact
    if _own and any(lower == own or lower.endswith(("_" + own, "-" + own, "." + own)) for own in _own):
        return SECRET
    words = [word.lower() for word in _WORDS.regex.findall(name[-_LONGEST:])]
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    kind = _kind(words)
    if kind in (PASSWORD, SECRET, KEY) and words[0] in _AMOUNTS and len(words) > 1:
        return WEAK
    return kind


def _kind(words: list[str]) -> str:
    """Return what a name of these words says."""
    for at in range(len(words) - 1, -1, -1):
        word = words[at]
        kind = _kind_of_word(word, words[at - 1] if at else "")
        if kind:
            tail = words[at + 1 :]
            if tail == ["id"] and word.startswith("credential"):
                # The name that Jenkins knows a credential by.
                return WEAK
            if any(each in _ABOUT for each in tail) and not (kind is KEY and tail[-1:] == ["id"]):
                return NONE
            if kind is KEY and tail and not all(each in _KEY_TAILS for each in tail):
                return WEAK
            if kind is KEY and at:
                return WEAK if tail == ["id"] and words[at - 1] not in ("private", "access", "secret") else SECRET
            return kind
    if words[-1:] == ["headers"] and "otlp" in words:
        return HEADER
    if words[-1:] == ["auth"] and len(words) > 1:
        return KEY
    if words[-1:] in (["sig"], ["signature"], ["salt"], ["session"], ["sid"], ["nonce"], ["seed"], ["hmac"], ["passed"]):
        return NONE if words[-1] == "passed" else WEAK
    if words[-2:] == ["session", "id"] or words[-2:] == ["connection", "string"]:
        return WEAK
    if words[-3:] == ["mot", "de", "passe"]:
        return PASSWORD
    return NONE


def _kind_of_word(word: str, before: str) -> str:
    """Return what a word of a name says, after the word before it."""
    if word in _PASSWORD_WORDS or any(part in word for part in _PASSWORD_PARTS):
        return PASSWORD
    if (word.endswith("pass") and word not in _NOT_PASS) or word.endswith(("pwd", "passwd", "pw")):
        return PASSWORD
    if word in _SECRET_WORDS or any(part in word for part in _SECRET_PARTS) or word.endswith(("token", "tokens", "apikey")):
        return SECRET
    if word in _KEY_WORDS:
        return NONE if before in _OPEN_KEYS else KEY
    if word in _HEADERS:
        return HEADER if word != "cookies" else WEAK
    return NUMBER if word in _NUMBER_WORDS else NONE


def is_secret_name(name: str) -> bool:
    """Return whether the name of a parameter or variable says that its value is a secret."""
    return kind_of(name) not in (NONE, WEAK) or (kind_of(name) is WEAK and name.lower() in ("signature", "sig"))
