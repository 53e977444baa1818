"""The names of all attributes and metrics, and their fixed values. No other module writes these names.

Source of the standard names: OpenTelemetry semantic conventions 1.44.0. If a standard name exists, we use it. Our own names
begin with ``jenkins.`` or ``ansible.``, or with ``pipeline_trace.`` if both have the attribute. docs/spans.md explains each
name. The names are plain strings, because ansible-playbook must not import opentelemetry-semantic-conventions.
"""

from __future__ import annotations

# The resource of a span: the service that sends it, and the host that it runs on
SERVICE_NAME = "service.name"
SERVICE_INSTANCE_ID = "service.instance.id"
HOST_NAME = "host.name"

# Spans of other tools: what made them, and how much was dropped on the way (registry: otel.*)
SCOPE_NAME = "otel.scope.name"
SCOPE_VERSION = "otel.scope.version"
DROPPED_ATTRIBUTES = "otel.dropped_attributes_count"
DROPPED_EVENTS = "otel.dropped_events_count"
DROPPED_LINKS = "otel.dropped_links_count"

# CI/CD (registry: cicd.*)
PIPELINE_NAME = "cicd.pipeline.name"
PIPELINE_RUN_ID = "cicd.pipeline.run.id"
PIPELINE_RUN_URL = "cicd.pipeline.run.url.full"
PIPELINE_RESULT = "cicd.pipeline.result"
PIPELINE_ACTION = "cicd.pipeline.action.name"
TASK_NAME = "cicd.pipeline.task.name"
TASK_TYPE = "cicd.pipeline.task.type"
TASK_RUN_ID = "cicd.pipeline.task.run.id"
TASK_RUN_URL = "cicd.pipeline.task.run.url.full"
TASK_RUN_RESULT = "cicd.pipeline.task.run.result"
WORKER_ID = "cicd.worker.id"
WORKER_NAME = "cicd.worker.name"
ERROR_TYPE = "error.type"

# Metrics of CI/CD, and their attributes (registry: cicd.*)
RUN_DURATION = "cicd.pipeline.run.duration"
RUN_ERRORS = "cicd.pipeline.run.errors"
RUNS_ACTIVE = "cicd.pipeline.run.active"
RUN_STATE = "cicd.pipeline.run.state"
SYSTEM_ERRORS = "cicd.system.errors"
SYSTEM_COMPONENT = "cicd.system.component"
WORKER_COUNT = "cicd.worker.count"
WORKER_STATE = "cicd.worker.state"
HTTP_RESPONSE_STATUS_CODE = "http.response.status_code"

# Version control (registry: vcs.*)
VCS_REPOSITORY_URL = "vcs.repository.url.full"
VCS_REPOSITORY_NAME = "vcs.repository.name"
VCS_HEAD_NAME = "vcs.ref.head.name"
VCS_HEAD_REVISION = "vcs.ref.head.revision"
VCS_HEAD_TYPE = "vcs.ref.head.type"
VCS_BASE_NAME = "vcs.ref.base.name"
VCS_CHANGE_ID = "vcs.change.id"
VCS_OWNER_NAME = "vcs.owner.name"
VCS_PROVIDER_NAME = "vcs.provider.name"

# True if no tracked file of the git working tree is changed (place/ci/laptop.py). No standard name exists for this.
GIT_CLEAN = "git.tree.clean"

# Processes (registry: process.*): the command that `exec` runs
PROCESS_EXECUTABLE_NAME = "process.executable.name"
PROCESS_EXIT_CODE = "process.exit.code"

# Tests (registry: test.*): attributes of the event "test failed"
TEST_SUITE_NAME = "test.suite.name"
TEST_CASE_NAME = "test.case.name"
TEST_CASE_RESULT_STATUS = "test.case.result.status"

# Deployment (registry: deployment.*, artifact.*)
DEPLOYMENT_ENVIRONMENT = "deployment.environment.name"
DEPLOYMENT_NAME = "deployment.name"
DEPLOYMENT_STATUS = "deployment.status"
ARTIFACT_VERSION = "artifact.version"
# A value of cicd.pipeline.task.type.
DEPLOY = "deploy"

# The verdict on a failure (docs/decisions/0012): owner (dev, ops or unknown), kind, and confidence from 0 to 1
FAILURE_OWNER = "pipeline_trace.failure.owner"
FAILURE_KIND = "pipeline_trace.failure.kind"
FAILURE_CONFIDENCE = "pipeline_trace.failure.confidence"
FAILURE_OWNERS = frozenset({"dev", "ops", "unknown"})

