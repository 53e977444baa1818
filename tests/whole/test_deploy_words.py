"""One list of deploy words: callback, path and verdict read the same environment from the same deploy."""

from __future__ import annotations

import pytest
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils import deployment
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils.deployment import Sources
from support.pathways import COMMIT, Story, only

from pipeline_trace.ownership.failure import Trace, named_facts
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.words import (
    EXTRA_VARIABLES,
    MAIN_BRANCHES,
    PARAMETERS,
    PROCESS_VARIABLES,
    USUAL_ENVIRONMENTS,
    usual_environment,
)

# What people write, the environment's one name, and the usual environment at whose place in the order it is.
WORDS = [
    ("integration", "integration", "integration"),
    ("int", "integration", "integration"),
    ("test", "test", "integration"),
    ("testing", "test", "integration"),
    ("development", "development", "integration"),
    ("dev", "development", "integration"),
    ("staging", "staging", "staging"),
    ("stage", "staging", "staging"),
    ("STG", "staging", "staging"),
    ("uat", "uat", "staging"),
    ("qa", "qa", "staging"),
    ("QA", "qa", "staging"),
    ("preprod", "preprod", "staging"),
    ("pre-prod", "preprod", "staging"),
    ("pre-production", "preprod", "staging"),
    ("production", "production", "production"),
    ("Prod", "production", "production"),
    ("prd", "production", "production"),
    ("live", "production", "production"),
]
ENVIRONMENT = c.DEPLOYMENT_ENVIRONMENT


def by_callback(**known: object) -> str:
    """Return the environment that the callback writes. ``known``: fields of its sources."""
    sources = Sources(**{"options": {}, "variables": {}, "environ": {}, "inventories": (), **known})
    return deployment.attributes(sources).get(ENVIRONMENT, "")


def by_path(story: Story) -> tuple[str, str]:
    """Return the environment in which a change's path sees the only deploy, and the usual one at its place in the order."""
    _, steps = only(story)
    (name,) = [name for name, step in steps.items() if step["attempts"] and name not in ("merge", "PR checks", "Local")]
    order = [step for step in steps if step in USUAL_ENVIRONMENTS or step == name]
    at = order.index(name)
    # It stands in the place of a usual one, which is then not listed.
    return name, next(usual for i, usual in enumerate(USUAL_ENVIRONMENTS) if i == at)


def by_why(story: Story) -> str:
    """Return the environment that the verdict on the story's failed root names."""
    failure = Trace(story.spans).failure(story.spans[0])
    assert failure
    return named_facts(failure).get("environment", "")


@pytest.mark.parametrize("parameter", PARAMETERS[ENVIRONMENT])
@pytest.mark.parametrize(("written", "name", "place"), WORDS)
def test_a_parameter_names_one_environment(parameter: str, written: str, name: str, place: str) -> None:
    story = Story()
    story.run("shop/roll", 7, 0, 9, state=c.FAILURE, **{parameter: written})
    assert by_path(story) == (name, place)
    assert by_why(story) == name
    inside = by_callback(environ={parameter: written})
    assert inside == (name if parameter in PROCESS_VARIABLES[ENVIRONMENT] else "")


@pytest.mark.parametrize("variable", EXTRA_VARIABLES[ENVIRONMENT])
@pytest.mark.parametrize(("written", "name", "place"), WORDS)
def test_an_extra_variable_names_one_environment(variable: str, written: str, name: str, place: str) -> None:
    said = by_callback(variables={variable: written})
    story = Story()
    story.playbook(0, 9, said, commit=COMMIT, service="shop", state=c.FAILURE)
    assert said == name
    assert by_path(story) == (name, place)
    assert by_why(story) == name


@pytest.mark.parametrize("inventory", ["inventories/{}/hosts.ini", "{}.yml", "{}/group/hosts"])
@pytest.mark.parametrize(("written", "name", "place"), WORDS)
def test_an_inventory_names_one_environment(inventory: str, written: str, name: str, place: str) -> None:
    said = by_callback(inventories=[inventory.format(written)])
    story = Story()
    story.playbook(0, 9, said, commit=COMMIT, service="shop", state=c.FAILURE)
    assert said == name
    assert by_path(story) == (name, place)
    assert by_why(story) == name


def test_a_deploy_in_a_build_is_one_deploy_whoever_says_it() -> None:
    story = Story()
    run = story.run("shop/roll", 7, 0, 20, state=c.FAILURE, TARGET_ENV="stg")
    stage = story.stage("Run playbook", 1, 19, run, c.FAILURE)
    story.playbook(2, 18, by_callback(environ={"TARGET_ENV": "stg"}), parent=stage, state=c.FAILURE)
    assert by_path(story) == ("staging", "staging")
    assert by_why(story) == "staging"


@pytest.mark.parametrize("name", ["ENV", "SERVICE", "COMPONENT"])
def test_variables_that_are_everywhere_make_no_deploy_of_a_playbook(name: str) -> None:
    assert deployment.attributes(Sources({}, {}, {name: "staging"})) == {}


def test_what_nobody_knows_stays_as_it_is_written() -> None:
    assert by_callback(variables={"env": "EU-West"}) == "EU-West"
    assert by_callback(options={ENVIRONMENT: "prod"}) == "prod"


@pytest.mark.parametrize(
    ("name", "place"), [("prod-eu", "production"), ("nonprod", ""), ("canary", ""), ("prod-staging", "")]
)
def test_names_made_of_words(name: str, place: str) -> None:
    assert usual_environment(name) == place


def test_the_lists_that_users_may_rely_on() -> None:
    assert set(PARAMETERS) == set(PROCESS_VARIABLES) == set(EXTRA_VARIABLES)
    assert {"main", "master", "trunk", "develop"} == MAIN_BRANCHES
    assert PROCESS_VARIABLES[ENVIRONMENT] == (
        "DEPLOYMENT_ENVIRONMENT",
        "DEPLOY_ENVIRONMENT",
        "DEPLOY_ENV",
        "TARGET_ENVIRONMENT",
        "TARGET_ENV",
        "ENVIRONMENT",
    )
    assert PROCESS_VARIABLES[c.DEPLOYMENT_NAME] == ("DEPLOYMENT_NAME", "DEPLOY_NAME", "APP_NAME", "APPLICATION")
    assert PROCESS_VARIABLES[c.VCS_HEAD_REVISION] == ("COMMIT", "GIT_COMMIT", "COMMIT_SHA", "CI_COMMIT_SHA", "GITHUB_SHA")
    assert PROCESS_VARIABLES[c.ARTIFACT_VERSION] == ("APP_VERSION", "VERSION", "RELEASE", "IMAGE_TAG")
