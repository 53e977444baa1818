"""What two runs say of themselves and not alike: commits, parameters, agents, hosts, tests."""

from __future__ import annotations

from support.pathways import COMMIT, OTHER, Story

from pipeline_trace.compare.made import comparison_of
from pipeline_trace.compare.record import Comparison, Difference
from pipeline_trace.compare.wording import heading
from pipeline_trace.lookup.tree import build_tree
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Event, Span

SHOP = "https://github.com/acme/shop"
LIBRARY = "https://github.com/acme/library"


def compared(run: Story, base: Story, between: list[Span] | None = None) -> Comparison:
    one, other = (build_tree(story.spans)[0] for story in (run, base))
    return comparison_of(one, other, between=between or [])


def both(**more: str) -> tuple[Story, Story, Span, Span]:
    """Return two stories of one build each, and their runs."""
    run, base = Story("run"), Story("base")
    return run, base, run.run("shop/build", 2, 0, 9, **more), base.run("shop/build", 1, 0, 9, **more)


def test_the_commits_and_the_page_that_compares_them() -> None:
    run, base = Story("run"), Story("base", OTHER)
    for story in (run, base):
        story.run("shop/build", 1, 0, 9, repository=SHOP)
    assert compared(run, base).commits == [Difference("commit", COMMIT, OTHER, f"{SHOP}/compare/{OTHER}...{COMMIT}")]


def test_commits_of_two_repositories_have_no_page_together() -> None:
    run, base = Story("run"), Story("base", OTHER)
    run.run("shop/build", 1, 0, 9, repository=SHOP)
    base.run("shop/build", 1, 0, 9, repository=LIBRARY)
    assert [one.url for one in compared(run, base).commits] == [""]


def test_another_commit_of_a_shared_library_is_told() -> None:
    run, base, one, other = both()
    for span, revision in ((one, "d" * 40), (other, "e" * 40)):
        span.attributes[c.JENKINS_OTHER_REPOSITORIES] = [LIBRARY, SHOP]
        span.attributes[c.JENKINS_OTHER_REVISIONS] = [revision, "f" * 40]
    url = f"{LIBRARY}/compare/{'e' * 40}...{'d' * 40}"
    assert compared(run, base).commits == [Difference(f"commit of {LIBRARY}", "d" * 40, "e" * 40, url)]


def test_the_same_commit_is_told_only_where_both_say_it() -> None:
    run, base, _, other = both()
    assert compared(run, base).same_commit
    assert heading(compared(run, base)) == (
        "shop/build#2 against shop/build#1: nothing is new, gone, slower or failed, the same commit."
    )
    del other.attributes[c.VCS_HEAD_REVISION]
    found = compared(run, base)
    assert (found.same_commit, found.commits) == (False, [])
    assert heading(found).endswith("nothing is new, gone, slower or failed.")


def test_the_commits_that_were_built_since_oldest_first() -> None:
    run, base = Story("run"), Story("base", OTHER)
    run.run("shop/build", 5, 500, 509)
    base.run("shop/build", 1, 100, 109)
    between = Story("between")
    for number, commit in ((4, "4" * 40), (3, "3" * 40), (2, OTHER)):
        between.run("shop/build", number, 100 * number, 100 * number + 9, commit=commit)
    assert compared(run, base, between.spans).built == ["3" * 40, "4" * 40, COMMIT]


def test_parameters_that_differ_are_told_once_the_runs_own_first() -> None:
    run, base = Story("run"), Story("base")
    for story, version, flag in ((run, "1.7.3", "yes"), (base, "1.7.2", "")):
        above = story.run("shop/build", 1, 0, 90, VERSION=version, DRY="false")
        more = {"FORCE": flag} if flag else {}
        story.run("shop/deploy", 1, 10, 80, parent=above, VERSION=version, TARGET=f"eu-{version}", **more)
    assert compared(run, base).parameters == [
        Difference("VERSION", "1.7.3", "1.7.2"),
        Difference("TARGET of shop/deploy", "eu-1.7.3", "eu-1.7.2"),
        Difference("FORCE of shop/deploy", "yes", ""),
    ]


