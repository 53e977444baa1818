"""Checks the conditions of rules: what is around a matched line. Does no I/O."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from . import blocks
from .case import Case
from .rules import TARGETS, Condition, Rules

_TOKEN = re.compile(r"\w[\w.+-]*\w")
_TELLING = re.compile(r"[\d.@_-]")
_EMPTY = re.compile(r"^\++ \w+=(?:''|\"\")?$", re.MULTILINE)
_GAP = re.compile(r"[-_/=]\.(?:tgz|tar|zip|jar|war|whl|deb|rpm|sql|ya?ml)\b|[^:/\s]//[^/]|=(?=\s|&|$)|/-[\s/]|:(?=\s|$)")
_LISTS = re.compile(
    r"list-tags|\"tags\"|tags available|from versions: (?!none)|available versions|candidate versions|ls-remote|search repo"
    r"|git (?:tag|branch)\b"
    r"|(?<!from )versions: (?!none)|show-ref|index\.yaml|npm view|pip index|mvn versions|did you mean|similar name",
    re.IGNORECASE,
)
_STEPS = re.compile(r"\w{3,}")
HEALTH = re.compile(r"\bhealth|unhealthy|smoke test|readiness", re.IGNORECASE)
_AGENT = re.compile(r"\b(?:agent|image|provided|installed|toolchain|node image|runner)\b", re.IGNORECASE)
_ANSWERS = re.compile(
    r"accepting connections|succeeded!|is alive|\bopen\b|connected to|200 OK|PONG|bytes from|0% packet loss", re.IGNORECASE
)
_MANIFEST = re.compile(
    r"(?:package\.json|requirements[\w.-]*\.txt|pyproject\.toml|setup\.cfg|go\.mod|Cargo\.toml|Gemfile|pom\.xml|build\.gradle|composer\.json"
    r"|environment\.ya?ml|Pipfile|Dockerfile|\.tool-versions|packages\.txt|\.csproj|tox\.ini|build\.sbt|mix\.exs|conanfile)"
)
_CHANGE = re.compile(
    r"^diff --git |^\++ git (?:diff|show|log)|Jenkinsfile|\.gitlab-ci|pipeline\.ya?ml|\bFROM \S+:", re.MULTILINE
)
_LEFT = re.compile(
    r"left ?over|stray|zombie|defunct|previous (?:build|run)|other job|old build|another (?:build|job|user)|workspace/\w+@",
    re.IGNORECASE,
)
_HOST = re.compile(r"[a-z][\w-]*(?:\.[\w-]+)+|\b\w+\d+\b")
# A file with a line number, or an error class: not a host, even with dots.
_CLASS = re.compile(r"[\w/.-]+\.\w{1,4}:\d+|[\w.$]*(?:Error|Exception)\b|\b[\w-]+\.(?:py|js|ts|go|java|rb|php|sh)\b")
# The host that a message about names tells.
_LOOKED_UP = re.compile(
    r"\b(?:lookup(?! address)|resolve(?: host(?:name)?)?:?|hostname:?|unknown host:?|translate host name|enotfound"
    r"|eai_again|resolving|unknownhostexception:)[ :]*['\"(]?(?P<one>[a-z][\w.-]*)"
    r"|\b(?!information)(?P<two>[a-z][\w.-]*)['\"]?: (?:name or service|temporary failure|no such host|nodename)",
    re.IGNORECASE,
)
# Words that stand where a host's name may.
_NO_HOSTS = frozenset(
    ("", "a", "address", "addresses", "the", "for", "from", "host", "hostname", "it", "name", "of", "on", "to", "with")
)
# The domain of a host, without the host's name, which may have a number.
_DOMAIN = re.compile(r"\b[a-z][\w-]*\.([a-z][a-z-]+\.[a-z]{2,})\b")
_ROLLOUT = re.compile(
    r"rollout|--wait|--atomic|helm (?:upgrade|install)|kubectl wait|condition|systemctl|container", re.IGNORECASE
)
_PATH = re.compile(
    r"[\"'\u2018`]([^\"'\u2019`\s]*[^\"'\u2019`\s:])[\"'\u2019`]"
    r"|((?:\.{0,2}/)?[\w@.+-]+(?:/[\w@.+-]+)*\.?\w*)"
    r"(?=:? (?:no such|not found|does not|cannot (?:stat|open|access))|: No such|$)",
    re.IGNORECASE,
)
_WORKSPACE = re.compile(
    r"^/(?:app|usr/src/app)/|/(?:workspace|builds|jenkins/workspace|src|repo|home/\w+/(?:work|build|project))\b"
)
_IMAGE = re.compile(r"(?<![\w.:/-])((?:docker\.io/(?:library/)?)?[a-z][\w-]*(?:/[\w-]+)?:[\w.-]+)")


_HERE = frozenset(("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True)
class Match:
    """A match. ``number``: the index of the line in the deciding part. ``name``: the name that it captures, "" for none."""

    number: int
    name: str


class Conditions:
    """Checks conditions for a match in a case."""

    def __init__(self, rules: Rules, case: Case, phase_at: Callable[[int], str]) -> None:
        """``phase_at``: returns the phase at a line."""
        self._phase_at = phase_at
        self._rules = rules
        self._case = case

    def hold(self, conditions: Sequence[Condition], finding: Match) -> bool:
        """Return whether all conditions hold."""
        return all(self._holds(condition, finding) for condition in conditions)

    def any(self, conditions: Sequence[Condition], finding: Match) -> bool:
        """Return whether at least one condition holds."""
        return any(self._holds(condition, finding) for condition in conditions)

    def _holds(self, condition: Condition, finding: Match) -> bool:
        return self._is(condition, finding) is not condition.negated

    def _is(self, condition: Condition, finding: Match) -> bool:
        what, task = condition.what, self._case.task
        if what == "line":
            return condition.regex.search(self._line(finding)) is not None
        if what == "command":
            return condition.regex.search(self._case.command) is not None
        if what == "exit":
            return str(self._case.code) == condition.value
        if what == "phase":
            return self._phase_at(finding.number) in condition.value.split()
        if what == "action":
            return task is not None and task.action in condition.value.split()
        if what in TARGETS:
            return self.target(finding) == what
        predicate: Callable[[Match], bool] = getattr(self, f"_{what}")
        return predicate(finding)

    def target(self, finding: Match) -> str:
        """Return the target of a match, from its address or program; "" if nothing tells it."""
        case, line, around = self._case, self._line(finding), self._around(finding)
        targets = self._rules.targets.items()
        by_url = [name for name, target in targets if name != "app" and target.url.on(line)]
        if case.task and case.task.unreachable and not _HERE.intersection(case.task.hosts):
            # A host of the inventory, even if its address is that of a tunnel.
            by_url = ["host", *by_url]
        elif case.task and HEALTH.search(case.task.task):
            by_url = ["app", *by_url]
        by_tool = [name for name, target in targets if case.program in target.tools]
        found = [*by_url, *by_tool]
        if not found:
            texts = [text for text in (line, around, case.command) if "/" in text or "." in text]
            found = [name for text in texts for name, target in targets if target.url.on(text)]
        if not found:
            found = [name for name, target in targets if self._port(f"{around} {case.command}", target.ports)]
        return found[0] if found else ""

    @staticmethod
    def _port(text: str, ports: frozenset[str]) -> bool:
        return bool(ports) and any(port in ports for port in re.findall(r"(?:port[ =]|:)(\d{2,5})\b", text))

    def _line(self, finding: Match) -> str:
        return self._case.lines[finding.number]

    def _around(self, finding: Match, far: int = 1) -> str:
        return "\n".join(self._case.lines[max(finding.number - far, 0) : finding.number + far + 1])

    @cached_property
    def _before(self) -> str:
        return "\n".join(self._case.before)

    @cached_property
    def _diff(self) -> tuple[str, str]:
        return blocks.added(self._case.before)

    def _always(self, finding: Match) -> bool:
        return True

    def _in_diff(self, finding: Match) -> bool:
        """Return whether a diff in the log adds what the line names."""
        new, other = self._diff
        if not new:
            return False
        names = set(_TOKEN.findall(finding.name))
        names.update(token for token in _TOKEN.findall(self._around(finding)) if _TELLING.search(token) and len(token) > 3)
        new_tokens, old_tokens = set(_TOKEN.findall(new)), set(_TOKEN.findall(other))
        return any(name in new_tokens - old_tokens for name in names)

    def _empty_variable(self, finding: Match) -> bool:
        case = self._case
        if _EMPTY.search(self._before):
            return True
        if case.program == "git":
            # A refspec may end with a colon.
            return False
        # The name of a task is prose.
        words = case.command.removeprefix(case.task.task) if case.task else re.sub(r"^\S+ ", "", case.command)
        return _GAP.search(words) is not None

    def _listed(self, finding: Match) -> bool:
        """Return whether the log lists what is available instead."""
        return _LISTS.search(self._around(finding, 3)) is not None or _LISTS.search(self._before) is not None

    def _internal(self, finding: Match) -> bool:
        name = finding.name or self._line(finding)
        if self._rules.lines["public"].on(name):
            return False
        return self._rules.lines["internal"].on(name) or name.startswith("@")

    def _public(self, finding: Match) -> bool:
        base = self._base(finding)
        return (
            self._rules.lines["public"].on(finding.name)
            or base in self._rules.names["packages"]
            or self._misspelt_package(finding)
        )

    def _misspelt_package(self, finding: Match) -> bool:
        base = self._base(finding)
        return len(base) > 3 and bool(difflib.get_close_matches(base, self._rules.names["packages"], 1, 0.84))

    @staticmethod
    def _base(finding: Match) -> str:
        """Return the name of a package without its version and scope."""
        name = re.split(r"[<>=!~^;,\[ ]", finding.name.strip("'\"`,.()"))[0]
        parts = [part for part in re.split(r"[/:]|(?<=.)@", name) if part]
        known = [part for part in parts if not part[0].isdigit()]
        return known[-1].lower() if known else ""

    def _public_image(self, finding: Match) -> bool:
        """Return whether the image is from Docker Hub, or names no registry."""
        text = self._line(finding)
        found = _IMAGE.search(finding.name or text)
        return found is not None and not re.search(
            rf"[\w-]+\.[\w.-]+(?::\d+)?/{re.escape(found[1])}", text.replace("docker.io/", "")
        )

    def _misspelt(self, finding: Match) -> bool:
        """Return whether the command is one typing error away from a program that pipelines call."""
        name = finding.name.rstrip("0123456789.")
        programs = self._rules.names["programs"]
        if len(name) < 3 or finding.name in programs or name in programs:
            return False
        return any(_slip(finding.name, program) for program in programs if len(program) > 2)

    def _misspelt_step(self, finding: Match) -> bool:
        """Return whether the message lists a step of Jenkins that is one typing error away."""
        return any(_slip(finding.name, step) for step in _STEPS.findall(self._line(finding).partition(" among ")[2]))

    def _agent_lists(self, finding: Match) -> bool:
        """Return whether the log shows that the agent's image should have the tool."""
        word = re.compile(rf"(?<![\w-]){re.escape(finding.name)}(?![\w-])") if finding.name else None
        lines = [line for line in self._case.before if not line.startswith("+")]
        return word is not None and any(word.search(line) and _AGENT.search("\n".join(lines)) for line in lines)

    def _bare_host(self, finding: Match) -> bool:
        """Return whether the host has no domain: it is then a service next to the build, not a host in the network."""
        found = (match["one"] or match["two"] for match in _LOOKED_UP.finditer(self._line(finding)))
        names = [name.strip(".") for name in found if name.lower().strip(".") not in _NO_HOSTS]
        return bool(names) and all("." not in name for name in names)

    def _misspelt_host(self, finding: Match) -> bool:
        """Return whether the host is one typing error away from another host in the log: exmaple.com and example.com."""
        here = set(_DOMAIN.findall(self._line(finding)))
        text = "\n".join((*self._case.before, self._case.command, self._case.script, *self._case.lines))
        return any(_slip(one, other) for one in here for other in set(_DOMAIN.findall(text)) - here)

    def _change_shown(self, finding: Match) -> bool:
        return _CHANGE.search(self._before) is not None

    def _manifest_shown(self, finding: Match) -> bool:
        return any(line.startswith("+") and _MANIFEST.search(line) for line in self._case.before)

    def _manifest_lacks(self, finding: Match) -> bool:
        """Return whether the log shows a manifest that does not name the tool."""
        if not finding.name or not self._manifest_shown(finding):
            return False
        shown = "\n".join(line for line in self._case.before if not line.startswith("+ "))
        # The name must be an entry, not a word in a script.
        entry = rf"(?m)(?:^|[\"'\s/]){re.escape(finding.name)}[\"']?\s*(?:[:=<>~\[@;,]|v?\d|$)"
        return re.search(entry, shown) is None

    def _repo_script(self, finding: Match) -> bool:
        name = finding.name
        return name.startswith(("./", "../")) or ("/" in name and not name.startswith("/")) or bool(_WORKSPACE.search(name))

    def _repo_path(self, finding: Match) -> bool:
        """Return whether the missing file is in the repository, not in the system."""
        paths = [first or second for first, second in _PATH.findall(self._line(finding))]
        # A bare name is a file of the workspace if the command names it, too.
        files = [path for path in paths if "/" in path or "." in path or path in self._case.command.split()]
        return bool(files) and all(not path.startswith(("/", "~")) or _WORKSPACE.search(path) for path in files)

    def _answers_elsewhere(self, finding: Match) -> bool:
        """Return whether the log shows that the same host answers on another port."""
        hosts = set(_HOST.findall(self._around(finding)))
        return any(_ANSWERS.search(line) and hosts & set(_HOST.findall(line)) for line in self._case.before)

    def _names_other_owner(self, finding: Match) -> bool:
        return _LEFT.search("\n".join((*self._case.before, *self._case.lines))) is not None

    def _system_header(self, finding: Match) -> bool:
        return "#include <" in self._around(finding, 2) or "Python.h" in self._line(finding)

    def _rollout(self, finding: Match) -> bool:
        return _ROLLOUT.search(self._case.command + self._line(finding)) is not None

    def _not_ansible(self, finding: Match) -> bool:
        return self._case.task is None and "ansible" not in self._case.command


def _slip(word: str, other: str) -> bool:
    """Return whether two words differ by one letter: changed, missing, added, or exchanged with the next one."""
    if abs(len(word) - len(other)) > 1 or word == other:
        return False
    start = 0
    while start < min(len(word), len(other)) and word[start] == other[start]:
        start += 1
    rest, wanted = word[start:], other[start:]
    return (
        rest[1:] == wanted
        or rest == wanted[1:]
        or rest[1:] == wanted[1:]
        or (rest[:2] == wanted[:2][::-1] and rest[2:] == wanted[2:])
    )