# What a span of another CI system than Jenkins is, with the words of jenkins.type (trace/others.py); on reading alone
SPAN_TYPE = "pipeline_trace.type"

# A span that was too large for a receiver
LEFT_OUT_EVENTS = "pipeline_trace.left_out.events"
LEFT_OUT_CHARACTERS = "pipeline_trace.left_out.characters"

# The event that tells of a span that is still open (an OTLP log record), and what it says beside the span's own attributes
SPAN_OPEN = "pipeline_trace.span.open"
OPEN_NAME = "pipeline_trace.span.name"
OPEN_PARENT = "pipeline_trace.span.parent_id"
OPEN_KIND = "pipeline_trace.span.kind"
OPEN_START = "pipeline_trace.span.start"
OPEN_INTERVAL = "pipeline_trace.span.interval"
OPEN_TOLD_WITH = "pipeline_trace.span.told_with"

# What an open span waits for, as far as Jenkins says it (jenkins_poller/now/opened.py)
WAIT_KIND = "pipeline_trace.wait.kind"
WAIT_FOR = "pipeline_trace.wait.for"
WAIT_REASON = "pipeline_trace.wait.reason"
WAIT_SINCE = "pipeline_trace.wait.since"
WAIT_STUCK = "pipeline_trace.wait.stuck"

# Values of pipeline_trace.wait.kind
WAIT_AGENT = "agent"
WAIT_EXECUTOR = "executor"
WAIT_APPROVAL = "approval"
WAIT_BUILD = "build"
WAIT_LOCK = "lock"
WAIT_QUIET_PERIOD = "quiet period"
WAIT_BLOCKED = "blocked"
WAITS = frozenset(
    {WAIT_AGENT, WAIT_EXECUTOR, WAIT_APPROVAL, WAIT_BUILD, WAIT_LOCK, WAIT_QUIET_PERIOD, WAIT_BLOCKED},
)

# Values of cicd.pipeline.result and cicd.pipeline.task.run.result
SUCCESS = "success"
FAILURE = "failure"
ERROR = "error"
TIMEOUT = "timeout"
CANCELLATION = "cancellation"
SKIP = "skip"
# The results that set a span's status to ERROR. `failure`: the work itself failed. `error`: the platform failed.
FAILED_RESULTS = frozenset({FAILURE, ERROR, TIMEOUT})

# Jenkins: the type of a span
JENKINS_TYPE = "jenkins.type"
TYPE_RUN = "run"
TYPE_QUEUE = "queue"
TYPE_AGENT = "agent"
TYPE_STAGE = "stage"
TYPE_BRANCH = "branch"
TYPE_STEP = "step"
TYPE_INPUT = "input"
TYPE_CLEANUP = "cleanup"

# Jenkins: a build
JENKINS_RESULT = "jenkins.result"
JENKINS_CAUSES = "jenkins.causes"
JENKINS_CHANGE_AUTHORS = "jenkins.change.authors"
# What a build checked out besides the application, such as shared libraries: commits, and their repositories.
JENKINS_OTHER_REVISIONS = "jenkins.checkouts.other.revisions"
JENKINS_OTHER_REPOSITORIES = "jenkins.checkouts.other.repositories"
JENKINS_INTERRUPTIONS = "jenkins.interruptions"
JENKINS_INTERRUPTION_DESCRIPTIONS = "jenkins.interruption.descriptions"
JENKINS_TESTS_TOTAL = "jenkins.tests.total"
JENKINS_TESTS_FAILED = "jenkins.tests.failed"
JENKINS_TESTS_SKIPPED = "jenkins.tests.skipped"
# All agents that ran steps of the build.
JENKINS_AGENTS = "jenkins.agents"
# The end of the log of a failed step, or of the build's log if no step failed.
JENKINS_LOG = "jenkins.log"
# No plugin tells when it ran. Its span begins at the last known moment before it, and has no length.
JENKINS_TIMES_UNKNOWN = "jenkins.times.unknown"
JENKINS_GRAPH_TOO_LARGE = "jenkins.graph.too_large"
# A prefix: the parameter's name follows.
JENKINS_PARAMETER_PREFIX = "jenkins.parameter."

# Jenkins: the event "trigger"
JENKINS_CAUSE = "jenkins.cause"
JENKINS_CAUSE_DESCRIPTION = "jenkins.cause.description"
JENKINS_CAUSE_USER = "jenkins.cause.user"

