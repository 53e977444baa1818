"""The head of a trace's page: what it is about, from the spans of Jenkins, Ansible and other tools."""

from __future__ import annotations

import pytest
from support.others import COMMIT as OTHERS_COMMIT
from support.others import Plugin
from support.pathways import COMMIT, Story
from support.report_samples import ROOT_URL, make, sample

from pipeline_trace.lookup.tree import build_tree
from pipeline_trace.report.heading import Heading, Named, facts_of, heading_of
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.others import understood
from pipeline_trace.trace.span import Event, Span

SHOP = "https://github.com/acme/shop"


def of(spans: list[Span]) -> Heading:
    return heading_of(build_tree(spans))


def rows(spans: list[Span]) -> dict[str, str]:
    """Return the rows as a reader sees them."""
    return {fact.label: ", ".join(one.text for one in fact.said) for fact in facts_of(of(spans))}


@pytest.mark.parametrize(
    ("job", "exact"), [("shop/build", True), ("shop/\u202ebuild", False), ("a token=Zq7xVrT4mKp9", False)]
)
def test_a_name_with_hidden_letters_or_a_mask_is_not_exact(job: str, exact: bool) -> None:
    story = Story()
    story.run(job, 47, 0, 90)
    assert of(story.spans).is_exact is exact


def release() -> Story:
    """Return a build that deploys version 1.7.3 of two services to staging, and has all that can be known."""
    story = Story()
    run = story.run("shop/build", 47, 0, 90, branch="origin/release-1.7", change="17", repository=SHOP, state=c.FAILURE)
    run.resource |= {c.PIPELINE_RUN_URL: f"{ROOT_URL}/job/shop/job/build/47/"}
    run.attributes[c.VCS_REPOSITORY_NAME] = "shop"
    run.attributes[c.JENKINS_AGENTS] = ["linux-1", "deploy-1"]
    run.events = [Event("trigger", run.start_ns, {c.JENKINS_CAUSE: "user", c.JENKINS_CAUSE_USER: "mara"})]
    stage = story.stage("Deploy staging", 10, 80, run)
    deploy = story.deploy(140, 11, 79, "staging", parent=stage, VERSION="1.7.3")
    deploy.resource[c.WORKER_NAME] = "deploy-1"
    story.playbook(12, 40, "staging", parent=deploy, service="shop", version="1.7.3")
    story.playbook(41, 70, "staging", parent=deploy, service="cart", version="1.7.3")
    story.stage("Deploy production", 80, 80, run, c.SKIP)
    return story


def test_it_says_what_was_deployed_where_and_who_started_it() -> None:
    found = of(release().spans)
    assert found == Heading(
        name="shop/build#47",
        build=Named("shop/build#47", f"{ROOT_URL}/job/shop/job/build/47/"),
        is_build=True,
        services=("shop", "cart"),
        versions=("1.7.3",),
        environments=("staging",),
        commits=(Named(COMMIT, f"{SHOP}/commit/{COMMIT}"),),
        branch="release-1.7",
        changes=(Named("#17", f"{SHOP}/pull/17"),),
        repository=Named("shop", SHOP),
        started_by="mara",
        ran_on=("linux-1", "deploy-1"),
    )


def test_the_rows_are_in_the_order_of_the_questions_and_short() -> None:
    assert rows(release().spans) == {
        "Services": "shop, cart",
        "Version": "1.7.3",
        "Environment": "staging",
        "Commit": COMMIT[:12],
        "Branch": "release-1.7",
        "Change": "#17",
        "Repository": "shop",
        "Started by": "mara",
        "Ran on": "linux-1, deploy-1",
    }


def test_what_is_not_known_is_left_out() -> None:
    assert facts_of(of([make("x", None, "one", 0, 1)])) == [
        # The build that the sample's spans belong to.
        *facts_of(Heading("one", build=Named("app-build#42")))
    ]
    bare = make("x", None, "one", 0, 1)
    bare.resource = {}
    assert of([bare]) == Heading("one")
    assert of([]) == Heading("")


def test_of_many_names_some_are_told_and_the_others_counted() -> None:
    story = Story()
    run = story.run("mono/build", 7, 0, 90)
    for number in range(5):
        story.playbook(number, number + 1, "staging", parent=run, service=f"service-{number}")
    (services,) = (fact for fact in facts_of(of(story.spans)) if fact.label == "Services")
    assert ([one.text for one in services.said], services.left_out) == (["service-0", "service-1", "service-2"], 2)


