"""What leaves the process holds no secret, and stays readable. All secrets here are made up."""

from __future__ import annotations

import base64
import json
from functools import partial

import pytest
from support.growth import assert_linear

from pipeline_trace.trace import redact

# Made up, and put together here so that scanners of repositories leave this file alone.
WORD = "Tr0ub4dor-and-3"
LOGIN = base64.b64encode(f"deploy:{WORD}".encode()).decode()
SHORT_LOGIN = base64.b64encode(b"u:p4").decode()
JWT = ".".join(("eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIn0", "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"))
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
AWS_SESSION = "ASIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
GITHUB_APP = "ghs_" + "16C7e42F292c6912E7710c838347Ae178B4a"
GITHUB_FINE = "github_pat_" + "11ABCDEFG0_abcdefghijklmnopqrstuvwxyz"
GITLAB = "glpat-" + "xYz12AbC34dEf56GhI78"
SLACK = "xoxb-" + "123456789012-abcdefGHIJKL"
SLACK_USER = "xoxp-" + "123456789012-abcdefGHIJKL"
KEY_LINES = ("MIIEowIBAAKCAQEA7bq8", "Zk3n4Yx0vW2pQ9sT1uR5", "aB6cD7eF8gH9iJ0kL1mN")


def private_key(kind: str, newline: str = "\n") -> str:
    return newline.join((f"-----BEGIN {kind}-----", *KEY_LINES, f"-----END {kind}-----"))


def _short(text: str) -> str:
    return text[:40]