# Jenkins: queue, agents, stages, steps, inputs
JENKINS_QUEUE_WAITING_MS = "jenkins.queue.waiting_ms"
JENKINS_QUEUE_BLOCKED_MS = "jenkins.queue.blocked_ms"
JENKINS_QUEUE_BUILDABLE_MS = "jenkins.queue.buildable_ms"
# The attribute for each phase of the queue.
JENKINS_QUEUE_PHASES = {
    "waiting": JENKINS_QUEUE_WAITING_MS,
    "blocked": JENKINS_QUEUE_BLOCKED_MS,
    "buildable": JENKINS_QUEUE_BUILDABLE_MS,
}
JENKINS_AGENT_LABEL = "jenkins.agent.label"
# How long a build held executors: all together; and by what it asked for, in the same order. On the run, where it is known.
JENKINS_HELD_MS = "jenkins.agent.held_ms"
JENKINS_HELD_LABELS = "jenkins.agent.held.labels"
JENKINS_HELD_WORKERS = "jenkins.agent.held.workers"
JENKINS_HELD_LENGTHS_MS = "jenkins.agent.held.lengths_ms"
JENKINS_STEP_DESCRIPTION = "jenkins.step.description"
JENKINS_RETRY_ATTEMPT = "jenkins.retry.attempt"
JENKINS_INPUT_ANSWERED_BY = "jenkins.input.answered_by"

# Jenkins: what a process inside a build knows about its place
JENKINS_STAGE_ASSUMED = "jenkins.stage.assumed"
JENKINS_STAGE_CANDIDATES = "jenkins.stage.candidates"
JENKINS_CLOCK_SKEW_MS = "jenkins.clock_skew_ms"

# Jenkins: the reason for a link
JENKINS_LINK = "jenkins.link"
LINK_UPSTREAM = "upstream"
LINK_REPEATS = "repeats"
LINK_COPIED = "copied TRACEPARENT"
LINK_STAGE = "stage"
LINK_STARTED = "started"
LINK_SAME_COMMIT = "same commit"

# Jenkins: the poller's own metrics
JENKINS_QUEUE_WAIT = "jenkins.queue.wait"
JENKINS_QUEUE_PHASE = "jenkins.queue.phase"
FAILURES = "pipeline_trace.failures"
POLLER_REQUESTS = "pipeline_trace.poller.requests"
POLLER_ERRORS = "pipeline_trace.poller.errors"
POLLER_BUILDS = "pipeline_trace.poller.builds"
POLLER_LAG = "pipeline_trace.poller.lag"
POLLER_WAITING_JOURNALS = "pipeline_trace.poller.waiting.journals"
POLLER_WAITING_SPANS = "pipeline_trace.poller.waiting.spans"
POLLER_LOST_SPANS = "pipeline_trace.poller.lost.spans"
POLLER_SET_ASIDE = "pipeline_trace.poller.set_aside"
LOST_REASON = "pipeline_trace.lost.reason"

# Ansible: the type of a span
ANSIBLE_TYPE = "ansible.type"
TYPE_COMMAND = "command"
TYPE_PLAYBOOK = "playbook"
TYPE_PLAY = "play"
TYPE_ROLE = "role"
TYPE_BLOCK = "block"
TYPE_TASK = "task"
TYPE_HOST = "host"

# Ansible: a command and its playbooks and plays
ANSIBLE_VERSION = "ansible.version"
ANSIBLE_CHECK_MODE = "ansible.check_mode"
ANSIBLE_DIFFS = "ansible.diffs"
ANSIBLE_PLAYBOOK_NAME = "ansible.playbook.name"
ANSIBLE_PLAY_NAME = "ansible.play.name"
ANSIBLE_PLAY_STRATEGY = "ansible.play.strategy"
ANSIBLE_PLAY_NO_HOSTS = "ansible.play.no_hosts"
# A prefix: a keyword of the play follows.
ANSIBLE_PLAY_PREFIX = "ansible.play."
# A prefix: a counter of Ansible's recap follows.
ANSIBLE_STATS_PREFIX = "ansible.stats."

# Ansible: a task
ANSIBLE_TASK_ACTION = "ansible.task.action"
ANSIBLE_TASK_ARGUMENTS = "ansible.task.arguments"
ANSIBLE_TASK_ASYNC = "ansible.task.async"
ANSIBLE_TASK_DELEGATE_TO = "ansible.task.delegate_to"
ANSIBLE_TASK_HANDLER = "ansible.task.handler"
ANSIBLE_TASK_NOTIFIED_BY = "ansible.task.notified_by"
# A prefix: a keyword of the task follows.
ANSIBLE_TASK_PREFIX = "ansible.task."

