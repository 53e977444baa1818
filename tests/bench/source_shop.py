"""A large shop's spans as SQL that ClickHouse's engine runs itself: 240 spans a build, 550 builds a day.

Of 15 builds, 12 are of the main pipeline's jobs and three are deploys of the last of them: to integration and staging in its
trace, to production in a trace of its own. Few services are busy, many are rare. Attributes are those that the poller and
the callback send.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SPANS_A_BUILD = 240
_SERVICES = 2500
_DAY_NS = 86_400 * 10**9
# Of the year of 200,000 builds.
BUILDS_A_DAY = 548
_STEP_NS = _DAY_NS // BUILDS_A_DAY

_CI_STAGES = ("Checkout", "Build", "Lint", "Unit tests", "Integration tests", "Package", "Image", "Deploy")
_CI_STEPS = ("Shell Script", "Check out from version control", "Record test results", "Archive the artifacts")
_COMMANDS = ("make build", "make lint", "npm ci", "mvn -B verify", "bin/build-image $IMAGE:$VERSION", "pytest -q tests")
_DEPLOY_STAGES = ("Checkout", "Run playbook", "Verify")
_TASKS = (
    *("Gather facts", "Create release directory", "Copy application", "Write settings", "Render unit", "Reload systemd"),
    *("Drain node", "Stop service", "Switch release", "Run migrations", "Start service", "Wait for port", "Ask for health"),
    *("Enable node", "Clean old releases", "Rotate logs", "Write crontab", "Update monitoring", "Warm cache"),
    "Assert that the application is healthy",
)
_PLAYS = ("Prepare", "Deploy", "Check the health")


@dataclass(frozen=True)
class Shop:
    """``builds``: how many there are. ``end_ns``: when the last of them began, in nanoseconds since the epoch."""

    builds: int
    end_ns: int

    @property
    def begin_ns(self) -> int:
        """Return when the first build began."""
        return self.end_ns - self.builds * _STEP_NS

    def inserts(self, table: str, first: int, count: int) -> list[str]:
        """Return the statements that write the spans of some builds."""
        builds = f"({self._builds(first, count)})"
        return [f"INSERT INTO {table} ({_COLUMNS}) {part}" for part in _parts(builds)]

    def _builds(self, first: int, count: int) -> str:
        """Return a query for what is known of builds."""
        return f"""
            SELECT i, i % 15 AS role, role >= 12 AS deploys, role = 11 AS leads, i - i % 15 + 11 AS leader,
                if(deploys, leader, i) AS named,
                toUInt32(floor({_SERVICES} * pow((sipHash64(named, 's') % 1000003) / 1000003, 3))) AS service,
                concat('team', toString(service % 80), '/svc', toString(service)) AS folder,
                concat(folder, if(deploys, '/deploy', '/build')) AS job,
                toString(i + 1) AS number,
                concat('ci', toString(service % 2 + 1), '.example.com') AS controller,
                concat('https://', controller, '/job/', replaceAll(job, '/', '/job/'), '/', number, '/') AS url,
                intDiv(named, 90) AS slot,
                lower(hex(SHA1(concat('commit', toString(service), '-', toString(slot))))) AS commit,
                concat('1.', toString(slot), '.', toString(service)) AS version,
                {_trace_id("if(role IN (12, 13), leader, i)")} AS trace,
                multiIf(role = 12, 'integration', role = 13, 'staging', role = 14, 'production', '') AS environment,
                NOT leads AND sipHash64(i, 'f') % 100 < 8 AS failed,
                sipHash64(i, 'p') % 20 AS broken,
                toInt64({self.begin_ns}) + if(deploys, leader, i) * {_STEP_NS}
                    + [300, 700, 1500][greatest(toInt8(role) - 11, 1)] * if(deploys, 1000000000, 0) AS begin,
                toInt64(multiIf(leads, 1200, deploys, 240 + sipHash64(i, 'd') % 120,
                    120 + sipHash64(i, 'd') % 600)) * 1000000000 AS took,
                if(deploys, concat('deploy-agent-', toString(service % 8)),
                    concat('linux-', toString(sipHash64(i, 'w') % 60)))
                    AS agent,
                40 + service % 29 AS hosts,
                deploys AND sipHash64(i, 'l') % 40 = 0 AS lost
            FROM (SELECT toInt64(number) AS i FROM numbers({first}, {count}))"""


_COLUMNS = (
    "Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName, "
    "ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage, Events.Timestamp, Events.Name, "
    "Events.Attributes, Links.TraceId, Links.SpanId, Links.TraceState, Links.Attributes"
)
_JENKINS = """map('service.name', controller, 'cicd.pipeline.name', job, 'cicd.pipeline.run.id', number,
    'cicd.pipeline.run.url.full', url)"""
_ANSIBLE = """map('service.name', 'ansible', 'host.name', agent, 'ansible.version', '2.19.14', 'cicd.pipeline.name', job,
    'cicd.pipeline.run.id', number, 'cicd.pipeline.run.url.full', url, 'cicd.worker.name', agent)"""


def _span_id(at: str, build: str = "i") -> str:
    """Return the id of a build's span of some number."""
    return f"substring(lower(hex(MD5(concat(toString({build}), '-', toString({at}))))), 1, 16)"


