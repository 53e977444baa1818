"""Reads the names of jobs and stages: which environment they deploy to, and which service."""

from __future__ import annotations

from functools import lru_cache

from ..trace.words import PRODUCTION, STAGING, environments_in, is_environment, words_in

_DEPLOYING = frozenset(
    ("deploy", "deploys", "deployment", "deploying", "rollout", "roll", "release", "promote", "promotion", "ship", "cd")
)
_BUILDING = frozenset(("build", "builds", "ci", "pipeline", "ansible"))
_CHECKING = frozenset(
    ("test", "tests", "testing", "e2e", "smoke", "check", "checks", "verify", "scan", "lint", "perf", "load", "plan", "dry")
)


@lru_cache(maxsize=1000)
def environment_of_stage(name: str, deploys: bool) -> str:
    """Return the environment that a stage or job deploys to, by its name; "" if the name does not say it.

    ``deploys``: True if it is known to deploy. Without it, a stage that is named only Test or Integration does not count.
    """
    found_words = {word.lower() for word in words_in(name)}
    named = environments_in(name)
    rest = {word for word in found_words if not is_environment(word)}
    if len(named) != 1 or _CHECKING & rest:
        return ""
    (found,) = named
    if deploys or _DEPLOYING & rest:
        return found
    return found if not rest and found in (STAGING, PRODUCTION) else ""


def is_check_job(job: str) -> bool:
    """Return whether a job only checks an environment and does not change it, by its name."""
    return any(word.lower() in _CHECKING for word in words_in(job.rpartition("/")[2]))


# A large shop has thousands of jobs, and the page of a service looks at all of their names.
@lru_cache(maxsize=20_000)
def service_of_job(job: str) -> str:
    """Return what a job builds or deploys: its name without words for environments and for building or deploying.

    Returns "" if no word remains, for example for a job named deploy.
    """
    parts = []
    for part in job.split("/"):
        whole = words_in(part)
        left = [word for word in whole if not _is_common(word.lower())]
        # A part without such words stays as it is.
        parts.append(part if len(left) == len(whole) else "-".join(left))
    return "/".join(part for part in parts if part)


def _is_common(word: str) -> bool:
    return word in _DEPLOYING or word in _BUILDING or is_environment(word)
