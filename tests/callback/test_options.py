"""The callback's options: each from ini and environment, those of community.general's users, and what a deploy is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import support
import yaml
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils import deployment
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils.deployment import Sources
from support import installs, played
from support.otlp_receiver import Receiver, free_port
from support.played import Played

from pipeline_trace.change.entries import deploys_of
from pipeline_trace.trace import words
from pipeline_trace.trace.span import Span

TRACE, PARENT = "a" * 32, "b" * 16
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
REVISION = "0123456789abcdef0123456789abcdef01234567"
ENVIRONMENT = "deployment.environment.name"
REVISION_NAME = "vcs.ref.head.revision"
VERSION = "artifact.version"
NAME = "deployment.name"

PLAYBOOK = """
- name: Deploy
  hosts: h1
  gather_facts: false
  vars: {told: message-1}
  tasks:
    - name: Has arguments
      ansible.builtin.debug: {msg: argument-1}
    - name: Fails
      ansible.builtin.fail: {msg: "{{ told }}"}
      ignore_errors: true
    - name: Fails in a loop
      ansible.builtin.fail: {msg: "{{ told }} of {{ item }}"}
      loop: [one]
      ignore_errors: true
    - name: Has the trace
      ansible.builtin.shell: echo "$TRACEPARENT" > {{ playbook_dir }}/scratch/traceparent