# Ansible: a host that runs a task, and its items and retries
ANSIBLE_HOST_NAME = "ansible.host.name"
ANSIBLE_RESULT = "ansible.result"
ANSIBLE_MESSAGE = "ansible.message"
ANSIBLE_DELEGATED_TO = "ansible.delegated_to"
ANSIBLE_SKIP_CONDITION = "ansible.skip.condition"
ANSIBLE_SKIP_REASON = "ansible.skip.reason"
ANSIBLE_ATTEMPT = "ansible.attempt"
ANSIBLE_ATTEMPTS = "ansible.attempts"
ANSIBLE_RETRIES_LEFT = "ansible.retries.left"
ANSIBLE_ITEM_LABEL = "ansible.item.label"
ANSIBLE_DURATION_MS = "ansible.duration_ms"
ANSIBLE_EVENTS_LEFT_OUT = "ansible.events.left_out"
ANSIBLE_ASYNC_FINISHED = "ansible.async.finished"
ANSIBLE_ASYNC_JOB_ID = "ansible.async.job_id"
# Other callbacks write these. pipeline-trace only reads them.
ANSIBLE_TASKS_LEFT_OUT = "ansible.tasks.left_out"
# And the outcome of hosts, such as ansible.hosts.changed.
ANSIBLE_HOSTS_PREFIX = "ansible.hosts."
ANSIBLE_HOST_RESULT = "ansible.host.result"
ANSIBLE_TASK_RESULT = "ansible.task.result"

# Names that only other tools write. trace/others.py reads them.
# The OpenTelemetry plugin of Jenkins: a build
PLUGIN_JOB = "ci.pipeline.id"
PLUGIN_NUMBER = "ci.pipeline.run.number"
PLUGIN_URL = "ci.pipeline.run.url"
PLUGIN_RESULT = "ci.pipeline.run.result"
PLUGIN_BRANCH_TYPE = "ci.pipeline.multibranch.type"
PLUGIN_AGENT_NAME = "ci.pipeline.agent.name"
PLUGIN_PARAMETER_NAMES = "ci.pipeline.parameter.name"
PLUGIN_PARAMETER_VALUES = "ci.pipeline.parameter.value"
PLUGIN_PARAMETER_SECRETS = "ci.pipeline.parameter.sensitive"

# The OpenTelemetry plugin of Jenkins: a part of a build
PLUGIN_STEP_ID = "jenkins.pipeline.step.id"
PLUGIN_STEP_NAME = "jenkins.pipeline.step.name"
PLUGIN_STEP_TYPE = "jenkins.pipeline.step.type"
PLUGIN_STEP_RESULT = "jenkins.pipeline.step.result"
PLUGIN_STEP_LABEL = "jenkins.pipeline.step.agent.label"
PLUGIN_STEP_INTERRUPTIONS = "jenkins.pipeline.step.interruption.causes"
PLUGIN_COMPUTER = "jenkins.computer.name"
GIT_REPOSITORY = "git.repository"
GIT_BRANCH = "git.branch"
URL_FULL = "url.full"
HTTP_URL = "http.url"
EXCEPTION_TYPE = "exception.type"

# The Collector's receivers of GitHub's and GitLab's webhooks, and other exporters of these systems
RUN_STATUS = "cicd.pipeline.run.status"
TASK_STATUS = "cicd.pipeline.run.task.status"
TASK_ENVIRONMENT = "cicd.pipeline.task.run.environment.name"
QUEUE_DURATION = "cicd.pipeline.run.queue.duration"
PIPELINE_WORKER_NAME = "cicd.pipeline.worker.name"
VCS_HEAD = "vcs.ref.head"
# Of conventions before 1.29
VCS_REF_NAME = "vcs.repository.ref.name"
VCS_REF_REVISION = "vcs.repository.ref.revision"
VCS_REPOSITORY_CHANGE = "vcs.repository.change.id"
GITLAB_ENVIRONMENT_ACTION = "gitlab.environment.action"

# otel-cicd-action
GITHUB_URL = "github.html_url"
GITHUB_REVISION = "github.head_sha"
GITHUB_BRANCH = "github.head_branch"
GITHUB_CHANGE = "github.pull_requests.0.number"
GITHUB_CONCLUSION = "github.conclusion"
GITHUB_RUNNER = "github.job.runner_name"
GITHUB_STEP = "github.job.step.name"
GITHUB_STEP_CONCLUSION = "github.job.step.conclusion"
