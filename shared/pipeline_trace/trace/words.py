"""The words in which people speak of deploys: one list for the callback, the poller, verdicts and a change's path.

Names of environments and their order, the parameters and variables that say what is deployed where, and the main branches.
docs/deployments.md and docs/path.md show them to users.
"""

from __future__ import annotations

import re
from functools import lru_cache

from . import conventions as c

INTEGRATION, STAGING, PRODUCTION = "integration", "staging", "production"
# The environments that every path has, in the order in which a change reaches them.
USUAL_ENVIRONMENTS = (INTEGRATION, STAGING, PRODUCTION)

# Other names of an environment, and its one name.
ONE_NAME = {
    "int": INTEGRATION,
    "dev": "development",
    "testing": "test",
    "stage": STAGING,
    "stg": STAGING,
    "prod": PRODUCTION,
    "prd": PRODUCTION,
    "live": PRODUCTION,
}
# Every known environment, in the order in which most changes reach them, and the usual one at whose place each is.
_PLACES = {
    "development": INTEGRATION,
    "test": INTEGRATION,
    INTEGRATION: INTEGRATION,
    "qa": STAGING,
    "uat": STAGING,
    STAGING: STAGING,
    "preprod": STAGING,
    PRODUCTION: PRODUCTION,
}
_ORDER = {name: at for at, name in enumerate(_PLACES)}
_WORD = re.compile(r"[^\W_]+")
# Not production: made one word, so that it is not read as two.
NEARLY_PRODUCTION = r"\b(pre|non)[-_ ]?prod(?:uction)?\b"
_NEARLY = re.compile(NEARLY_PRODUCTION, re.IGNORECASE)

MAIN_BRANCHES = frozenset({"main", "master", "trunk", "develop"})

# By attribute, the names of Jenkins parameters that say it; the first one that has a value counts.
PARAMETERS = {
    c.DEPLOYMENT_ENVIRONMENT: (
        "DEPLOYMENT_ENVIRONMENT",
        "DEPLOY_ENVIRONMENT",
        "DEPLOY_ENV",
        "TARGET_ENVIRONMENT",
        "TARGET_ENV",
        "ENVIRONMENT",
        "ENV",
    ),
    c.DEPLOYMENT_NAME: ("DEPLOYMENT_NAME", "DEPLOY_NAME", "APP_NAME", "APPLICATION", "SERVICE", "COMPONENT"),
    c.VCS_HEAD_REVISION: (
        "COMMIT",
        "GIT_COMMIT",
        "COMMIT_SHA",
        "REVISION",
        "GIT_SHA",
        "CI_COMMIT_SHA",
        "GITHUB_SHA",
    ),
    c.ARTIFACT_VERSION: ("APP_VERSION", "VERSION", "RELEASE", "IMAGE_TAG"),
}
# Of these, the variables of a process that say it too. The others are common in environments that have nothing to do with a
# deploy: ENV alone would turn an ordinary playbook into one.
_NOT_OF_PROCESSES = frozenset({"ENV", "SERVICE", "COMPONENT", "REVISION", "GIT_SHA"})
PROCESS_VARIABLES = {
    attribute: tuple(name for name in names if name not in _NOT_OF_PROCESSES) for attribute, names in PARAMETERS.items()
}
# Ansible's extra variables that say it; the first one that has a value counts.
EXTRA_VARIABLES = {
    c.DEPLOYMENT_ENVIRONMENT: (
        "deployment_environment",
        "deploy_environment",
        "deploy_env",
        "target_environment",
        "target_env",
        "TARGET_ENV",
        "environment_name",
        "env",
    ),
    c.DEPLOYMENT_NAME: ("deployment_name", "deploy_name", "app_name", "application", "service_name"),
    c.VCS_HEAD_REVISION: ("git_commit", "commit", "revision", "git_sha", "sha"),
    c.ARTIFACT_VERSION: ("app_version", "version", "release", "image_tag", "tag"),
}

# A commit, in full or cut short.
REVISION = re.compile(r"[0-9a-f]{7,64}")


def environment_name(said: str) -> str:
    """Return an environment's one name: production for PROD, and the lower-case word itself where it is no known name."""
    name = _NEARLY.sub(r"\1prod", said.strip().lower())
    return ONE_NAME.get(name, name)


def is_environment(word: str) -> bool:
    """Tell whether a word is a known name of an environment."""
    return environment_name(word) in _PLACES


def environments_in(text: str) -> set[str]:
    """Return the one names of the known environments that a text names: of a stage, a job, a folder."""
    return {name for name in map(environment_name, words_in(text)) if name in _PLACES}


@lru_cache(maxsize=1000)
def usual_environment(name: str) -> str:
    """Return the usual environment at whose place in the order another one is: production for prod-eu and for prod2.

    An empty string where the name does not say it, or names several.
    """
    places = {_PLACES[found] for found in _in_name(name)}
    return places.pop() if len(places) == 1 else ""


def environment_order(name: str) -> int:
    """Return the place of an environment in the order in which most changes reach them. prod-eu has the place of production.

    A name without a known environment, or with several, has the last place.
    """
    found = _in_name(name)
    return _ORDER[found.pop()] if len(found) == 1 else len(_ORDER)


def _in_name(name: str) -> set[str]:
    """Return the known environments that the name of an environment tells. It may have a number: qa1 is a qa."""
    return environments_in(" ".join(word.rstrip("0123456789") for word in words_in(name)))


def words_in(text: str) -> list[str]:
    """Return a text's words as they are written; pre-production and non-prod are one word each: preprod, nonprod."""
    return _WORD.findall(_NEARLY.sub(r"\1prod", text))
