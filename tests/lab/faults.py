"""Lists every fault that the lab causes, and its owner. A case may name another owner.

The owners follow the labelling rules of the given corpora: two likely owners make it unknown.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A fault: its owner, its kind, how the lab causes it, and the fact that decides the owner."""

    owner: str
    kind: str
    what: str
    why: str


# A shared service, seen from its client. The server has the fault.
CONNECTION = {
    "name-unknown": Fault("ops", "dns", "the DNS server knows no such name", "the agent cannot resolve a shared host"),
    "dns-down": Fault("ops", "dns", "no DNS server answers", "name resolution of the agent is down"),
    "refused": Fault("ops", "registry_unavailable", "nothing listens on the port", "the shared service refuses connections"),
    "no-route": Fault("ops", "network", "no route leads to the address", "the agent's network does not reach the service"),
    "connect-timeout": Fault("ops", "network_timeout", "packets to the address are lost", "the shared service times out"),
    "reset": Fault("ops", "network", "the server resets the connection", "the shared service resets connections"),
    "closed": Fault("ops", "network", "the server closes the connection without a word", "the shared service breaks off"),
    "hang": Fault(
        "ops", "network_timeout", "the server accepts and never answers", "the shared service does not answer in time"
    ),
}
TLS = {
    "tls-expired": Fault(
        "ops", "tls_expired", "the certificate has expired", "the shared service's certificate has expired"
    ),
    "tls-not-yet": Fault("ops", "tls_untrusted", "the certificate is not valid yet", "certificate or clock of the platform"),
    "tls-self-signed": Fault(
        "ops", "tls_untrusted", "the certificate is self-signed", "the agent does not trust the service"
    ),
    "tls-unknown": Fault("ops", "tls_untrusted", "an unknown authority signed it", "the agent does not trust the authority"),
    "tls-wrong-name": Fault(
        "ops", "tls_untrusted", "the certificate is for another name", "the service has a wrong certificate"
    ),
    "tls-plain": Fault(
        "ops", "tls_untrusted", "the port of HTTPS speaks plain HTTP", "the service's port does not speak TLS"
    ),
}
STATUS = {
    "http-401": Fault("ops", "auth_platform", "the server answers 401", "the CI account's credential is refused"),
    "http-403": Fault("ops", "auth_platform", "the server answers 403", "a right of the CI account is refused"),
    "http-407": Fault("ops", "auth_platform", "a proxy answers 407", "the proxy wants a login of the agent"),
    "http-429": Fault("ops", "rate_limit", "the server answers 429", "the shared address asked too often"),
    "http-500": Fault("ops", "registry_unavailable", "the server answers 500", "the shared service fails"),
    "http-502": Fault("ops", "registry_unavailable", "the server answers 502", "the shared service fails"),
    "http-503": Fault("ops", "registry_unavailable", "the server answers 503", "the shared service is not available"),
    "http-504": Fault("ops", "registry_unavailable", "the server answers 504", "the shared service does not answer in time"),
}
CONTENT = {
    "html": Fault("ops", "integrity", "a page of HTML comes instead of data", "a portal or proxy answers for the service"),
    "empty": Fault("ops", "integrity", "an answer without content", "the shared service gives inconsistent content"),
    "truncated": Fault("ops", "network", "half of the content comes, then the end", "the download breaks off"),
    "reset-midway": Fault("ops", "network", "half of the content comes, then a reset", "the download breaks off"),
    "stalled": Fault("ops", "network_timeout", "half of the content comes, then nothing", "the download stalls"),
    "redirect-loop": Fault(
        "ops", "registry_unavailable", "the server redirects to itself", "the shared service is set up wrongly"
    ),
    "corrupt": Fault(
        "ops", "integrity", "bytes differ from the store's own checksum", "the store's content disagrees with itself"
    ),
}
UPLOAD = {
    "http-409": Fault("dev", "publish_conflict", "the version exists already", "the version was not raised"),
    "http-413": Fault(
        "unknown", "publish_conflict", "the server answers 413", "a limit of the store, or too large an artefact"
    ),
    "http-507": Fault("ops", "registry_unavailable", "the server answers 507", "the store has no storage left"),
}
LOOKUP = {
    "missing-internal": Fault(
        "unknown", "dependency_resolution", "an internal artefact is not there", "not released or mistyped"
    ),
    "missing-version": Fault(
        "dev", "dependency_resolution", "a version that never was", "no such version among those that exist"
    ),
    "misspelt-name": Fault("dev", "dependency_resolution", "a package's name is plainly misspelt", "the name is misspelt"),
    "index-differs": Fault(
        "ops", "integrity", "the store's index differs from its checksum", "the store disagrees with itself"
    ),
    "unsigned": Fault("ops", "integrity", "the store's index is not signed", "the agent does not trust the mirror"),
    "pin-differs": Fault(
        "unknown", "integrity", "the pinned checksum differs", "a wrong pin, or other content in the store"
    ),
}

