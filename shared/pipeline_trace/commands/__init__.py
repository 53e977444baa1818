"""The command line, `pipeline-trace COMMAND`: one module for each command. Other packages add commands as entry points."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import TypeVar

import click

from .. import __version__
from ..delivery.destinations import DeliveryError, SetupError
from ..delivery.home import HomeError
from .streams import take_any_text

Value = TypeVar("Value")
Command = TypeVar("Command", bound=Callable[..., object])

GROUP = "pipeline_trace.commands"
_OWN = ("compare", "context", "deploys", "doctor", "exec", "path", "prune", "report", "serve", "ship", "show", "why")


class _Commands(click.Group):
    """Loads a command only when it is used. `exec` precedes other commands, so it must start fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*_OWN, *(point.name for point in entry_points(group=GROUP))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _OWN:
            return _with_whole_sentence(import_module(f".{cmd_name}", __package__).command)
        for point in entry_points(group=GROUP):
            if point.name == cmd_name:
                return _with_whole_sentence(point.load())
        return None


def _with_whole_sentence(command: click.Command) -> click.Command:
    """Let the list of commands show the first sentence of a command's help. Click cuts it after 45 characters."""
    command.short_help = " ".join((command.help or "").partition("\n\n")[0].split())
    return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="pipeline-trace")
def cli() -> None:
    """Record a change's path to production as one OpenTelemetry trace.

    poll turns Jenkins builds into spans. The Ansible callback pipeline_trace.otel.deploy_trace turns the playbooks that
    the builds run into spans of the same trace. Without OTEL_EXPORTER_OTLP_ENDPOINT, the spans stay in the store on this
    machine, where show and report read them.
    """


def main() -> None:
    """Run the command line. Exit status: 0 success, 1 failure, 2 wrong usage, 130 interrupted."""
    take_any_text()
    try:
        status = cli.main(prog_name="pipeline-trace", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        status = 130
    except BrokenPipeError:
        # The reader (`| head`) has closed the pipe. Without this, Python prints an error when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except (HomeError, SetupError, DeliveryError, OSError) as error:
        click.echo(f"pipeline-trace: {error}", err=True)
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


def fail(message: str) -> click.ClickException:
    """Return the exception for a failed command: it prints ``message`` as one line and sets exit status 1."""
    return _Failure(message)


def format_option(help_text: str, *forms: str) -> Callable[[Command], Command]:
    """Return the option --format, which a command gets as ``form``. ``forms``: its values, the default first."""
    return click.option("--format", "form", type=click.Choice(forms), default=forms[0], show_default=True, help=help_text)


def utc_option(command: Command) -> Command:
    """Add the option --utc to a command, which gets it as ``utc``."""
    return click.option("--utc", is_flag=True, help="Show times in UTC, not in local time. JSON always has UTC.")(command)


def parsed(parse: Callable[[str], Value]) -> Callable[[click.Context, click.Parameter, str], Value]:
    """Return a callback that parses an option's value. A ValueError of ``parse`` becomes a usage error."""

    def callback(ctx: click.Context, param: click.Parameter, value: str) -> Value:
        try:
            return parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


class _Failure(click.ClickException):
    def show(self, file: object = None) -> None:
        click.echo(f"pipeline-trace: {self.message}", err=True)
