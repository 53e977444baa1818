"""All shapes of secrets.jsonl are masked whole, wherever they stand; no text of plain.txt is changed. All secrets are made
up."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from pipeline_trace.trace import redact

HERE = Path(__file__).parent
# Put together here, so that scanners of repositories leave the data alone.
VALUES = {
    "{WORD}": "Zq7xVrT4mKp9",
    "{PHRASE}": "tangerine Zq7xVrT4mKp9 marmalade; of&plums",
    "{HEX}": "3f9ab27c5d10e84b6f2e7a91c0d4b853",
    "{BASE64}": "wJalrXUtnFEMIK7MDENGbPxRfiCYzEXAMPLEKEY12",
    "{KEY_LINE}": "MIIEowIBAAKCAQEA7bq8Zk3n4Yx0vW2pQ9sT1uR5aB6cD7eF8gH9iJ0kL1mN",
    "{LOGIN}": base64.b64encode(b"deploy:Zq7xVrT4mKp9").decode(),
    "{CODE}": "482913",
    "{AWS}": "IOSFODNN7EXAMPLE",
    "{HEADER}": "eyJhbGciOiJIUzI1NiJ9",
}
# What must not remain of a value: any five letters in a row, or a word of a phrase.
WORDS = {"{PHRASE}": ("tangerine", "marmalade", "plums")}
SHAPES = [json.loads(line) for line in (HERE / "secrets.jsonl").read_text(encoding="utf-8").splitlines()]
PLAIN = (HERE / "plain.txt").read_text(encoding="utf-8").splitlines()


def filled(text: str) -> str:
    for name, value in VALUES.items():
        text = text.replace(name, value)
    return text


def remains(text: str, shape: str) -> list[str]:
    """Return what of the secrets of a shape is in a text."""
    found = []
    for name, value in VALUES.items():
        if name in shape and name != "{HEADER}":
            value = VALUES["{WORD}"] if name == "{PHRASE}" else value
            pieces = [value[at : at + 5] for at in range(len(value) - 4)]
            found += [piece for piece in (*pieces, *WORDS.get(name, ())) if piece in text]
    return found


@pytest.mark.parametrize("shape", SHAPES, ids=[shape["name"] for shape in SHAPES])
def test_a_shape_is_masked_whole_and_masking_twice_changes_nothing(shape: dict[str, str]) -> None:
    masked = redact.masked(filled(shape["text"]))
    assert remains(masked, shape["text"]) == []
    assert redact.masked(masked) == masked


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert redact.masked(text) == text


def test_a_log_of_texts_without_secrets_stays_as_it_is() -> None:
    log = "\n".join(PLAIN)
    assert redact.masked(log) == log


CASES = [json.loads(line) for line in (HERE / "cases.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_nothing_remains_of_the_secret_of_a_case_on_which_it_once_failed(case: dict[str, str]) -> None:
    secret = base64.b64decode(case["secret_base64"]).decode()
    masked = redact.masked(case["text"].replace("{SECRET}", secret))
    assert [secret[at : at + 5] for at in range(max(len(secret) - 4, 1)) if secret[at : at + 5] in masked] == []
    assert redact.masked(masked) == masked


# Documents and tables of several lines that have names of secrets, and no secret.
DOCUMENTS = {
    "ConfigMap": "apiVersion: v1\nkind: ConfigMap\ndata:\n  door: Zq7xVrT4mKp9\n",
    "ConfigMap next to a Secret": "kind: ConfigMap\ndata:\n  door: open\n---\nkind: Secret\nmetadata:\n  name: db\n",
    "ExternalSecret": "kind: ExternalSecret\nspec:\n  data:\n  - remoteRef:\n      property: door\n",
    "ConfigMap of JSON": '{"kind": "ConfigMap", "data": {"door": "open"}, "metadata": {"name": "x"}}',
    "secrets of a cluster":
    "NAME         TYPE       DATA   AGE\napp-secret   Opaque     2      5m\nsa-token     k8s.io/x   3      5d",
    "accounts of a cluster": "NAME      SECRETS   AGE\ndefault   1         5d",
    "help": "  password     Set the password\n  token        Show the token\n",
    "psql without secrets": " user | role\n------+-------\n bob  | admin\n(1 row)",
    "vault's metadata": "======= Metadata =======\nKey              Value\n---              -----\nversion          1\n",
    "heading": "Passwords\n---------\n\nWrite them down.",
    "usage": "usage: app [user|password]\nsee the manual\n",
    "parameters of a module": "failed with args ['git', 'clone']\n",
    "statement": "INSERT INTO users (name, password) VALUES (%s, ?)",
    "environment": "password = os.environ.get('DB_PASSWORD')\n",
    "document read from input": "kubectl apply -f - <<EOF\nkind: ConfigMap\nEOF\n",
    "script read from input": "sudo -i <<EOF\nsystemctl restart app\nEOF\n",
}  # fmt: skip


@pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_without_secrets_stays_as_it_is(text: str) -> None:
    assert redact.masked(text) == text


def test_there_are_as_many_as_the_product_promises() -> None:
    assert len({shape["text"] for shape in SHAPES}) >= 300
    assert len(set(PLAIN)) >= 200


# One shape of each family, in every place of a text.
FORMS = ["DB_PASSWORD={WORD}", 'DB_PASSWORD="{PHRASE}"', "--password {WORD}", "--password='{PHRASE}'",
    "Authorization: Bearer {WORD}",
         "https://bob:{WORD}@host.example.com/x", '{"password": "{PHRASE}"}', "mysql -uroot -p{WORD} app", "ghp_{HEX}",
         "api_key: {WORD}",
         "curl -u bob:{WORD} https://x", "?access_token={WORD}&page=2", "IDENTIFIED BY '{PHRASE}'",
         "<password>{PHRASE}</password>"]  # fmt: skip
PLACES = {
    "alone": "{}", "in a line": "2026-11-29 ERROR said {} and ended", "behind a colon": "fatal: {}",
    "second line": "first\n{}\nlast",
    "windows lines": "first\r\n{}\r\nlast", "in brackets": "failed ({})", "in square brackets": "[{}]",
    "behind a tab": "a\t{}",
    "in quotes": "run \"{}\" now", "in single quotes": "run '{}' now", "behind ANSI": "\x1b[31m{}\x1b[0m",
    "indented": "    {}",
    "listed": "- {}", "traced": "+ {}", "after a pipe": "x | {}", "twice": "{} {}",
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_a_shape_is_masked_in_every_place(form: str, place: str) -> None:
    if "quotes" in place and ('"' if "single" not in place else "'") in form:
        pytest.skip("the quotes would end each other")
    masked = redact.masked(PLACES[place].replace("{}", filled(form)))
    assert remains(masked, form) == []
    assert redact.masked(masked) == masked


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wrap", ["json", "json in json", "repr", "repr of json"])
def test_a_shape_is_masked_in_what_json_and_python_write(form: str, wrap: str) -> None:
    text = f"first\n{filled(form)}\nlast"
    for kind in {"json": "j", "json in json": "jj", "repr": "r", "repr of json": "jr"}[wrap]:
        text = json.dumps({"msg": text}) if kind == "j" else repr({"msg": text})
    masked = redact.masked(text)
    assert remains(masked, form) == []
    assert redact.masked(masked) == masked
