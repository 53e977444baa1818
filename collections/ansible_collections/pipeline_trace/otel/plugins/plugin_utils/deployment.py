# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a deploy is: environment, name, version and commit, from where people say them. Pure.

In this order, for each alone: the callback's option; an extra variable; the environment, where Jenkins puts a build's
parameters; for the deployment's environment also the inventory's path. What nobody says is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from . import core

c = core.conventions

# By attribute: names of extra variables, and of environment variables and Jenkins parameters.
_VARIABLES = {
    c.DEPLOYMENT_ENVIRONMENT: (
        "deployment_environment",
        "deploy_environment",
        "deploy_env",
        "target_environment",
        "environment_name",
        "env",
    ),
    c.DEPLOYMENT_NAME: ("deployment_name", "deploy_name", "app_name", "application", "service_name"),
    c.VCS_HEAD_REVISION: ("git_commit", "commit", "revision", "git_sha", "sha"),
    c.ARTIFACT_VERSION: ("app_version", "version", "release", "image_tag", "tag"),
}
_ENVIRONMENT = {
    c.DEPLOYMENT_ENVIRONMENT: (
        "DEPLOYMENT_ENVIRONMENT",
        "DEPLOY_ENVIRONMENT",
        "DEPLOY_ENV",
        "TARGET_ENVIRONMENT",
        "ENVIRONMENT",
    ),
    c.DEPLOYMENT_NAME: ("DEPLOYMENT_NAME", "DEPLOY_NAME", "APP_NAME", "APPLICATION"),
    c.VCS_HEAD_REVISION: ("GIT_COMMIT", "COMMIT", "COMMIT_SHA", "CI_COMMIT_SHA", "GITHUB_SHA"),
    c.ARTIFACT_VERSION: ("APP_VERSION", "VERSION", "RELEASE", "IMAGE_TAG"),
}
# Folders and files of an inventory that name an environment.
_STANDARD = {
    "production": "production",
    "prod": "production",
    "prd": "production",
    "live": "production",
    "staging": "staging",
    "stage": "staging",
    "stg": "staging",
    "preprod": "staging",
    "integration": "integration",
    "int": "integration",
    "test": "test",
    "testing": "test",
    "qa": "test",
    "development": "development",
    "dev": "development",
}
_REVISION = re.compile(r"[0-9a-f]{7,64}")
_LONGEST = 200


@dataclass(frozen=True)
class Sources:
    """What is known when a playbook starts. ``options``: by attribute; ``inventories``: their paths or host lists."""

    options: Mapping[str, str]
    variables: Mapping[str, object]
    environ: Mapping[str, str]
    inventories: Iterable[str] = ()


def attributes(sources: Sources) -> dict[str, str]:
    """Return what is said of a deploy; with an environment, that it is one."""
    found = {}
    for name in _VARIABLES:
        value = _said(name, sources)
        if value:
            found[name] = core.redact.masked(value)[:_LONGEST]
    if c.DEPLOYMENT_ENVIRONMENT not in found:
        environment = next(filter(None, map(_from_inventory, sources.inventories)), None)
        if environment:
            found[c.DEPLOYMENT_ENVIRONMENT] = environment
    if c.DEPLOYMENT_ENVIRONMENT in found:
        found[c.TASK_TYPE] = c.DEPLOY
    return found


def _said(name: str, sources: Sources) -> str:
    given = [sources.options.get(name) or ""]
    given += [sources.variables.get(variable) for variable in _VARIABLES[name]]
    given += [sources.environ.get(variable) for variable in _ENVIRONMENT[name]]
    words = (_word(value) for value in given)
    return next((word for word in words if word and _fits(name, word)), "")


def _word(value: object) -> str:
    """Return a value as one word for an attribute; templates and structures are none."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    text = str(value).strip()
    return "" if "{{" in text or "\n" in text else text


def _fits(name: str, word: str) -> bool:
    return name != c.VCS_HEAD_REVISION or _REVISION.fullmatch(word.lower()) is not None


def _from_inventory(path: str) -> str:
    """Return the environment that an inventory's path names: its file, else one of the two folders around it."""
    if "," in path or path.startswith(("/dev/", "/proc/")):
        return ""
    *folders, file = PurePath(path).parts or ("",)
    words = [*re.split(r"[._-]", file.lower()), *(folder.lower() for folder in reversed(folders[-2:]))]
    return next((_STANDARD[word] for word in words if word in _STANDARD), "")
