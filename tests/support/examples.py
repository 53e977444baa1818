"""What tests of the examples share: is a command line in one understood, is what a file names there?"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import click

import support
from pipeline_trace.commands import cli

CLICKHOUSE = support.ROOT / "examples/clickhouse"


def command(name: str) -> click.Command:
    """Return one of our commands."""
    found = cli.get_command(None, name)  # type: ignore[arg-type]
    assert found
    return found


def understood(words: Sequence[str]) -> click.Context:
    """Return how pipeline-trace understands a command's words. Fail where it does not."""
    name, *rest = words
    return command(name).make_context(name, rest)


def loadable(text: str, folder: Path) -> Path:
    """Write a configuration of the poller whose files with logins are in a folder of the test."""
    (folder / "secret").write_text("x")
    file = folder / "poller.yaml"
    file.write_text(re.sub(r"(\w+_file:) \S+", r"\1 secret", text))
    return file


def check_command(words: list[str], folder: Path) -> None:
    """Check a command of ours in an example of examples/clickhouse. ``folder``: for the secrets that it names."""
    secret = folder / "secret"
    secret.touch()
    understood([str(secret) if word.startswith("/run/secrets/") else word for word in words])


def make_secrets(folder: Path) -> Path:
    """Run secrets.sh in a folder of the test; return the folder that it makes."""
    shutil.copy(CLICKHOUSE / "secrets.sh", folder)
    done = support.run("sh", folder / "secrets.sh", env=support.environ(folder))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder / "secrets"