def test_a_playbook_alone_names_its_build_and_is_not_the_build() -> None:
    story = Story()
    book = story.playbook(0, 9, "staging", service="shop", version="1.7.3", commit=COMMIT)
    book.resource = {
        c.PIPELINE_NAME: "shop/deploy",
        c.PIPELINE_RUN_ID: "140",
        c.PIPELINE_RUN_URL: f"{ROOT_URL}/job/shop/job/deploy/140/",
        c.HOST_NAME: "agent-7.example.org",
    }
    found = of(story.spans)
    assert (found.name, found.is_build) == ("playbook site.yml", False)
    shown = rows(story.spans)
    assert shown["Build"] == "shop/deploy#140"
    assert shown["Ran on"] == "agent-7.example.org"
    assert (shown["Service"], shown["Version"], shown["Environment"]) == ("shop", "1.7.3", "staging")


def test_a_commit_from_a_parameter_is_not_of_the_repository_that_was_checked_out() -> None:
    story = Story()
    story.run("deploy", 3, 0, 9, COMMIT="d" * 40, commit="e" * 40, repository=SHOP)
    found = of(story.spans)
    assert found.commits == (Named("d" * 40),)
    assert found.repository is None


def test_the_repository_is_that_of_the_build_that_checked_the_commit_out() -> None:
    story = Story()
    pipeline = story.run("release", 3, 0, 90, COMMIT=COMMIT, commit="e" * 40, repository="https://github.com/acme/pipelines")
    story.run("shop/build", 8, 1, 60, parent=pipeline, commit=COMMIT, repository=SHOP)
    found = of(story.spans)
    assert found.commits == (Named(COMMIT, f"{SHOP}/commit/{COMMIT}"),)
    assert found.repository == Named("shop", SHOP)


def test_a_tag_is_no_branch() -> None:
    story = Story()
    story.run("shop", 1, 0, 9, branch="v1.7.3").attributes[c.VCS_HEAD_TYPE] = "tag"
    assert rows(story.spans)["Tag"] == "v1.7.3"
    assert "Branch" not in rows(story.spans)


def test_a_service_is_not_made_up_of_a_jobs_name() -> None:
    story = Story()
    story.run("nightly", 1, 0, 9)
    assert "Service" not in rows(story.spans)


def test_where_a_stage_was_skipped_nothing_was_deployed() -> None:
    story = Story()
    run = story.run("shop/build", 1, 0, 9, branch="main", state=c.FAILURE)
    story.stage("Test", 0, 9, run, c.FAILURE)
    story.stage("Deploy staging", 9, 9, run, c.SKIP)
    assert "Environment" not in rows(story.spans)


def test_builds_of_jenkins_plugin_are_understood() -> None:
    plugin = Plugin()
    running = plugin.build(
        "shop/main", 13, 0, 60, "FAILURE", branch_type="branch", COMMIT=OTHERS_COMMIT, ENVIRONMENT="staging"
    )
    plugin.stage("Test", 1, 59, running)
    found = of([understood(span) for span in plugin.spans])
    assert found.name == "shop/main#13"
    assert found.build
    assert found.build.url == "http://jenkins.example.com/job/shop/job/main/13/"
    assert (found.branch, found.environments) == ("main", ("staging",))
    assert [one.text for one in found.commits] == [OTHERS_COMMIT]


@pytest.mark.parametrize(
    "secret", ["https://ci:hunter2hunter2@git.example.org/shop", "token=ghp_abcdefghijklmnopqrstuvwxyz0123456789"]
)
def test_secrets_of_other_tools_are_masked(secret: str) -> None:
    story = Story()
    run = story.run("shop", 1, 0, 9, branch=secret, repository=secret)
    run.attributes[c.ARTIFACT_VERSION] = secret
    run.events = [Event("trigger", run.start_ns, {c.JENKINS_CAUSE_DESCRIPTION: f"Started by {secret}"})]
    shown = repr(of(story.spans))
    assert "hunter2hunter2" not in shown
    assert "ghp_abcdefghij" not in shown


def test_the_sample_says_what_its_spans_say() -> None:
    assert rows(sample()) == {
        "Service": "app",
        "Environment": "staging",
        "Commit": "4f1c2d9e0b7a",
        "Branch": "main",
        "Repository": "app",
    }


def test_a_kind_that_is_no_text_costs_no_page() -> None:
    story = release()
    story.spans[0].attributes[c.ANSIBLE_TYPE] = ["playbook", 7]
    assert rows(story.spans)["Version"] == "1.7.3"


def test_a_dry_run_says_that_nothing_was_changed() -> None:
    told = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.ANSIBLE_CHECK_MODE: True, c.DEPLOYMENT_ENVIRONMENT: "production"}
    told |= {c.DEPLOYMENT_NAME: "shop", c.ARTIFACT_VERSION: "9.9.9", c.TASK_TYPE: c.DEPLOY}
    shown = rows([Span("1" * 32, "1" * 16, None, "playbook site.yml", 1, 2, attributes=told)])
    assert shown == {"Dry run": "shop 9.9.9 \N{RIGHTWARDS ARROW} production: nothing was changed"}
