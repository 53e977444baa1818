"""Says which kinds of failures history can tell something of. Does no I/O."""

from __future__ import annotations

from .verdict import UNKNOWN

APP_UNHEALTHY = "app_unhealthy"
# A person or a limit ended it. Several of them have no common cause.
ENDED_BY_SOMEBODY = frozenset(
    ("aborted", "superseded", "not_approved", "waiting_for_approval", "blocked_in_queue", "terminated", "timeout", "running")
)
# What code and its checks print. Equal lines in several projects show no service that they share.
CODE = frozenset(("test_failure", "compile_error", "lint", "import_error", "exception", "build_failure", "tool_crash"))
# Something that is asked for is not there. Nobody may have put it there yet.
ABSENT = frozenset(("dependency_resolution", "image_tag", "missing_file", "missing_tool", "not_found", "wrong_version"))
# No change of an application brings these about.
NEVER_A_CHANGE = frozenset(
    ("agent_lost", "agent_broken", "clock", "host_unreachable", "no_agent", "rate_limit", "storage_broken", "tls_expired")
)
# A service's answer, or none: it may come and go without any change. This may be so of what no rule knows, too.
OF_SERVICES = frozenset(
    (
        *("auth_platform", "bad_answer", "checkout", "database_lock", "dns", "lock", "network", "network_timeout"),
        *(
            "platform",
            "quota",
            "registry_unavailable",
            "scm_unavailable",
            "service_unavailable",
            "tls_untrusted",
            "unschedulable",
        ),
        *(APP_UNHEALTHY, UNKNOWN, *NEVER_A_CHANGE),
    )
)
