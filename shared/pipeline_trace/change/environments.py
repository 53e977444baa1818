"""What people call environments, and what they call the jobs and stages that deploy to them. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

INTEGRATION, STAGING, PRODUCTION = "integration", "staging", "production"
# The steps that every way has, in order.
USUAL = (INTEGRATION, STAGING, PRODUCTION)

# One environment under several names.
_SAME = {
    "int": INTEGRATION,
    "dev": "development",
    "testing": "test",
    "stage": STAGING,
    "stg": STAGING,
    "prod": PRODUCTION,
    "prd": PRODUCTION,
    "live": PRODUCTION,
}
_PLACES = {
    INTEGRATION: INTEGRATION,
    "test": INTEGRATION,
    "development": INTEGRATION,
    STAGING: STAGING,
    "uat": STAGING,
    "preprod": STAGING,
    "qa": STAGING,
    PRODUCTION: PRODUCTION,
}
_DEPLOYING = frozenset(
    ("deploy", "deploys", "deployment", "deploying", "rollout", "roll", "release", "promote", "promotion", "ship", "cd")
)
_BUILDING = frozenset(("build", "builds", "ci", "pipeline", "ansible"))
_CHECKING = frozenset(
    ("test", "tests", "testing", "e2e", "smoke", "check", "checks", "verify", "scan", "lint", "perf", "load", "plan", "dry")
)
_WORD = re.compile(r"[^\W_]+")
# Not production: one word, so that it is not taken apart.
_NEARLY = re.compile(r"\b(pre|non)[-_ ]?prod(?:uction)?\b", re.IGNORECASE)


def environment_name(said: str) -> str:
    """Return an environment's one name: production for prod, and as it was said where it is no common name."""
    name = _NEARLY.sub(r"\1prod", said.strip().lower())
    return _SAME.get(name, name)


def usual_step(name: str) -> str:
    """Return which of the usual steps an environment stands at; an empty string where its name does not tell."""
    at = {_PLACES[word] for word in map(environment_name, _words(name)) if word in _PLACES}
    return at.pop() if len(at) == 1 else ""


@lru_cache(maxsize=1000)
def environment_of_stage(name: str, deploys: bool) -> str:
    """Return the environment that a stage or a job deploys to by its name; an empty string for none.

    ``deploys``: it is known to deploy. A stage that is named Test or Integration and nothing else is not known to.
    """
    words = _words(name)
    named = {environment_name(word) for word in words if environment_name(word) in _PLACES}
    rest = [word for word in words if environment_name(word) not in _PLACES]
    if len(named) != 1 or _CHECKING.intersection(rest):
        return ""
    (found,) = named
    if deploys or _DEPLOYING.intersection(rest):
        return found
    return found if not rest and found in (STAGING, PRODUCTION) else ""


def is_check_job(job: str) -> bool:
    """Tell whether a job looks at an environment without changing it, by its name."""
    return bool(_CHECKING.intersection(_words(job.rpartition("/")[2])))


@lru_cache(maxsize=1000)
def service_of_job(job: str) -> str:
    """Return what a job builds or deploys: its name without the words for that and for environments.

    An empty string where nothing is left: a job that is called deploy.
    """
    parts = []
    for part in job.split("/"):
        words = _WORD.findall(_NEARLY.sub(r"\1prod", part))
        left = [word for word in words if not _is_common(word.lower())]
        # A part that says nothing of the kind stays as it is written.
        parts.append(part if len(left) == len(words) else "-".join(left))
    return "/".join(part for part in parts if part)


def _is_common(word: str) -> bool:
    return word in _DEPLOYING or word in _BUILDING or environment_name(word) in _PLACES


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(_NEARLY.sub(r"\1prod", name))]