def _trace_id(build: str, what: str = "trace") -> str:
    return f"lower(hex(MD5(concat('{what}', toString({build})))))"


def _map(attributes: Mapping[str, str]) -> str:
    """Return attributes as a Map. Those whose names end with a question mark are left out where they are ''."""
    pairs = ", ".join(f"('{name.removesuffix('?')}', {value})" for name, value in attributes.items())
    some = (
        f"arrayFilter(pair -> pair.2 != '', [{pairs}])" if any(name.endswith("?") for name in attributes) else f"[{pairs}]"
    )
    return f"CAST({some}, 'Map(LowCardinality(String), String)')"


def _array(texts: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{text}'" for text in texts) + "]"


def _spans(
    builds: str,
    where: str,
    at: str,
    *,
    parent: str,
    name: str,
    attributes: Mapping[str, str],
    begin: str,
    took: str,
    failed: str = "0",
    more: str = "",
    message: str = "''",
    kind: str = "Internal",
    ansible: bool = False,
    trace: str = "trace",
    events: tuple[str, str, str] = ("[]", "[]", "[]"),
    links: tuple[str, str, str] = ("[]", "CAST([], 'Array(String)')", "[]"),
) -> str:
    """Return a query for spans of builds. ``at``: their numbers ``k`` in each; ``more``: ``name AS`` what, for these."""
    told = _map(attributes)
    return f"""
        SELECT fromUnixTimestamp64Nano({begin}), {trace}, {_span_id("k")}, {parent}, {name}, '{kind}',
            {"'ansible'" if ansible else "controller"}, {_ANSIBLE if ansible else _JENKINS}, 'pipeline-trace', '0.1.0',
            {told}, toUInt64({took}), if({failed}, 'Error', 'Unset'), if({failed}, {message}, ''),
            {", ".join(events)}, {links[0]}, {links[1]}, arrayMap(one -> '', {links[1]}), {links[2]}
        FROM (SELECT *, {f"{more}, " if more else ""}k FROM {builds} ARRAY JOIN {at} AS k WHERE {where})"""


def _parts(builds: str) -> list[str]:
    """Return a query for each kind of spans. The numbers of a build's spans are 0 for its run, then as below."""
    return [_runs(builds), *_around(builds), _stages(builds), _steps(builds), *_playbooks(builds)]


def _runs(builds: str) -> str:
    result = "if(failed, 'failure', 'success')"
    attributes = {
        "jenkins.type": "'run'",
        "cicd.pipeline.name": "job",
        "cicd.pipeline.run.id": "number",
        "cicd.pipeline.run.url.full": "url",
        "cicd.pipeline.action.name": "'RUN'",
        "jenkins.result": f"upper({result})",
        "jenkins.causes": """if(deploys, '["upstream"]', '["scm"]')""",
        "jenkins.parameter.ENVIRONMENT?": "environment",
        "jenkins.parameter.VERSION?": "if(deploys, version, '')",
        "jenkins.parameter.COMMIT?": "if(deploys, commit, '')",
        "jenkins.parameter.SERVICE?": "if(deploys, folder, '')",
        "vcs.ref.head.revision": "commit",
        "vcs.ref.head.name": "if(leads OR deploys, 'main', concat('PR-', number))",
        "vcs.change.id?": "if(leads OR deploys, '', number)",
        "vcs.repository.url.full": "concat('https://git.example.com/', folder)",
        "vcs.repository.name": "concat('svc', toString(service))",
        "jenkins.agents": """concat('["', agent, '"]')""",
        "jenkins.tests.total?": "if(deploys, '', toString(100 + service))",
        "artifact.version?": "if(leads, version, '')",
        "cicd.pipeline.result": result,
        "error.type?": "if(failed, 'FAILURE', '')",
        "pipeline_trace.failure.owner?": "if(failed, 'dev', '')",
        "pipeline_trace.failure.kind?": "if(failed, 'test_failure', '')",
    }
    return _spans(
        builds,
        "1",
        "[0]",
        # What it starts in its own trace is below the step that did.
        parent=f"if(role IN (12, 13), {_span_id('18 + role', 'leader')}, '')",
        name="concat('RUN ', job)",
        attributes=attributes,
        begin="begin",
        took="took",
        failed="failed",
        message="'script returned exit code 2'",
        kind="Server",
        events=("[fromUnixTimestamp64Nano(begin)]", "['trigger']", "[map('jenkins.cause', if(deploys, 'upstream', 'scm'))]"),
    )


def _around(builds: str) -> list[str]:
    waited = "toInt64(sipHash64(i, 'q') % 30000)"
    queue = {"jenkins.type": "'queue'", "jenkins.queue.waiting_ms": f"toString({waited})"}
    queue |= {"jenkins.queue.blocked_ms": "'0'", "jenkins.queue.buildable_ms": "'0'"}
    agent = {"jenkins.type": "'agent'", "cicd.worker.name": "agent", "jenkins.agent.label": "'linux'"}
    cleanup = {"jenkins.type": "'cleanup'"}
    told = [("1", "Schedule", queue, f"begin - {waited} * 1000000", f"{waited} * 1000000")]
    told += [
        ("2", "Allocate", agent, "begin", "2000000000"),
        ("3", "Clean up", cleanup, "begin + took - 8000000", "8000000"),
    ]
    return [
        _spans(
            builds,
            "1",
            f"[{at}]",
            parent=_span_id("0"),
            name=f"'{name}'",
            attributes=attributes,
            begin=begin,
            took=took,
        )
        for at, name, attributes, begin, took in told
    ]


def _stages(builds: str) -> str:
    """Return the stages: numbers from 4 on, eight of a build, three of a deploy."""
    result = "multiIf(failed AND n = worst, 'failure', failed AND n > worst, 'skip', 'success')"
    attributes = {
        "jenkins.type": "'stage'",
        "cicd.pipeline.task.name": "stage",
        "cicd.pipeline.task.run.id": "toString(10 + k)",
        "cicd.worker.name": "agent",
        "cicd.pipeline.task.run.result": result,
        "error.type?": "if(failed AND n = worst, 'FAILED', '')",
    }
    return _spans(
        builds,
        "1",
        "range(4, if(deploys, 7, 12))",
        more=f"""k - 4 AS n, if(deploys, 1, intDiv(broken * 2, 5)) AS worst, if(deploys, 3, 8) AS many,
            if(deploys, {_array(_DEPLOY_STAGES)}[n + 1], {_array(_CI_STAGES)}[n + 1]) AS stage""",
        parent=_span_id("0"),
        name="stage",
        attributes=attributes,
        begin="begin + 2000000000 + intDiv((took - 3000000000) * n, many)",
        took="if(failed AND n > worst, 1000000, intDiv(took - 3000000000, many))",
        failed="failed AND n = worst",
        message="'script returned exit code 2'",
    )


def _steps(builds: str) -> str:
    """Return the steps: 12 to 31 of a build, 7 to 11 of a deploy; 30 and 31 of a build that leads start its deploys."""
    broke = "failed AND n = if(deploys, 2, broken)"
    log = """concat('+ ', command, '\\n', arrayStringConcat(arrayMap(line -> concat('test_', toString(line), '[',
        toString(sipHash64(i, line)), '] PASSED in ', toString(sipHash64(line, i) % 1000), ' ms'), range(30)), '\\n'),
        '\\nFAILED tests/test_', toString(service), '.py::test_totals - AssertionError: assert ',
        toString(sipHash64(i, 'x') % 100), ' == 7\\n1 failed, 30 passed\\nmake: *** [test] Error 2\\n')"""
    attributes = {
        "jenkins.type": "'step'",
        "cicd.pipeline.task.name": "step",
        "cicd.pipeline.task.run.id": "toString(30 + k)",
        "jenkins.step.description?": "command",
        "jenkins.log?": f"if({broke}, {log}, '')",
        "cicd.worker.name": "agent",
        "cicd.pipeline.task.run.result": f"if({broke}, 'failure', 'success')",
        "error.type?": f"if({broke}, 'FAILED', '')",
    }
    link = {"jenkins.link": "'started'", "cicd.pipeline.name": "concat(folder, '/deploy')"}
    link |= {"cicd.pipeline.run.id": "toString(started + 1)"}
    return _spans(
        builds,
        # Where a step failed the others were not run.
        "NOT failed OR n <= if(deploys, 2, broken)",
        "range(if(deploys, 7, 12), if(deploys, 12, 32))",
        more=f"""k - if(deploys, 7, 12) AS n, if(deploys, 5, 20) AS many, intDiv(n * if(deploys, 3, 8), many) AS stage,
            leads AND k >= 30 AS starts, i + k - 29 AS started,
            if(starts, concat('Building ', folder, ' » deploy'), {_array(_CI_STEPS)}[n % 4 + 1]) AS step,
            if(n % 4 != 0, '', if(deploys, 'ansible-playbook -i inventory deploy.yml -e env=$ENVIRONMENT',
                {_array(_COMMANDS)}[(service + n) % 6 + 1])) AS command""",
        parent=_span_id("4 + stage"),
        name="step",
        attributes=attributes,
        begin="begin + 2000000000 + intDiv((took - 3000000000) * n, many)",
        took="intDiv(took - 3000000000, many)",
        failed=broke,
        message="'script returned exit code 2'",
        links=(
            "if(starts, [trace], [])",
            f"if(starts, [{_span_id('0', 'started')}], [])",
            f"arrayFilter(one -> starts, [{_map(link)}])",
        ),
    )


def _playbooks(builds: str) -> list[str]:
    """Return the playbooks of deploys: 12, its plays 13 to 15, its tasks 16 to 35, then each task's hosts."""
    trace = f"if(lost, {_trace_id('i', 'lost')}, trace)"
    result = "if(failed, 'failure', 'success')"
    playbook = {
        "ansible.type": "'playbook'",
        "ansible.playbook.name": "'deploy.yml'",
        "deployment.environment.name": "environment",
        "deployment.name": "folder",
        "deployment.status": "if(failed, 'failed', 'succeeded')",
        "vcs.ref.head.revision": "commit",
        "artifact.version": "version",
        "cicd.pipeline.task.type": "'deploy'",
        "cicd.pipeline.task.run.result": result,
        "ansible.stats.ok": "toString(hosts * 20)",
        "ansible.stats.failures": "if(failed, '3', '0')",
        "error.type?": "if(failed, 'failed', '')",
    }
    play = {
        "ansible.type": "'play'",
        "ansible.play.name": f"{_array(_PLAYS)}[n + 1]",
        "ansible.play.strategy": "'linear'",
        "cicd.pipeline.task.run.result": "if(failed AND n = 2, 'failure', 'success')",
    }
    task = {
        "ansible.type": "'task'",
        "cicd.pipeline.task.name": "task",
        "ansible.task.action": "'ansible.builtin.command'",
        "cicd.pipeline.task.run.result": "if(failed AND n = 19, 'failure', 'success')",
    }
    host = {
        "ansible.type": "'host'",
        "ansible.host.name": "host",
        "ansible.result": "multiIf(bad, 'failed', sipHash64(i, k) % 5 = 0, 'changed', 'ok')",
        "cicd.pipeline.task.run.result": "if(bad, 'failure', 'success')",
        "ansible.message?": "if(bad, 'missing setting DB_URL', '')",
        "error.type?": "if(bad, 'failed', '')",
    }
    # Within the second of three stages.
    begin, took = "begin + 2000000000 + intDiv(took, 3)", "(intDiv(took, 3) - 3000000000)"
    a_task = f"intDiv({took}, 20)"
    return [
        _spans(
            builds,
            "deploys",
            "[12]",
            parent=_span_id("9"),
            name="'playbook deploy.yml'",
            attributes=playbook,
            begin=begin,
            took=took,
            failed="failed",
            message="'missing setting DB_URL'",
            ansible=True,
            trace=trace,
        ),
        _spans(
            builds,
            "deploys",
            "range(13, 16)",
            more="k - 13 AS n",
            parent=_span_id("12"),
            name=f"{_array(_PLAYS)}[n + 1]",
            attributes=play,
            begin=f"{begin} + intDiv({took} * n, 3)",
            took=f"intDiv({took}, 3)",
            failed="failed AND n = 2",
            message="'missing setting DB_URL'",
            ansible=True,
            trace=trace,
        ),
        _spans(
            builds,
            "deploys",
            "range(16, 36)",
            more=f"k - 16 AS n, {_array(_TASKS)}[n + 1] AS task",
            parent=_span_id("13 + intDiv(n * 3, 20)"),
            name="task",
            attributes=task,
            begin=f"{begin} + {a_task} * n",
            took=a_task,
            failed="failed AND n = 19",
            message="'missing setting DB_URL'",
            ansible=True,
            trace=trace,
        ),
        _spans(
            builds,
            "deploys",
            "range(36, 36 + 20 * toUInt32(hosts))",
            more="""intDiv(k - 36, hosts) AS n, (k - 36) % hosts AS m, failed AND n = 19 AND m < 3 AS bad,
                concat('app', toString((service * 7 + m) % 3000), '.example.com') AS host""",
            parent=_span_id("16 + n"),
            name="host",
            attributes=host,
            begin=f"{begin} + {a_task} * n + sipHash64(k, i) % 100000000",
            took=f"intDiv({a_task}, 2) + sipHash64(i, k) % 400000000",
            failed="bad",
            message="'missing setting DB_URL'",
            ansible=True,
            trace=trace,
        ),
    ]