"""

# Every option by its name: key in ini, variable, and a value that is not the default.
OPTIONS = {
    "traceparent": ("TRACEPARENT", TRACEPARENT),
    "service_name": ("OTEL_SERVICE_NAME", "deploys"),
    "trace_per": ("PIPELINE_TRACE_PER", "build"),
    "propagate": ("PIPELINE_TRACE_PROPAGATE", "false"),
    "detail": ("PIPELINE_TRACE_DETAIL", "task"),
    "hide_messages": ("PIPELINE_TRACE_HIDE_MESSAGES", "true"),
    "task_arguments": ("PIPELINE_TRACE_TASK_ARGUMENTS", "true"),
    "trace_url": ("PIPELINE_TRACE_URL", "https://traces.example.com/{trace_id}?orgId=1"),
    "flush_limit": ("PIPELINE_TRACE_FLUSH_LIMIT", "9.5"),
    "deployment_environment": ("PIPELINE_TRACE_DEPLOYMENT_ENVIRONMENT", "staging"),
    "deployment_name": ("PIPELINE_TRACE_DEPLOYMENT_NAME", "shop"),
    "revision": ("PIPELINE_TRACE_REVISION", REVISION),
    "version": ("PIPELINE_TRACE_VERSION", "1.2.3"),
}
# Those that say where spans go, and what is said, have tests of their own.
DESTINATION = {"endpoint", "protocol", "enable_from_environment", "quiet"}

Env = dict[str, str]


def section(name: str, settings: dict[str, str]) -> str:
    """Return a section of ansible.cfg."""
    return "".join([f"[{name}]\n", *(f"{key} = {value}\n" for key, value in settings.items())])


def play(
    folder: Path, *arguments: object, ini: str = "", env: Env | None = None, hosts: str = "h1,", text: str = PLAYBOOK
) -> Played:
    """Run the playbook with these settings."""
    (folder / "scratch").mkdir(exist_ok=True)
    (folder / "ini.cfg").write_text(ini)
    playbook = support.write_playbook(folder, text)
    command = support.playbook_command(playbook, *arguments, hosts=hosts)
    done = played.run(folder, command, {"ANSIBLE_CONFIG": str(folder / "ini.cfg"), **(env or {})})
    return Played(folder, done.returncode, done.stdout, done.stderr)


def documentation() -> dict[str, Any]:
    """Return the documentation of the callback's options."""
    path = support.ROOT / "collections/ansible_collections/pipeline_trace/otel/plugins/doc_fragments/deploy_trace.py"
    text = path.read_text().partition('DOCUMENTATION = r"""')[2].partition('"""')[0]
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@pytest.fixture(params=["ini", "environment"])
def with_all(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A run with every option set, in ini or in the environment."""

    def run(folder: Path) -> support.Completed:
        ini = section("callback_deploy_trace", {key: value for key, (_, value) in OPTIONS.items()})
        env = dict(OPTIONS.values())
        by_ini = request.param == "ini"
        done = play(folder, ini=ini if by_ini else "", env={} if by_ini else env)
        return support.Completed([], done.returncode, done.stdout, done.stderr)

    shared = installs.shared_folder(tmp_path_factory.getbasetemp())
    return played.once(shared / f"options-{request.param}", run)


# What is documented


@pytest.mark.parametrize("name", documentation()["options"])
def test_every_option_has_ini_environment_default_and_type(name: str) -> None:
    option = documentation()["options"][name]
    assert "default" in option
    assert option["type"] in ("str", "bool", "float")
    assert all(entry["name"].isupper() for entry in option["env"])
    assert option["ini"][-1] == {"section": "callback_deploy_trace", "key": name}
    assert {entry["section"] for entry in option["ini"]} <= {"callback_deploy_trace", "callback_opentelemetry"}


def test_every_option_is_tested_here() -> None:
    assert set(OPTIONS) | DESTINATION == set(documentation()["options"])
    for name, (variable, _) in OPTIONS.items():
        assert documentation()["options"][name]["env"][-1]["name"] == variable


@pytest.mark.process
def test_ansible_doc_is_readable(env: Env) -> None:
    done = support.run(support.ANSIBLE / "ansible-doc", "-t", "callback", support.FULL_NAME, env=env, cwd=Path(env["HOME"]))
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    for name in documentation()["options"]:
        assert name in done.stdout
    # Nothing of the markup is left.
    assert not any(mark in done.stdout for mark in ("C(", "E(", "V(", "O("))


# What each does


@pytest.mark.process
def test_traceparent_and_service_name_are_taken(with_all: Played) -> None:
    (playbook,) = support.by_type(with_all.spans, "playbook")
    assert (playbook["trace_id"], playbook["parent_span_id"]) == (TRACE, PARENT)
    assert playbook["resource"]["service.name"] == "deploys"


@pytest.mark.process
def test_hidden_messages_leave_nothing_of_failures(with_all: Played) -> None:
    assert "message-1" not in json.dumps(with_all.spans)
    (failed,) = [span for span in support.by_type(with_all.spans, "task") if span["name"] == "Fails"]
    (host,) = with_all.children(failed)
    assert host["attributes"]["ansible.result"] == "ignored"
    assert "ansible.message" not in host["attributes"]


@pytest.mark.process
def test_arguments_leave_where_they_are_asked_for(with_all: Played) -> None:
    task = support.named(with_all.spans, "Has arguments")
    assert "argument-1" in task["attributes"]["ansible.task.arguments"]


@pytest.mark.process
def test_the_trace_is_not_handed_on_where_that_is_turned_off(with_all: Played, request: pytest.FixtureRequest) -> None:
    written = (with_all.folder / "scratch" / "traceparent").read_text().strip()
    # A variable that was there before is left alone.
    assert written == (TRACEPARENT if "environment" in request.node.name else "")


@pytest.mark.process
def test_the_line_at_the_end_is_the_url_filled_in(with_all: Played) -> None:
    assert with_all.ours == [f"pipeline-trace: https://traces.example.com/{TRACE}?orgId=1"]


@pytest.mark.process
@pytest.mark.parametrize("by_ini", [True, False], ids=["ini", "environment"])
def test_quiet_leaves_out_the_line_and_no_warning(tmp_path: Path, by_ini: bool) -> None:
    ini = section("callback_deploy_trace", {"quiet": "true"}) if by_ini else ""
    env = {} if by_ini else {"PIPELINE_TRACE_QUIET": "1"}
    if not by_ini:
        # Nobody takes the spans.
        env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_port()}"
    run = play(tmp_path, ini=ini, env=env)
    assert run.returncode == 0
    assert bool(run.spans) == by_ini
    assert ["spans wait in" in line for line in run.ours] == ([] if by_ini else [True])


@pytest.mark.process
def test_a_deploy_says_what_it_is(with_all: Played) -> None:
    (playbook,) = support.by_type(with_all.spans, "playbook")
    expected = {
        ENVIRONMENT: "staging",
        NAME: "shop",
        REVISION_NAME: REVISION,
        VERSION: "1.2.3",
        "cicd.pipeline.task.type": "deploy",
        "deployment.status": "succeeded",
    }
    assert {name: playbook["attributes"].get(name) for name in expected} == expected


@pytest.mark.process
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_endpoint_and_protocol_from_ini(tmp_path: Path, protocol: str) -> None:
    with Receiver() as receiver:
        url = receiver.url("grpc" if protocol == "grpc" else "http")
        name = "grpc" if protocol == "grpc" else "http/protobuf"
        done = play(tmp_path, ini=section("callback_deploy_trace", {"endpoint": url, "protocol": name}))
        assert done.returncode == 0
        receiver.wait_for(10)
        assert {batch.protocol for batch in receiver.batches} == {protocol}
    assert not done.spans


@pytest.mark.process
def test_extra_variables_carry_parent_and_endpoint(tmp_path: Path) -> None:
    words = ("-e", f"pipeline_trace_traceparent={TRACEPARENT}", "-e")
    other = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces",
        "TRACEPARENT": TRACEPARENT.replace("a", "c"),
    }
    with Receiver() as receiver:
        done = play(tmp_path, *words, f"pipeline_trace_endpoint={receiver.http_url}", env=other)
        assert done.returncode == 0
        spans = receiver.wait_for(10)
    assert {span["trace_id"] for span in spans} == {TRACE}
    assert PARENT in {span["parent_span_id"] for span in spans}


@pytest.mark.process
def test_standard_variables_name_the_resource(tmp_path: Path) -> None:
    variables = {"OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "team=ops,service.name=other,place=a%20b"}
    run = play(tmp_path, env=variables)
    resource = run.root()["resource"]
    assert {name: resource[name] for name in ("service.name", "team", "place")} == {
        "service.name": "mine",
        "team": "ops",
        "place": "a b",
    }


@pytest.mark.process
@pytest.mark.parametrize("name", ["OTEL_SDK_DISABLED=true", "OTEL_TRACES_EXPORTER=none", "by name"])
def test_where_nothing_is_wanted_nothing_is_written_or_said(tmp_path: Path, name: str) -> None:
    variable, _, value = name.partition("=")
    ini = section("callback_opentelemetry", {"enable_from_environment": "TRACE_THIS"}) if not value else ""
    run = play(tmp_path, ini=ini, env={variable: value} if value else {})
    assert run.returncode == 0
    assert not run.ours
    assert not Path(run.env["PIPELINE_TRACE_HOME"]).exists()


# A switch of one line


@pytest.mark.process
def test_settings_of_community_general_do_what_the_docs_say(tmp_path: Path) -> None:
    ini = section(
        "callback_opentelemetry",
        {
            "enable_from_environment": "TRACE_THIS",
            "otel_service_name": "theirs",
            "traceparent": TRACEPARENT,
            "otel_exporter_otlp_traces_protocol": "grpc",
            "disable_logs": "true",
            "hide_task_arguments": "false",
            "disable_attributes_in_logs": "true",
            "store_spans_in_file": str(tmp_path / "spans.json"),
        },
    )
    with Receiver() as receiver:
        env = {"TRACE_THIS": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.grpc_url}
        run = play(tmp_path, ini=ini, env=env)
        assert run.returncode == 0
        spans = receiver.wait_for(10)
        assert {batch.protocol for batch in receiver.batches} == {"grpc"}
    assert {span["trace_id"] for span in spans} == {TRACE}
    assert {span["resource"]["service.name"] for span in spans} == {"theirs"}
    assert "message-1" not in json.dumps(spans)
    assert "argument-1" not in json.dumps(spans)
    assert not (tmp_path / "spans.json").exists()
    (line,) = run.ours
    assert f"trace {TRACE} sent to" in line


@pytest.mark.process
def test_our_section_and_variables_win_over_theirs(tmp_path: Path) -> None:
    theirs = section("callback_opentelemetry", {"otel_service_name": "theirs", "disable_logs": "true"})
    ours = section("callback_deploy_trace", {"service_name": "ours"})
    run = play(
        tmp_path, ini=ours + theirs, env={"PIPELINE_TRACE_HIDE_MESSAGES": "false", "ANSIBLE_OPENTELEMETRY_DISABLE_LOGS": "1"}
    )
    assert run.root()["resource"]["service.name"] == "ours"
    assert "message-1" in json.dumps(run.spans)


def test_the_docs_name_every_setting_of_community_general() -> None:
    text = (support.ROOT / "docs/from-community-general.md").read_text()
    known = "enable_from_environment otel_service_name traceparent otel_exporter_otlp_traces_protocol disable_logs"
    for name in f"{known} hide_task_arguments disable_attributes_in_logs store_spans_in_file".split():
        assert f"| `{name}` |" in text


# Whatever goes wrong


@pytest.mark.process
@pytest.mark.parametrize(
    ("value", "told"),
    [("", []), ("bogus", ["detail=bogus", "flush_limit=bogus", "PIPELINE_TRACE_PER=bogus"])],
    ids=["empty", "bogus"],
)
def test_a_value_that_is_none_is_told_and_the_default_holds(tmp_path: Path, value: str, told: list[str]) -> None:
    names = ("DETAIL", "FLUSH_LIMIT", "PER", "QUIET", "PROPAGATE", "HIDE_MESSAGES", "TASK_ARGUMENTS")
    run = play(tmp_path, env={f"PIPELINE_TRACE_{name}": value for name in names})
    assert run.returncode == 0
    warnings = [line for line in run.ours if "WARNING" in line]
    assert len(warnings) == len(told), run.ours
    assert all(any(word in line for line in warnings) for word in told)
    assert support.by_type(run.spans, "host")


@pytest.mark.process
def test_without_a_folder_to_write_the_playbook_runs_untraced(tmp_path: Path) -> None:
    run = play(tmp_path, env={"PIPELINE_TRACE_HOME": "/proc/nowhere", "TMPDIR": "/proc/nowhere"})
    assert run.returncode == 0
    assert "h1                         : ok=4" in run.stdout
    (line,) = run.ours
    assert line.startswith("[WARNING]: pipeline-trace: not traced: cannot write /proc/nowhere")


@pytest.mark.process
def test_where_hardly_any_files_may_be_open_ansible_has_them_all(tmp_path: Path) -> None:
    command = support.playbook_command(support.write_playbook(tmp_path, PLAYBOOK), hosts="h1,")
    (tmp_path / "scratch").mkdir()
    done = played.run(tmp_path, ["sh", "-c", 'ulimit -n 60; exec "$@"', "sh", *command])
    assert (done.returncode, done.stderr.splitlines()) == (
        0,
        ["[WARNING]: pipeline-trace: not traced: only 60 files may be open; raise that with: ulimit -n 64"],
    )
    assert not support.journals(played.environ(tmp_path))


SABOTEUR = """
import sys
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "notification", "saboteur"

    def v2_playbook_on_play_start(self, play):
        hosts = sys.modules["ansible_collections.pipeline_trace.otel.plugins.plugin_utils.hosts"]
        hosts.Hosts.end = lambda self, *arguments: {}["broken"]
"""


@pytest.mark.process
@pytest.mark.parametrize(("failing", "code"), [(False, 0), (True, 2)])
def test_a_crash_inside_is_one_warning_and_the_playbook_goes_on(tmp_path: Path, failing: bool, code: int) -> None:
    (tmp_path / "callbacks").mkdir()
    support.write_playbook(tmp_path / "callbacks", SABOTEUR, "saboteur.py")
    env = {
        "ANSIBLE_CALLBACK_PLUGINS": str(tmp_path / "callbacks"),
        "ANSIBLE_CALLBACKS_ENABLED": f"saboteur,{support.FULL_NAME}",
        "PIPELINE_TRACE_FLUSH_LIMIT": "20",
    }
    text = PLAYBOOK.replace("ignore_errors: true", "ignore_errors: false") if failing else PLAYBOOK
    run = play(tmp_path, env=env, text=text)
    assert run.returncode == code
    assert "PLAY RECAP" in run.stdout
    warnings = [line for line in run.ours if "WARNING" in line]
    assert warnings == [
        "[WARNING]: pipeline-trace: tracing stops here, the playbook continues (KeyError: 'broken'; "
        "report it: https://github.com/pipeline-trace/pipeline-trace/issues)"
    ]
    assert "Traceback" not in run.stderr
    # What a task ran after that had no context of ours.
    if not failing:
        assert (tmp_path / "scratch" / "traceparent").read_text().strip() == ""
    assert support.by_type(run.spans, "playbook")


# What a deploy is: the order of docs/deployments.md


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (Sources({ENVIRONMENT: "one"}, {"deploy_env": "two"}, {"DEPLOY_ENV": "three"}, ["production"]), "one"),
        (Sources({}, {"deploy_env": "two"}, {"DEPLOY_ENV": "three"}, ["production"]), "two"),
        (Sources({}, {}, {"DEPLOY_ENV": "three"}, ["production"]), "three"),
        (Sources({}, {}, {}, ["production"]), "production"),
        (Sources({ENVIRONMENT: ""}, {"env": "  "}, {"ENVIRONMENT": ""}, ["production"]), "production"),
        (Sources({}, {"env": "later", "deployment_environment": "first"}, {}), "first"),
        (Sources({}, {}, {"ENVIRONMENT": "later", "DEPLOYMENT_ENVIRONMENT": "first"}), "first"),
        (Sources({}, {"env": "{{ template }}"}, {"DEPLOY_ENV": "three"}), "three"),
        (Sources({}, {"env": ["a", "list"]}, {"DEPLOY_ENV": "three"}), "three"),
        (Sources({}, {"env": True}, {"DEPLOY_ENV": "three"}), "three"),
        (Sources({}, {"env": "two\nlines"}, {}), None),
        (Sources({}, {}, {}), None),
    ],
)
def test_the_first_source_that_says_an_environment_counts(sources: Sources, expected: str | None) -> None:
    found = deployment.attributes(sources)
    assert found.get(ENVIRONMENT) == expected
    assert found.get("cicd.pipeline.task.type") == ("deploy" if expected else None)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("inventories/production", "production"),
        ("inventories/prod/hosts", "production"),
        ("prod/group/hosts.ini", "production"),
        ("/srv/live.yml", "production"),
        ("staging_hosts.ini", "staging"),
        ("hosts-preprod", "preprod"),
        ("qa.yml", "qa"),
        ("int", "integration"),
        ("prod/staging/hosts", "staging"),
        ("prod/a/b/hosts", None),
        ("printer/hosts", None),
        ("production,", None),
        ("h1,h2,", None),
        ("/dev/fd/63", None),
        ("/proc/self/fd/production", None),
        ("", None),
    ],
)
def test_an_inventorys_path_names_an_environment(path: str, expected: str | None) -> None:
    assert deployment.attributes(Sources({}, {}, {}, [path])).get(ENVIRONMENT) == expected


@pytest.mark.parametrize(
    ("value", "kept"),
    [(REVISION, True), ("0123abc", True), ("main", False), ("0123ab", False), (REVISION * 2, False), (12, False)],
)
def test_a_revision_is_hexadecimal(value: object, kept: bool) -> None:
    found = deployment.attributes(Sources({}, {"commit": value}, {"GIT_COMMIT": "fedcba9876"}))
    assert found[REVISION_NAME] == (value if kept else "fedcba9876")


def test_numbers_are_versions_and_secrets_are_masked() -> None:
    found = deployment.attributes(Sources({}, {"version": 2.5, "app_name": "x password=hunter2"}, {}))
    assert found == {VERSION: "2.5", NAME: "x password=***"}


def test_values_are_cut() -> None:
    assert len(deployment.attributes(Sources({VERSION: "9" * 1000}, {}, {}))[VERSION]) == 200


def test_the_docs_have_every_name_in_its_order() -> None:
    text = (support.ROOT / "docs/deployments.md").read_text()
    for names in (*words.EXTRA_VARIABLES.values(), *words.PROCESS_VARIABLES.values()):
        assert ", ".join(f"`{name}`" for name in names) in text
    for word in words.ONE_NAME:
        assert f"`{word}`" in text


@pytest.mark.process
def test_a_real_run_takes_each_from_where_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "inventories" / "production").mkdir(parents=True)
    inventory = tmp_path / "inventories" / "production" / "hosts"
    inventory.write_text("h1\n")
    env = {"GIT_COMMIT": REVISION, "VERSION": "3.0"}
    failing = PLAYBOOK.replace("ignore_errors: true", "ignore_errors: false")
    run = play(tmp_path, "-e", "app_name=shop", "-e", "version=3.1", hosts=str(inventory), env=env, text=failing)
    assert run.returncode == 2
    expected = {
        ENVIRONMENT: "production",
        NAME: "shop",
        REVISION_NAME: REVISION,
        VERSION: "3.1",
        "deployment.status": "failed",
    }
    assert {name: run.root()["attributes"].get(name) for name in expected} == expected


@pytest.mark.process
def test_a_playbook_that_no_host_matched_deployed_nothing(tmp_path: Path) -> None:
    told = ("-e", "app_name=shop", "-e", "version=3.1", "-e", "deploy_env=production")
    run = play(tmp_path, *told, text=PLAYBOOK.replace("hosts: h1", "hosts: nobody"))
    assert run.returncode == 0
    attributes = run.root()["attributes"]
    assert (attributes[ENVIRONMENT], attributes["cicd.pipeline.task.run.result"]) == ("production", "skip")
    assert "deployment.status" not in attributes
    assert deploys_of([Span.from_dict(one) for one in run.spans]) == []


@pytest.mark.process
def test_a_dry_run_deploys_nothing(tmp_path: Path) -> None:
    told = ("-e", "app_name=shop", "-e", "version=3.1", "-e", "deploy_env=production")
    tried, done = (
        [Span.from_dict(one) for one in play(tmp_path, *told, *more, text=PLAYBOOK).spans] for more in (("--check",), ())
    )
    assert deploys_of(tried) == []
    (deploy,) = deploys_of(done)
    assert (deploy.service, deploy.environments, deploy.version) == ("shop", ("production",), "3.1")
