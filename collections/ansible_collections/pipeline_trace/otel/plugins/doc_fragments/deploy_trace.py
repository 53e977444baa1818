# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The options of the callback deploy_trace. Ansible reads them from here, and so does ansible-doc."""

from __future__ import annotations


class ModuleDocFragment:
    """See Ansible's page on documentation fragments."""

    DOCUMENTATION = r"""
# If several names of an option are set, Ansible uses the last one in the list. Ours come last.
options:
  endpoint:
    description:
      - The OTLP endpoint. Use this option if the environment does not reach Ansible (sudo, ssh, docker run, AWX).
      - The extra variable C(pipeline_trace_endpoint) does the same.
    type: str
    default: ""
    env:
      - name: OTEL_EXPORTER_OTLP_ENDPOINT
    ini:
      - section: callback_opentelemetry
        key: endpoint
      - section: callback_deploy_trace
        key: endpoint
  protocol:
    description: The OTLP protocol, V(http/protobuf) or V(grpc). The default is V(grpc) for port 4317, else V(http/protobuf).
    type: str
    default: ""
    env:
      - name: OTEL_EXPORTER_OTLP_PROTOCOL
      - name: OTEL_EXPORTER_OTLP_TRACES_PROTOCOL
    ini:
      - section: callback_opentelemetry
        key: otel_exporter_otlp_traces_protocol
      - section: callback_deploy_trace
        key: protocol
  traceparent:
    description:
      - The W3C traceparent of the parent span. Use this option if the environment does not reach Ansible.
      - The extra variable C(pipeline_trace_traceparent) does the same.
    type: str
    default: ""
    env:
      - name: TRACEPARENT
    ini:
      - section: callback_opentelemetry
        key: traceparent
      - section: callback_deploy_trace
        key: traceparent
  service_name:
    description: The resource attribute C(service.name) of the spans.
    type: str
    default: ansible
    env:
      - name: OTEL_SERVICE_NAME
    ini:
      - section: callback_opentelemetry
        key: otel_service_name
      - section: callback_deploy_trace
        key: service_name
  trace_per:
    description:
      - V(pipeline) puts a chain of Jenkins builds into one trace. The callback asks the controller for the chain.
      - V(build) makes one trace for each build, with a link to the upstream build. The callback does not ask the controller.
        Use the same value for C(pipeline-trace poll --trace-per).
    type: str
    default: pipeline
    env:
      - name: PIPELINE_TRACE_PER
    ini:
      - section: callback_deploy_trace
        key: trace_per
  detail:
    description:
      - Which parts of a playbook get a span. Fewer spans cost less in backends with a price per span.
      - V(host) makes a span for each host of a task. V(task) makes a span for a host only if it fails. V(play) makes a span
        for each play, and for a task or host only if it fails.
      - Hosts and tasks without a span are counted on the span around them, in attributes such as C(ansible.hosts.changed).
    type: str
    default: host
    env:
      - name: PIPELINE_TRACE_DETAIL
    ini:
      - section: callback_deploy_trace
        key: detail
  propagate:
    description: Whether tasks have E(TRACEPARENT) in their environment. A value that the playbook sets is kept.
    type: bool
    default: true
    env:
      - name: PIPELINE_TRACE_PROPAGATE
    ini:
      - section: callback_deploy_trace
        key: propagate
  hide_messages:
    description: Whether to leave out the messages of failures, even with secrets masked.
    type: bool
    default: false
    env:
      - name: ANSIBLE_OPENTELEMETRY_DISABLE_LOGS
      - name: PIPELINE_TRACE_HIDE_MESSAGES
    ini:
      - section: callback_opentelemetry
        key: disable_logs
      - section: callback_deploy_trace
        key: hide_messages
  task_arguments:
    description: Whether to send the arguments of tasks, as written in the playbook and masked. Never with C(no_log).
    type: bool
    default: false
    env:
      - name: PIPELINE_TRACE_TASK_ARGUMENTS
    ini:
      - section: callback_deploy_trace
        key: task_arguments
  trace_url:
    description: The text to print at the end instead of the trace id, such as a URL. V({trace_id}) is replaced by the id.
    type: str
    default: ""
    env:
      - name: PIPELINE_TRACE_URL
    ini:
      - section: callback_deploy_trace
        key: trace_url
  flush_limit:
    description: The longest time in seconds that ansible-playbook waits at its end for the delivery of the spans.
    # Not a float, and above no choices: for a wrong or empty value, Ansible would not load the callback at all.
    type: str
    default: "5"
    env:
      - name: PIPELINE_TRACE_FLUSH_LIMIT
    ini:
      - section: callback_deploy_trace
        key: flush_limit
  quiet:
    description: Whether to leave out the line at the end that says where the trace is. Warnings are shown all the same.
    type: bool
    default: false
    env:
      - name: PIPELINE_TRACE_QUIET
    ini:
      - section: callback_deploy_trace
        key: quiet
  deployment_environment:
    description:
      - The environment that the playbook deploys to (C(deployment.environment.name)).
      - If it is not set, the callback looks in extra variables, then in Jenkins parameters and environment variables, then
        in the path of the inventory.
    type: str
    default: ""
    env:
      - name: PIPELINE_TRACE_DEPLOYMENT_ENVIRONMENT
    ini:
      - section: callback_deploy_trace
        key: deployment_environment
  deployment_name:
    description: The name of what to deploy (C(deployment.name)). If it is not set, it is found like the environment.
    type: str
    default: ""
    env:
      - name: PIPELINE_TRACE_DEPLOYMENT_NAME
    ini:
      - section: callback_deploy_trace
        key: deployment_name
  revision:
    description: The commit to deploy (C(vcs.ref.head.revision)). If it is not set, it is found like the environment.
    type: str
    default: ""
    env:
      - name: PIPELINE_TRACE_REVISION
    ini:
      - section: callback_deploy_trace
        key: revision
  version:
    description: The version to deploy (C(artifact.version)). If it is not set, it is found like the environment.
    type: str
    default: ""
    env:
      - name: PIPELINE_TRACE_VERSION
    ini:
      - section: callback_deploy_trace
        key: version
  enable_from_environment:
    description: The name of an environment variable. Playbooks are traced only if that variable is V(true).
    type: str
    default: ""
    env:
      - name: ANSIBLE_OPENTELEMETRY_ENABLE_FROM_ENVIRONMENT
    ini:
      - section: callback_opentelemetry
        key: enable_from_environment
      - section: callback_deploy_trace
        key: enable_from_environment
"""
