"""The one list of attribute names. Source of the standard ones: OpenTelemetry semantic conventions 1.44.0.

Standard names win; own ones start with ``jenkins.``, ``ansible.`` or, where both have it, ``pipeline_trace.``. docs/spans.md
tells what each means. Plain strings: opentelemetry-semantic-conventions must not be imported inside ansible-playbook.
"""

from __future__ import annotations

# Resource
SERVICE_NAME = "service.name"
SERVICE_VERSION = "service.version"

# Where a span from elsewhere came from, and what its sender says it left out (registry: otel.*)
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
WORKER_URL = "cicd.worker.url.full"
ERROR_TYPE = "error.type"

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

# Whether the working tree had no changes of tracked files (ci/laptop.py); no standard name says it.
GIT_CLEAN = "git.tree.clean"

# Deployment (registry: deployment.*)
DEPLOYMENT_ENVIRONMENT = "deployment.environment.name"
DEPLOYMENT_NAME = "deployment.name"
DEPLOYMENT_STATUS = "deployment.status"
ARTIFACT_VERSION = "artifact.version"

# cicd.pipeline.task.type
DEPLOY = "deploy"

# Whose a failure is (docs/decisions/0012): dev, ops or unknown; what it is; how sure that is, 0 to 1
FAILURE_OWNER = "pipeline_trace.failure.owner"
FAILURE_KIND = "pipeline_trace.failure.kind"
FAILURE_CONFIDENCE = "pipeline_trace.failure.confidence"

# Result words (cicd.pipeline.result and cicd.pipeline.task.run.result)
SUCCESS = "success"
FAILURE = "failure"
ERROR = "error"
TIMEOUT = "timeout"
CANCELLATION = "cancellation"
SKIP = "skip"

# The results that make a span's status ERROR. `failure`: what the pipeline ran failed; `error`: the platform did.
FAILED_RESULTS = frozenset({FAILURE, ERROR, TIMEOUT})

# What a span is: by these show and the report tell spans apart.
JENKINS_TYPE = "jenkins.type"
# The end of a failed step's log, or of the build's where no step failed.
JENKINS_LOG = "jenkins.log"
# All agents on which a Pipeline run's steps ran.
JENKINS_AGENTS = "jenkins.agents"
TYPE_RUN = "run"
TYPE_QUEUE = "queue"
TYPE_AGENT = "agent"
TYPE_STAGE = "stage"
TYPE_BRANCH = "branch"
TYPE_STEP = "step"
TYPE_INPUT = "input"
TYPE_CLEANUP = "cleanup"
ANSIBLE_TYPE = "ansible.type"
TYPE_COMMAND = "command"
TYPE_PLAYBOOK = "playbook"
TYPE_PLAY = "play"
TYPE_TASK = "task"
TYPE_HOST = "host"