# The agent, or a node.
MACHINE = {
    "disk-full": Fault("ops", "disk_full", "a small file system is full", "no space left on the agent"),
    "temp-full": Fault("ops", "disk_full", "the temporary folder is full", "no space left on the agent"),
    "temp-missing": Fault(
        "ops", "permission", "the temporary folder does not exist", "the agent's temporary folder is missing"
    ),
    "read-only": Fault("ops", "permission", "the file system is read-only", "the agent's file system is read-only"),
    "credential-missing": Fault("unknown", "credential_missing", "no login is given", "the pipeline, or the platform"),
    "no-permission": Fault("ops", "permission", "another user owns the files", "leftovers of another user on the agent"),
    "home-denied": Fault(
        "ops", "permission", "the home folder is another user's", "the agent's home folder is not writable"
    ),
    "out-of-memory": Fault(
        "ops", "out_of_memory", "the agent has too little memory", "the system refuses memory to the tool"
    ),
    "too-many-files": Fault("ops", "out_of_resources", "the limit of open files is reached", "a limit of the agent"),
    "too-many-processes": Fault("ops", "out_of_resources", "no more processes may start", "a limit of the agent"),
    "locale": Fault("ops", "config_error", "the locale is not on the agent", "the agent lacks the locale"),
    "lock-held": Fault("ops", "lock", "another process holds the lock", "something else on the agent holds the lock"),
    "daemon-down": Fault("ops", "service_unavailable", "the agent's daemon does not run", "a daemon of the agent is down"),
    "socket-denied": Fault(
        "ops", "permission", "the daemon's socket is not accessible", "the CI account may not use the daemon"
    ),
    "host-key": Fault(
        "ops", "host_key", "the host's key is not the known one", "known hosts of the platform, or a changed node"
    ),
    "key-refused": Fault("ops", "auth_platform", "the server refuses the key", "the CI account's key is refused"),
    "library-missing": Fault(
        "ops", "missing_tool", "a system library is not on the agent", "the agent's image lacks a library"
    ),
    "tool-too-old": Fault(
        "unknown", "missing_tool", "the tool is older than asked for", "the agent's version, or the project's wish"
    ),
    "tool-missing": Fault(
        "unknown", "missing_tool", "the program is not on the agent", "the agent's image, or the pipeline's wish"
    ),
    "killed": Fault("unknown", "out_of_memory", "SIGKILL from outside", "a bare Killed (137) tells no cause"),
    "terminated": Fault("unknown", "aborted", "SIGTERM from outside", "a bare Terminated (143) tells no cause"),
    "timeout": Fault("unknown", "timeout", "timeout(1) ends the tool", "a bare 124 tells no cause"),
    "port-taken": Fault("unknown", "port_in_use", "another process has the port", "a leftover, or the suite itself"),
    "local-service-absent": Fault("unknown", "service_unavailable", "nothing listens on localhost", "pipeline or agent"),
}