def test_agents_versions_of_ansible_who_started_it_and_tests() -> None:
    run, base, one, other = both()
    for span, agents, who, total in ((one, ["linux-2", "linux-1"], "mara", 90), (other, ["linux-1"], "jo", 88)):
        span.attributes |= {c.JENKINS_AGENTS: agents, c.JENKINS_TESTS_TOTAL: total, c.JENKINS_TESTS_FAILED: 0}
        span.events = [Event("trigger", span.start_ns, {c.JENKINS_CAUSE: "user", c.JENKINS_CAUSE_USER: who})]
    for story, version in ((run, "2.19.1"), (base, "2.18.3")):
        book = story.playbook(1, 8, "staging", parent=story.spans[0])
        book.resource = {c.ANSIBLE_VERSION: version}
    assert compared(run, base).others == [
        Difference("started by", "mara", "jo"),
        Difference("agent", "linux-2", ""),
        Difference("Ansible", "2.19.1", "2.18.3"),
        Difference("tests", "90", "88"),
    ]


def test_what_one_of_them_does_not_say_is_no_difference_of_agents() -> None:
    run, base, one, _ = both()
    one.attributes[c.JENKINS_AGENTS] = ["linux-2"]
    assert compared(run, base).others == []


def test_hosts_are_other_ones_only_where_a_task_of_both_ran() -> None:
    run, base = Story("run"), Story("base")
    for story, hosts, last in ((run, ("web1", "web4"), ()), (base, ("web1", "web2", "web3"), ("db1",))):
        book = story.playbook(0, 9, "staging")
        for name, on in (("Copy", hosts), ("Migrate", last)):
            task = story.add(name, 1, 2, book, attributes={c.ANSIBLE_TYPE: c.TYPE_TASK})
            for host in on:
                story.add(host, 1, 2, task, attributes={c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_RESULT: "ok"})
    # Nobody knows whether db1 would have been there: the run did not get that far.
    run.spans = [span for span in run.spans if span.name != "Migrate"]
    assert compared(run, base).others == [Difference("only on hosts", "web4", "web2, web3")]


def test_a_host_that_another_task_has_is_there() -> None:
    run, base = Story("run"), Story("base")
    for story, tasks in (
        (run, {"Copy": ("web1",), "Scan": ("web2",)}),
        (base, {"Copy": ("web1", "web2"), "Migrate": ("web1",)}),
    ):
        book = story.playbook(0, 9, "staging")
        for name, on in tasks.items():
            task = story.add(name, 1, 2, book, attributes={c.ANSIBLE_TYPE: c.TYPE_TASK})
            for host in on:
                story.add(host, 1, 2, task, attributes={c.ANSIBLE_TYPE: c.TYPE_HOST})
    assert compared(run, base).others == compared(base, run).others == []


def test_a_host_that_failed_and_dropped_out_is_still_there() -> None:
    run, base = Story("run"), Story("base")
    for story, later in ((run, ("web1",)), (base, ("web1", "web2"))):
        book = story.playbook(0, 9, "staging")
        for name, on in (("Copy", ("web1", "web2")), ("Restart", later)):
            task = story.add(name, 1, 2, book, attributes={c.ANSIBLE_TYPE: c.TYPE_TASK})
            for host in on:
                story.add(host, 1, 2, task, attributes={c.ANSIBLE_TYPE: c.TYPE_HOST})
    assert compared(run, base).others == []


def test_another_agent_counts_only_for_parts_that_both_have() -> None:
    run, base = Story("run"), Story("base")
    for story, agent, last in ((run, "linux-2", ""), (base, "linux-1", "prod-1")):
        root = story.run("shop/build", 1, 0, 90)
        root.attributes[c.JENKINS_AGENTS] = [agent, *filter(None, [last])]
        story.stage("Unit test", 1, 10, root, attributes={c.WORKER_NAME: agent})
        if last:
            story.stage("Deploy production", 20, 30, root, attributes={c.WORKER_NAME: last})
    assert compared(run, base).others == [Difference("agent", "linux-2", "linux-1")]


def test_a_commit_that_a_parameter_repeats_is_told_once() -> None:
    run, base = Story("run"), Story("base", OTHER)
    for story in (run, base):
        above = story.run("shop/build", 1, 0, 90)
        story.run("shop/deploy", 1, 10, 80, parent=above, COMMIT=story.commit)
    found = compared(run, base)
    assert ([one.name for one in found.commits], found.parameters) == (["commit"], [])
