"""Settings: where messages go and in which form; and that an address is never shown."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from pipeline_trace.notify import settings
from pipeline_trace.notify.settings import JSON, SLACK, TEAMS, SettingsError, from_environment

SECRET = "T0123456/B0123456/x9Y8z7W6v5U4t3S2"
SLACK_URL = f"https://hooks.slack.com/services/{SECRET}"


@pytest.mark.parametrize(
    ("host", "form"),
    [
        ("hooks.slack.com", SLACK),
        ("hooks.slack.com.evil.example", JSON),
        ("acme.webhook.office.com", TEAMS),
        ("prod-12.westeurope.logic.azure.com", TEAMS),
        ("notlogic.azure.com.example", JSON),
        ("relay.example.com", JSON),
    ],
)
def test_the_form_is_known_by_the_host(host: str, form: str) -> None:
    found = from_environment({settings.ADDRESS: f"https://{host}/{SECRET}"})
    assert found
    assert found.form == form


def test_a_setting_names_another_form_and_a_file_has_the_address(tmp_path: Path) -> None:
    file = tmp_path / "hook"
    file.write_text(f"{SLACK_URL}\n")
    found = from_environment({settings.ADDRESS_FILE: str(file), settings.FORM: "JSON"})
    assert found
    assert (found.form, found.webhook.address) == (JSON, SLACK_URL)


def test_without_an_address_there_is_no_notifier() -> None:
    assert from_environment({settings.FORM: SLACK}) is None


@pytest.mark.parametrize(
    "environ",
    [
        {settings.ADDRESS: f"hooks.slack.com/services/{SECRET}"},
        {settings.ADDRESS: f"ftp://hooks.slack.com/services/{SECRET}"},
        {settings.ADDRESS: f"https://hooks.slack.com:x/services/{SECRET}"},
        {settings.ADDRESS: f"https://[hooks/services/{SECRET}"},
        {settings.ADDRESS: f"https://a/{SECRET}\nhttps://b/{SECRET}"},
        {settings.ADDRESS: SLACK_URL, settings.FORM: SECRET},
        {settings.ADDRESS: SLACK_URL, settings.ADDRESS_FILE: "/nowhere"},
        {settings.ADDRESS_FILE: "/nowhere"},
        {settings.ADDRESS_FILE: "/dev/zero"},
        {settings.ADDRESS: SLACK_URL, settings.TEMPLATE: "/nowhere"},
    ],
)
def test_a_wrong_setting_is_one_line_that_names_the_variable_and_not_the_address(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as error:
        from_environment(environ)
    whole = "".join(traceback.format_exception(error.value))
    assert len(str(error.value).splitlines()) == 1
    assert "PIPELINE_TRACE_NOTIFY" in str(error.value)
    assert "x9Y8z7W6v5U4t3S2" not in whole


def test_no_representation_has_the_address() -> None:
    found = from_environment({settings.ADDRESS: SLACK_URL})
    assert found
    assert "x9Y8" not in repr(found) + str(found) + found.said + repr(vars(found))
    assert found.said == "a webhook of hooks.slack.com (slack, from PIPELINE_TRACE_NOTIFY)"


@pytest.mark.parametrize(
    "address",
    [
        SLACK_URL,
        f"https://u:p4ssw0rd-x@h.example/a?sig={SECRET}",
        "https://prod.logic.azure.com/workflows/0a1b2c3d4e/x?sig=Zz9Yy8Xx7",
    ],
)
def test_texts_lose_the_address_and_its_parts_but_no_words(address: str) -> None:
    found = from_environment({settings.ADDRESS: address})
    assert found
    asked = address.partition("/")[2].partition("/")[2].partition("/")[2]
    hidden = found.webhook.hidden(f"no host for {address}, POST /{asked}, the services and workflows are down")
    assert hidden.endswith("the services and workflows are down")
    for secret in ("x9Y8z7W6v5U4t3S2", "p4ssw0rd", "Zz9Yy8Xx7", "0a1b2c3d4e"):
        assert secret not in hidden
