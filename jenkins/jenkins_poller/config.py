"""Reads and checks the file of `poll --config`, before the first request to a controller.

Each mistake is one line: file, key, what is wrong and what to write. A value that may be secret is not repeated.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from pipeline_trace.commands.units import age_seconds
from pipeline_trace.place.ci import PER_BUILD, PER_PIPELINE
from pipeline_trace.place.ci.jenkins.identity import normalised_url
from pipeline_trace.trace.files import read_regular
from pipeline_trace.yamlfile import load_yaml

from .fetch.api import Login
from .fetch.document import BUILD, STAGE, STEP

# Characters of what a message says of a file's syntax.
_LONGEST = 300
_MOST_SECRET = 64 << 10
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRETS = ("token", "password", "api_token", "user", "username", "login")
_WHERE_SECRETS = "do not write a login here; say where it is, with user_env or user_file and token_env or token_file"


class ConfigError(Exception):
    """The file cannot be used. ``lines``: one line for each mistake."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


def _interval(value: object) -> object:
    return age_seconds(value) if isinstance(value, str) else value


def _url(value: str) -> str:
    if "@" in urlsplit(value).netloc:
        raise ValueError(f"contains a login; {_WHERE_SECRETS}")
    return normalised_url(value)


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise ValueError("is not the name of an environment variable; write for example TEAM_A_TOKEN")
    return value


Age = Annotated[float, BeforeValidator(age_seconds)]
Interval = Annotated[float, BeforeValidator(_interval), Field(ge=1)]
Url = Annotated[str, AfterValidator(_url)]
Variable = Annotated[str, AfterValidator(_variable)]


class ControllerConfig(BaseModel):
    """One controller of the file. docs/poller-service.md describes each key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: Age = 7 * 86400.0
    detail: Literal["build", "stage", "step"] = "step"
    trace_per: Literal["pipeline", "build"] = "pipeline"
    root_url: Url = ""
    interval: Interval = 30.0
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    user_env: Variable = ""
    user_file: Path | None = None
    token_env: Variable = ""
    token_file: Path | None = None

    def login(self, environ: Mapping[str, str], folder: Path) -> Login | None:
        """Return the login, from the variables or files that the file names; None if it names none. Raises ValueError.

        ``folder``: the folder of the file, for relative paths.
        """
        user = _secret("user", self.user_env, self.user_file, environ, folder)
        token = _secret("token", self.token_env, self.token_file, environ, folder)
        if bool(user) != bool(token):
            there, missing = ("user", "token") if user else ("token", "user")
            raise ValueError(f"has a {there} and no {missing}; add {missing}_env or {missing}_file")
        return Login(user, token) if user else None


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    controllers: tuple[ControllerConfig, ...]


# What to write, by key.
_EXAMPLES = {
    "controllers": "a list of controllers, each beginning with `- url:`",
    "url": "a URL such as https://jenkins.example.com/",
    "include": 'a list of globs such as ["team-a/*"]',
    "exclude": 'a list of globs such as ["*/scratch-*"]',
    "since": "an age such as 30m, 12h or 7d",
    "detail": f"{BUILD}, {STAGE} or {STEP}",
    "trace_per": f"{PER_PIPELINE} or {PER_BUILD}",
    "root_url": "a URL such as https://jenkins.example.com/",
    "interval": "30 (seconds, at least 1), 30s or 5m",
    "requests_per_second": "a number above 0 such as 5",
    "user_env": "the name of an environment variable",
    "user_file": "the path of a file",
    "token_env": "the name of an environment variable",
    "token_file": "the path of a file",
}


def load(path: Path, environ: Mapping[str, str]) -> list[tuple[ControllerConfig, Login | None]]:
    """Read and check a file. Return its controllers with their logins. Raises ConfigError, with all mistakes."""
    try:
        data = load_yaml(path, _Loader)
        config = _Config.model_validate(data if data is not None else {})
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror}); check its path and permissions"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is not UTF-8 text; save it as UTF-8"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}: {_syntax(error)}"]) from None
    except ValidationError as error:
        raise ConfigError([f"{path}: {_mistake(details)}" for details in error.errors(include_url=False)]) from None
    found, wrong = [], list(_repeated(config.controllers))
    if not config.controllers:
        wrong.append(f"controllers: is empty; write {_EXAMPLES['controllers']}")
    for index, controller in enumerate(config.controllers):
        try:
            found.append((controller, controller.login(environ, path.parent)))
        except ValueError as error:
            wrong.append(f"controllers[{index}]: {error}")
    if wrong:
        raise ConfigError([f"{path}: {line}" for line in wrong])
    return found


def _secret(what: str, variable: str, file: Path | None, environ: Mapping[str, str], folder: Path) -> str:
    if variable and file:
        raise ValueError(f"has both {what}_env and {what}_file; keep one")
    if variable:
        if not environ.get(variable):
            # The name is not repeated: someone may have pasted the secret itself.
            raise ValueError(f"{what}_env: the variable that it names is not set; set it in the poller's environment")
        return environ[variable]
    if file is None:
        return ""
    try:
        value = read_regular(folder / file, _MOST_SECRET).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "not UTF-8 text")
        raise ValueError(f"{what}_file: cannot read {file} ({reason}); check its path and permissions") from None
    if not value:
        raise ValueError(f"{what}_file: {file} is empty; write the {what} into it")
    return value


def _repeated(controllers: Sequence[ControllerConfig]) -> Iterator[str]:
    first: dict[str, int] = {}
    for index, controller in enumerate(controllers):
        before = first.setdefault(controller.url, index)
        if before != index:
            yield f"controllers[{index}].url: is also the URL of controllers[{before}]; list each controller once"


def _mistake(details: ErrorDetails) -> str:
    """Return the line for one of pydantic's errors."""
    where, kind = details["loc"], details["type"]
    # The last parts of a location may be a list's index or a name inside pydantic, not a key of the file.
    key = next((str(part) for part in reversed(where) if isinstance(part, str)), "")
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".") or "the file"
    if kind == "extra_forbidden":
        return f"{path}: {_unknown(key, top=len(where) == 1)}"
    if kind == "missing":
        return f"{path}: is missing; write {_EXAMPLES[key]}"
    if kind in ("model_type", "model_attributes_type"):
        return f"{path}: is not a mapping; write keys and values such as " + (
            "`url: …`" if where else "`controllers: [...]`"
        )
    if kind == "value_error":
        return f"{path}: {details['msg'].removeprefix('Value error, ')}"
    return f"{path}: is wrong; write {_EXAMPLES.get(key, details['msg'])}"


def _unknown(key: str, *, top: bool) -> str:
    if key in _SECRETS and not top:
        return f"unknown key: {_WHERE_SECRETS}"
    known = list((_Config if top else ControllerConfig).model_fields)
    near = difflib.get_close_matches(key, known, 1)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; use {', '.join(known)}"


def _syntax(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}is not valid YAML ({' '.join(str(problem or error).split())[:_LONGEST]})"


class _Loader(yaml.SafeLoader):
    """Rejects a key that occurs twice. YAML readers silently use the last of the two values."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:str":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"the key {key.value} occurs twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)
