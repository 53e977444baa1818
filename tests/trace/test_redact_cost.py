"""What masking costs: in proportion to the text, only for the part that is kept, and no secret shows that the cut went
through."""

from __future__ import annotations

from functools import partial

import pytest
from support.growth import assert_linear

from pipeline_trace.trace import redact
from pipeline_trace.trace.redact import search

WORD = "Zq7xVrT4mKp9"
_SIZE = 1 << 15

# What the searches look for, again and again, and half of it: nothing may be searched again for each of them.
UNITS = [
    "password='a ", 'password="a\\" ', "'password=a ", '"token=a\n', "'token=x\n\"key=y\n", "password: a, ", "?token=a&",
    "?token=a&b",
    ";password=a", "{password=a, ", "password={{a ", "password={", "password=(", "key={key=", "key=['a',", "secret: [",
    "auth=('a', ",
    "<password>", "<password a=b>", "<key>password</key>", "password:\n  ", "password: |\n", "password: |\\n ",
    "password\n\n", "password\t",
    "password -> ", 'password "', "| password |", '{"name": "password", ', 'name="password"\n\n', "a_password_",
    "password.........",
    "password is ", "password for x: ", "token is ", "identified by ", "password for a", "otp ", "verification code ",
    "x://a:b", "x://a@",
    "x://a:b/c@", "x://a:b#c@d", "https://h/hook/", "%3A%2F%2F", "a:b@", "a1:b2c3@", "jdbc:oracle:thin:a/", "/with/key/",
    "curl -u ",
    "curl -u a:b ", "mysql -p", "mysql -pa ", " -a", '"-p", ', "sh -c '", 'sh -c "', "sh -c \\\"", "echo a | sudo -S ",
    "echo a | ", "vault ",
    "htpasswd -b ", "a|", "a\\\n", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "A" * 44 + "\n",
    "aB1" * 20 + "\n",
    "$ANSIBLE_VAULT;1.1;AES256\n", "Private-Lines: 1\n", "a.b-c_", "-aaaaaaA", "xA-aaaaaaaaaaaaaaA", "eyJ.", "11", "dapi",
    "AZDO", "$6$", "{SHA}",
    "a,password\n", "a:5432:b:c:", "PASS ", "AUTH ", "login('a', ", "send \"a", "\u200b", "pässword=", "İpassword=a ",
    "\x1b[31m",
    "a://b:c@d://", "a:b:c:d:e", "set ", "Basic aaaaaaaa", "Bearer aaaa", "%22password%22%3A", "&quot;password&quot;:",
    "pw=", "psk: ", "_=", "kind: Secret\n", "kind: Secret\ndata:\n  a: b\n", '{"kind":"Secret",',
    '{"kind":"Secret","data":{', "{kind: Secret, ", "  kind: Secret\n data:\n", "'kind': 'Secret', '",
    "a | password\n---+---\n", "password|", "| password\n", "password  a\n", "PASSWORD  A\n", "password\n--------\n",
    "- -- password\n", 'password,"a""b",\n', ',"a""b', '"",password\n', "password\ta\n", "Key  Value\n---  -----\n",
    "= Data =\nKey  Value\n---  -----\na  b\n", "token value|", "SecureString\t", "SecureString | Value | ",
    "arn:aws:secretsmanager:a\tb\t", "[parameters: (", "select with params ('a', ", "binding parameter [1",
    "DETAIL:  parameters: $1 = ", "password = <<EOF\n", "password = <<E\nE\n", "chpasswd <<E\n", "chpasswd <<E; ",
    "passwd <<<",
    "cat <<< a | passwd; ", "(echo a; ", "x <(echo a ", "env('TOKEN') or ", "getenv('a', ", "password: getenv('a', ",
    "AKIAAAAAAAAAAAAAAAA ", "AKIA", "scott/aA1", "a/b@", "a:b@c:", "password ....", "password....a", "token: a = ",
    "{token,", "token REG_SZ ", "token\n", "token\nb input_value=", "\\u0022token\\u0022:", "<password><value>",
    "token -> a", "ACL SETUSER ", 'user = "a:', "token string(1) ",
    "stats auth a:", "login=a:", 'createUser a SHA "', "md5", "md5 {", "SCRAM-SHA-256$1:", "[generated in 1s] (",
    "sqlalchemy [cached since (",
    'token "a" value ', "token (a) (len=1) ", "read token <<< a\n", "password: 'a' => ",
    "stringData: {", "PSK: PSK \"a", "token ENC ",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: repr(unit)[:30])