# The project: code, tests, files, pipeline.
PROJECT = {
    "syntax": Fault("dev", "compile_error", "a syntax error in the source", "the source has a syntax error"),
    "type": Fault("dev", "compile_error", "a type error in the source", "the source has a type error"),
    "undefined-name": Fault("dev", "compile_error", "the source uses a name that nothing defines", "a name is not defined"),
    "link": Fault("dev", "compile_error", "a symbol that nothing defines", "the project links what it does not define"),
    "import": Fault("dev", "import_error", "the source imports what is not there", "a module of the project is missing"),
    "test": Fault("dev", "test_failure", "an assertion fails", "a test of the project failed"),
    "test-error": Fault("dev", "test_failure", "a test stops with an exception", "a test of the project failed"),
    "test-mock": Fault("dev", "test_failure", "a mock or own test server refuses", "the network error is the test's own"),
    "test-timeout": Fault("dev", "test_failure", "a test does not end", "the project's own test does not end"),
    "coverage": Fault("dev", "test_failure", "coverage is below the project's threshold", "too few tests"),
    "panic": Fault("dev", "exception", "the project's program stops with an exception", "the project's own code stops"),
    "own-heap": Fault("dev", "out_of_memory", "the process's own heap limit is reached", "the build's own limit"),
    "lint": Fault("dev", "lint", "the linter finds something", "a finding in the source"),
    "format": Fault("dev", "lint", "the format is not the formatter's", "the source is not formatted"),
    "missing-dependency": Fault("dev", "dependency_resolution", "a dependency is not declared", "the manifest lacks it"),
    "dependency-conflict": Fault("dev", "dependency_resolution", "two pins contradict each other", "the pins contradict"),
    "lock-out-of-step": Fault(
        "dev", "dependency_resolution", "the lock file is not of this manifest", "the lock is out of step"
    ),
    "bad-manifest": Fault("dev", "config_error", "the manifest cannot be parsed", "a malformed file of the project"),
    "bad-yaml": Fault("dev", "config_error", "a YAML file cannot be parsed", "a malformed file of the project"),
    "bad-config": Fault("dev", "config_error", "a setting of the project is not valid", "a wrong setting of the project"),
    "wrong-option": Fault("dev", "pipeline_script", "the script gives an option that does not exist", "a wrong call"),
    "wrong-parameter": Fault("dev", "config_error", "a parameter is wrong or missing", "a wrong parameter of the change"),
    "unknown-target": Fault("dev", "config_error", "a target that the project does not define", "no such target"),
    "undefined-variable": Fault("dev", "pipeline_script", "the script uses an unset variable", "the script does not set it"),
    "empty-variable": Fault("dev", "pipeline_script", "a variable of the script is empty", "the address lacks a part"),
    "script-bug": Fault("dev", "pipeline_script", "the project's script does something wrong", "a mistake of the script"),
    "missing-file": Fault(
        "dev", "pipeline_script", "a file that the repository does not have", "no such file in the repository"
    ),
    "not-executable": Fault("dev", "file_mode", "a script of the repository is not executable", "committed without the bit"),
    "tool-misspelt": Fault("dev", "missing_tool", "the program's name is misspelt", "a typing error in the script"),
    "unknown-ref": Fault("dev", "config_error", "a branch or tag that does not exist", "the change names no existing ref"),
    "merge-conflict": Fault("dev", "merge_conflict", "two changes do not merge", "the branches contradict each other"),
    "shallow": Fault("dev", "config_error", "the clone is too shallow for the commit", "the pipeline clones too little"),
    "hook": Fault(
        "unknown", "auth_platform", "the server's hook refuses the push", "a rule of the platform or of the pipeline"
    ),
    "behind": Fault("dev", "merge_conflict", "the branch is behind the one it is pushed to", "not a fast-forward"),
    "host-misspelt": Fault("dev", "config_error", "the host's name is misspelt", "the right name is in the log too"),
    "app-unhealthy": Fault("dev", "app_unhealthy", "the new version says that it is not healthy", "it names its own fault"),
    "proxy-5xx": Fault(
        "unknown", "app_unhealthy", "a proxy before the application answers 5xx", "the version, or its nodes"
    ),
    "migration": Fault("dev", "migration", "the migration's SQL fails", "the migration of the release"),
    "playbook": Fault("dev", "playbook_error", "the playbook is wrong", "a fault of the playbook"),
    "template": Fault("dev", "playbook_error", "a template is wrong", "a fault of the template"),
    "licence": Fault("dev", "lint", "a licence that the project does not allow", "the project's own rule"),
    "recovered-then-dev": Fault(
        "dev", "compile_error", "retries recover, then the source is wrong", "the last cause decides"
    ),
    "ignored-then-dev": Fault("dev", "test_failure", "an ignored failure, then a test fails", "the last cause decides"),
}

WEB = {**CONNECTION, **TLS, **STATUS, **CONTENT}
SERVICE = {**WEB, **UPLOAD}
FAULTS = {**SERVICE, **LOOKUP, **MACHINE, **PROJECT}
