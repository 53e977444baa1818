"""Turns the options of `poll`, or the file of --config, into the list of controllers to poll, with their logins."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from pipeline_trace.commands import fail

from .fetch.api import Login
from .poll.discovery import Selection
from .poll.service import ControllerOptions
from .poll.swept import PollSettings

# Options for one controller. With --config, the file has a key for each of them.
_OF_ONE = ("jenkins_url", "since", "include", "exclude", "detail", "trace_per", "root_url", "interval", "token_file")


def controllers_of(ctx: click.Context, asked: Mapping[str, Any]) -> list[ControllerOptions]:
    """Return the controllers to poll, from the --config file or from the options. Raises click.ClickException."""
    if asked["config"]:
        given = [name for name in _OF_ONE if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if given:
            option = f"--{given[0].replace('_', '-')}"
            raise click.UsageError(f"{option} is for one controller; with --config, write it into the file")
        return _configured(asked["config"])
    if not asked["jenkins_url"]:
        raise click.UsageError("name a controller with --jenkins-url (or JENKINS_URL), or several with --config")
    selection = Selection(asked["include"], asked["exclude"])
    settings = PollSettings(asked["detail"], asked["trace_per"], asked["since"], selection, asked["root_url"])
    return [ControllerOptions(asked["jenkins_url"], _login(asked["token_file"]), settings, asked["interval"])]


def _configured(path: Path) -> list[ControllerOptions]:
    # Imported here, because the import of pydantic is slow.
    from .config import ConfigError, load

    try:
        found = load(path, os.environ)
    except ConfigError as error:
        raise _Wrong(error.lines) from None
    return [
        ControllerOptions(
            one.url,
            login,
            PollSettings(one.detail, one.trace_per, one.since, Selection(one.include, one.exclude), one.root_url),
            one.interval,
            one.requests_per_second,
        )
        for one, login in found
    ]


class _Wrong(click.ClickException):
    """Wrong usage, with one line for each mistake."""

    exit_code = 2

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))

    def show(self, file: object = None) -> None:
        for line in self.message.splitlines():
            click.echo(f"pipeline-trace: {line}", err=True)


def _login(token_file: str | None) -> Login | None:
    user, token = os.environ.get("JENKINS_USER", ""), os.environ.get("JENKINS_API_TOKEN", "")
    if token_file:
        try:
            token = Path(token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", "not UTF-8 text")
            raise fail(f"cannot read --token-file {token_file} ({reason}); check its path and permissions") from None
    if bool(user) != bool(token):
        missing = "JENKINS_API_TOKEN (or --token-file)" if user else "JENKINS_USER"
        raise fail(f"the login is incomplete: set {missing} too")
    return Login(user, token) if user else None