def test_time_grows_with_the_text_and_not_with_its_square(unit: str) -> None:
    assert_linear(lambda size: partial(redact.masked, (unit * (size // len(unit) + 1))[:size]), _SIZE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: repr(unit)[:30])
def test_masking_twice_changes_nothing_more(unit: str) -> None:
    masked = redact.masked(unit * 20)
    assert redact.masked(masked) == masked


BEFORE = ["password=", 'password="', "password: ", "password:", "--password", "https://", "https://a:", "curl ", "curl -u ",
    "-p", "<password",
          "Authorization:", "password: |\n", "[", "$6$", "identified", "password is", "password for", "send \"",
          "a,password\n"]  # fmt: skip


@pytest.mark.parametrize(
    "run", ["a", " ", "\\", '"', '\\\\"', "@", "a:", "a@", "{", ".", "-", "'a' ", "\n", "a,", "\t", "&", "a=", "aB1"]
)
def test_time_grows_with_a_long_run_behind_a_name(run: str) -> None:
    for before in BEFORE:
        assert_linear(lambda size, text=before: partial(redact.masked, text + run * (size // len(run))), _SIZE)


LINE = "2026-11-29T12:00:00Z INFO auth-service request id=4711 user=mara path=/api/v2/items status=200 key=abc took 12 ms\n"


@pytest.mark.parametrize("part", [redact.masked_start, redact.masked_end])
def test_only_the_part_that_is_kept_and_a_margin_are_searched(part, monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []
    find = search.find
    monkeypatch.setattr(search, "find", lambda text: searched.append(len(text)) or find(text))
    for size in (1 << 17, 1 << 23):
        part(LINE * (size // len(LINE)), 4000)
    small, large = sum(searched[: len(searched) // 2]), sum(searched[len(searched) // 2 :])
    assert large == pytest.approx(small, rel=0.1)
    assert large < 8000


def test_names_that_come_again_are_masked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []
    find = search.find
    monkeypatch.setattr(search, "find", lambda text: searched.append(text) or find(text))
    for _ in range(1000):
        assert redact.masked("Rotate the token of host web-17") == "Rotate the token of host web-17"
    assert len(searched) <= 1


KEY = "\n".join("aB1" * 21 + f"{chr(65 + line % 26)}" for line in range(35))
# The secret, and what is around it: each longer than the margin, so that a cut is in its middle.
LONG = {
    "a word": f"DB_PASSWORD={'Zq7xVrT4mKp9' * 600}",
    "a quoted phrase": 'password="' + "tangerine Zq7xVrT4mKp9 " * 400 + '"',
    "a quoted phrase in JSON": '{"a": "b", "password": "' + "tangerine Zq7xVrT4mKp9 " * 400 + '"}',
    "a single-quoted phrase": "password='" + "tangerine Zq7xVrT4mKp9 " * 400 + "'",
    "a JSON web token": "jwt eyJhbGciOiJIUzI1NiJ9." + "Zq7xVrT4mKp9" * 600 + ".sig",
    "a key": f"-----BEGIN RSA PRIVATE KEY-----\n{KEY * 4}\n-----END RSA PRIVATE KEY-----",
    "a key in JSON": '{"k": "-----BEGIN RSA PRIVATE KEY-----' + f"\\n{KEY * 4}".replace("\n",
    "\\n") + '\\n-----END RSA PRIVATE KEY-----\\n"}',
    "a login in an address": f"https://bob:{'Zq7xVrT4mKp9' * 600}@host/x",
    "a bearer": f"Authorization: Bearer {'Zq7xVrT4mKp9' * 600}",
    "a block of YAML": "password: |\n" + "  tangerine Zq7xVrT4mKp9\n" * 300,
    "an option": f"deploy --token {'Zq7xVrT4mKp9' * 600}",
    "a value of a query": f"https://host/x?token={'Zq7xVrT4mKp9' * 600}",
    "an element": f"<password>{'Zq7xVrT4mKp9' * 600}</password>",
}  # fmt: skip


@pytest.mark.parametrize("what", LONG)
def test_no_cut_goes_through_a_secret_whatever_its_length(what: str) -> None:
    """The cut is put at every place of the text, a step of a few hundred characters apart."""
    text = "begin of the output\n" + "all is well\n" * 400 + LONG[what] + "\n" + "the end is near\n" * 400
    for limit in range(50, len(text), 397):
        for part in (redact.masked_start(text, limit), redact.masked_end(text, limit)):
            assert not [piece for piece in ("Zq7x", "xVrT", "mKp9", "aB1aB1", "tangerine") if piece in part], (
                limit,
                part[:300],
                part[-300:],
            )


def test_what_stands_before_a_long_secret_is_kept() -> None:
    text = "failed: password=" + "Zq7xVrT4mKp9" * 600 + "\nthe end"
    assert redact.masked_start(text, 100).startswith("failed: password=***")
    assert redact.masked_end(text, 100) == "***\nthe end"


def test_a_short_text_is_kept_whole_by_both() -> None:
    assert redact.masked_start("a", 10) == redact.masked_end("a", 10) == "a"
    assert redact.masked_start("ab cd ef gh ij", 5) == "ab cd… (9 more characters)"
    assert redact.masked_end("ab cd ef gh ij", 5) == "gh ij"