SECRETS: list[tuple[str, str]] = [
    # Shell traces (set -x), environment dumps, command lines
    (f"+ export DB_PASSWORD={WORD}", WORD),
    (f"+ DB_PASSWORD='two {WORD} words'", WORD),
    (f"++ PGPASSWORD={WORD}\n++ psql -h db -c 'select 1'", WORD),
    (f"ANSIBLE_VAULT_PASS={WORD} ansible-playbook site.yml", WORD),
    (f"SECRET_KEY={WORD}", WORD),
    (f"export GH_TOKEN={WORD};git push", WORD),
    (f"declare -x NPM_TOKEN=\"{WORD}\"", WORD),
    (f"HOME=/root\nAPI_KEY={WORD}\nLANG=C", WORD),
    (f"deploy --password {WORD} --env prod", WORD),
    (f"deploy --password={WORD}", WORD),
    (f"deploy --db-password '{WORD} x' --verbose", WORD),
    (f'helm upgrade --set "image.pullSecret={WORD}"', WORD),
    (f"vault login --token {WORD}", WORD),
    (f"az login --client-secret {WORD}", WORD),
    (f"gcloud --api-key {WORD} list", WORD),
    (f"ansible-playbook -e db_password={WORD} site.yml", WORD),
    (f"ansible-playbook --extra-vars '{{\"db_password\": \"{WORD}\"}}'", WORD),
    # The command as Ansible's `cmd` and Python's CalledProcessError show it
    (f"Command '['deploy', '--password', '{WORD}']' returned non-zero exit status 1.", WORD),
    (json.dumps({"cmd": ["deploy", "--token", WORD, "--env", "prod"]}), WORD),
    (f"Command '['deploy', '--password={WORD}']' returned non-zero exit status 1.", WORD),
    # JSON, also within a JSON string
    (json.dumps({"user": "x", "password": WORD, "port": 5}), WORD),
    (json.dumps({"apiKey": WORD}, indent=2), WORD),
    (json.dumps({"msg": json.dumps({"client_secret": WORD})}), WORD),
    (f'{{"auth_token":"{WORD}","ok":true}}', WORD),
    (json.dumps({"password": f'a"{WORD}'}), WORD),
    (json.dumps({"password": f"a\\{WORD}"}), WORD),
    # YAML and ini
    (f"db:\n  password: {WORD}\n  port: 5432", WORD),
    (f"db:\n  password: '{WORD}'\n", WORD),
    (f"private_token: \"{WORD}\"", WORD),
    (f"credentials:\n  access_key: {WORD}", WORD),
    (f"password: |-\n  {WORD}\nport: 5", WORD),
    (f"password: >\n    {WORD}\n", WORD),
    (f"[db]\npasswd = {WORD}\n", WORD),
    (f"ansible_become_pass={WORD}", WORD),
    (f"ansible_ssh_pass: {WORD}", WORD),
    (f"TOKEN := {WORD}", WORD),
    # Python
    (f"{{'user': 'x', 'password': '{WORD}'}}", WORD),
    (f"{{'password': b'{WORD}'}}", WORD),
    (f"{{'token': u'{WORD}'}}", WORD),
    (f"Settings(user='x', secret_key='{WORD}', debug=False)", WORD),
    (f"environ({{'AWS_SECRET_ACCESS_KEY': '{WORD}', 'HOME': '/root'}})", WORD),
    (f'  File "x.py", line 3, in f\n    connect(password="{WORD}")\nValueError: no', WORD),
    (f'  File "x.py", line 3, in f\n    os.environ["TOKEN"] = "{WORD}"\nKeyError: 1', WORD),
    (f"KeyError: 'x'\ntoken => {WORD}", WORD),
    # Characters that a password may hold
    ("+ export DB_PASSWORD=first,second-half", "second-half"),
    ("+ DB_PASSWORD='it'\\''s-a-secret'", "s-a-secret"),
    ("DB_PASSWORD=first(second-half", "second-half"),
    # HTTP, curl
    (f"Authorization: Bearer {WORD}", WORD),
    (f"curl -H 'Authorization: Bearer {WORD}' https://api", WORD),
    (f"> authorization: bearer {WORD}", WORD),
    (f"Authorization: Basic {LOGIN}", LOGIN),
    (f"Authorization: Basic {SHORT_LOGIN}", SHORT_LOGIN),
    (f"Proxy-Authorization: Basic {LOGIN}", LOGIN),
    (f"Authorization: token {WORD}", WORD),
    (f"{{'Authorization': 'Bearer {WORD}'}}", WORD),
    (f"{{'Authorization': b'Basic {LOGIN}'}}", LOGIN),
    (f"send: b'GET / HTTP/1.1\\r\\nAuthorization: token {WORD}\\r\\n\\r\\n'", WORD),
    (f"send: b'GET / HTTP/1.1\\r\\nAuthorization: Basic {LOGIN}\\r\\n\\r\\n'", LOGIN),
    (f"refused: Bearer {WORD}", WORD),
    (f"refused: Basic {LOGIN}", LOGIN),
    (f'curl -H "PRIVATE-TOKEN: {WORD}" https://gitlab/api', WORD),
    (f"curl --header 'X-Api-Key: {WORD}'", WORD),
    (f"curl -u deploy:{WORD} https://nexus/repo", WORD),
    (f"curl --user 'deploy:{WORD}' https://nexus/repo", WORD),
    (f"curl -d 'user=x&password={WORD}' https://login", WORD),
    # URLs
    (f"fatal: unable to access 'https://deploy:{WORD}@git.example.com/x.git/'", WORD),
    (f"https://{WORD}@git.example.com/x.git", WORD),
    (f"https://deploy:p@{WORD}@git.example.com/", WORD),
    (f"postgresql://app:{WORD}@db:5432/app", WORD),
    (f"amqp://guest:{WORD}@mq//", WORD),
    (f"redis://:{WORD}@cache:6379/0", WORD),
    (f"ssh://git:{WORD}@host/x", WORD),
    (f"jdbc:mysql://db/app?user=a&password={WORD}&ssl=true", WORD),
    (f"GET https://api/x?access_token={WORD}&page=2", WORD),
    (f"GET https://api/x?page=2&api_key={WORD}#top", WORD),
    (f"GET https://maps/x?key={WORD}", WORD),
    (f"https://blob.core.windows.net/x?sv=2024&sig={WORD}", WORD),
    (f"https://s3.amazonaws.com/x?X-Amz-Expires=60&X-Amz-Signature={WORD}", WORD),
    (f"Server=db;User Id=sa;Password={WORD};Encrypt=True", WORD),
    (f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={WORD};", WORD),
    # Tokens that are known by their shape, wherever they stand
    (f"An error with {AWS} occurred", AWS),
    (f"[{AWS_SESSION}]", AWS_SESSION),
    (f"remote: {GITHUB} is expired", GITHUB),
    (f"cloning with {GITHUB_APP}...", GITHUB_APP),
    (f"({GITHUB_FINE})", GITHUB_FINE),
    (f"git clone https://oauth2:{GITLAB}@gitlab.com/x", GITLAB),
    (f"refused {GITLAB}.", GITLAB),
    (f"slack said no to {SLACK}", SLACK),
    (f"<{SLACK_USER}>", SLACK_USER),
    (f"jwt {JWT} is too old", JWT),
    (f"cookie: session={JWT}; Path=/", JWT),
    (json.dumps({"stderr": f"remote: denied\n{GITHUB} is expired"}), GITHUB),
    (repr(f"one\n{AWS}\ttwo"), AWS),
    (repr(f"one\n{JWT}"), JWT),
    # Private keys
    (f"key:\n{private_key('RSA PRIVATE KEY')}\nnext", "\n".join(KEY_LINES)),
    (private_key("OPENSSH PRIVATE KEY"), KEY_LINES[1]),
    (private_key("EC PRIVATE KEY"), KEY_LINES[2]),
    (private_key("ENCRYPTED PRIVATE KEY"), KEY_LINES[0]),
    (private_key("PRIVATE KEY"), KEY_LINES[0]),
    (private_key("PGP PRIVATE KEY BLOCK"), KEY_LINES[0]),
    (json.dumps({"content": private_key("RSA PRIVATE KEY")}), KEY_LINES[1]),
    (f"ssh_key: |\n  {private_key('RSA PRIVATE KEY', newline=chr(10) + '  ')}\n", KEY_LINES[1]),
    (f"cut: {private_key('RSA PRIVATE KEY')[:70]}", KEY_LINES[0]),
    (f"{KEY_LINES[1]}\n{KEY_LINES[2]}=\n-----END RSA PRIVATE KEY-----\nrefused", KEY_LINES[2]),
    (f"cut:\n  {KEY_LINES[0]}\r\n  {KEY_LINES[1]}\r\n  -----END PRIVATE KEY-----", KEY_LINES[0]),
    # JSON in JSON in a repr, as arguments and conditions show it
    (repr({"msg": json.dumps({"body": json.dumps({"client_secret": f"two {WORD} words"})})}), WORD),
    (json.dumps({"body": json.dumps({"headers": json.dumps({"Authorization": f"token {WORD}"})})}), WORD),
]  # fmt: skip

HARMLESS = [
    "Basic authentication failed for user deploy",
    "Basic realm requested",
    "Use basic configuration for the host",
    "Bearer authentication failed",
    "Bearer token expired",
    "the key is missing",
    "missing key in dictionary",
    "KeyError: 'name'",
    "token expired at 12:00",
    "unexpected token at line 5",
    "syntax error near unexpected token `fi'",
    "Unexpected token < in JSON at position 0",
    "password authentication failed for user postgres",
    "sudo: a password is required",
    "Permission denied (publickey,password).",
    "Host key verification failed.",
    "The authenticity of host 'web1 (10.0.0.1)' can't be established.",
    "ECDSA key fingerprint is SHA256:abc.",
    "Enter passphrase for key '/root/.ssh/id_rsa':",
    "no secret found in namespace prod",
    "secrets were rotated yesterday",
    "Connection to https://git.example.com/team/app.git refused",
    "GET https://api.example.com/v1/items?page=2&sort=name 404",
    "mail deploy@example.com about it",
    "git@github.com:team/app.git: not found",
    "keyboard interrupt",
    "Monkey patching is off: turkey sandwich",
    "tokenizer loaded in 3 s",
    "author: Jane Doe",
    "Authors: 5",
    "bypass enabled",
    "passed: 5, failed: 2",
    "tests passed=12 skipped=3",
    "primary key violated in table users",
    "foreign key constraint fails",
    "sk-learn is a package",
    "SG. is a short name",
    "AKIA is a prefix",
    "the file /etc/ssl/private/key.pem was not found",
    "fatal: [web1]: UNREACHABLE! => {\"msg\": \"Failed to connect to the host via ssh\"}",
    "Retrying (2 of 3): curl -fsS https://web1:8443/health",
    "script returned exit code 1",
    "ModuleNotFoundError: No module named 'secrets2'",
    "Copying keyring to /usr/share/keyrings/docker.gpg",
]  # fmt: skip

# Of these a word may be lost: what stands behind the name may be a secret as well.
NEARLY = [
    "password: must be at least 8 characters",
    "invalid token: unexpected end of input",
    "secret: not found in the vault",
    "error: unknown key: retries is not supported here",
    "token count: 5 of 10 used",
    "password = required for this host",
    "key: value pairs are expected",
    "duplicate keys: 3 found in the map",
    "compass: north",
]


@pytest.mark.parametrize(("text", "secret"), SECRETS, ids=_short)
def test_no_secret_survives(text: str, secret: str) -> None:
    assert secret in text
    masked = redact.masked(text)
    assert secret not in masked
    assert not [line for line in KEY_LINES if line in masked]


@pytest.mark.parametrize(("text", "secret"), SECRETS[::3], ids=_short)
def test_masking_twice_is_masking_once(text: str, secret: str) -> None:
    assert redact.masked(redact.masked(text)) == redact.masked(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert redact.masked(text) == text


@pytest.mark.parametrize("text", NEARLY)
def test_text_that_might_hold_a_secret_loses_a_word_at_most(text: str) -> None:
    lost = [word for word in text.split() if word not in redact.masked(text).split()]
    assert len(lost) <= 1


def test_what_stands_around_a_secret_stays_readable() -> None:
    assert redact.masked(f"+ deploy --password {WORD} --env prod") == "+ deploy --password *** --env prod"
    assert redact.masked(f"db password={WORD} at line 3") == "db password=*** at line 3"
    assert redact.masked(f"https://u:{WORD}@host/path?x=1") == "https://***@host/path?x=1"
    assert redact.masked(f"x?token={WORD}&page=2") == "x?token=***&page=2"
    assert redact.masked(f"before\n{private_key('RSA PRIVATE KEY')}\nafter") == "before\n***\nafter"


def test_a_templates_placeholder_is_no_secret() -> None:
    assert redact.masked("password: {{ vault_password }}") == "password: {{ vault_password }}"


@pytest.mark.parametrize(
    "name",
    [
        "PASSWORD", "db_password", "DB_PASS", "passwd", "PWD_ROOT", "SECRET", "client-secret", "GITHUB_TOKEN", "apiKey",
        "API_KEY", "ssh_key", "PRIVATE_KEY", "passphrase", "credentials", "key", "SIGNING_KEY", "accountKey",
    ],
)  # fmt: skip
def test_names_that_say_that_their_value_is_secret(name: str) -> None:
    assert redact.is_secret_name(name)


@pytest.mark.parametrize("name", ["VERSION", "TARGET", "monkey", "KEYBOARD", "turkey", "passenger", "hosts", "BRANCH"])
def test_names_that_say_nothing_of_the_kind(name: str) -> None:
    assert not redact.is_secret_name(name)


HOSTILE = [
    "password", "pass" * 30 + " ", "token=", "token:", 'password="', "password='", 'password=\\"', "--password ", "--", "-",
    "=", "a", "A ", "https://", "a://", "a:b@", "x://a:", "bearer ", "basic ", "authorization ", "authorization:", "eyJ",
    "eyJ-", "eyJaaaaa.", "eyJaaaaa.-", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "SG.aaaaaaaaaaaa", "sk-", "ghp_", "key",
    "secret_", "\n", '"', "'", "\\", "password = ", "glpat-aaaaaaaaa ", "hvs.", "AKIA", "xoxb-", "_key", "token.", "pwd-",
    "key-" * 25 + " ", "--token-" * 7 + " ", 'token=\\\\"', 'token=\\\\"a\\\\\\"', "-----END PRIVATE KEY-----", "AAAA\n",
    "AAAA\n-----END PRIVATE KEY-----\n", "token=" + "\\" * 9 + '"',
]  # fmt: skip
_SIZE = 1 << 16


@pytest.mark.parametrize("unit", HOSTILE, ids=_short)
def test_time_grows_with_the_text_and_not_with_its_square(unit: str) -> None:
    assert_linear(lambda size: partial(redact.masked, (unit * (size // len(unit) + 1))[:size]), _SIZE)


@pytest.mark.parametrize(
    ("before", "run"),
    [
        ("password", " "),
        ('password="', "\\"),
        ("authorization: a", " "),
        ("https://", "a:"),
        ("basic ", "A"),
        ("--token", " "),
    ],
    ids=_short,
)
def test_time_grows_with_a_long_run_behind_a_name_and_not_with_its_square(before: str, run: str) -> None:
    assert_linear(lambda size: partial(redact.masked, before + run * (size // len(run))), _SIZE)


def test_time_grows_with_a_log_and_not_with_its_square() -> None:
    line = f'{{"time": "12:00", "url": "https://u:p@host/x?token={WORD}", "password": "{WORD}", "msg": "key missing"}}\n'
    assert WORD not in redact.masked(line * 10)
    assert_linear(lambda size: partial(redact.masked, line * (size // len(line))), 1 << 20)


def test_text_without_anything_suspicious_is_returned_as_it_is() -> None:
    text = "all is well " * 1000
    assert redact.masked(text) is text


def test_clipping_says_how_much_is_missing() -> None:
    assert redact.clip("a" * 10, 10) == "a" * 10
    assert redact.clip("a" * 15, 10) == "a" * 10 + "… (5 more characters)"
