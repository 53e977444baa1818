"""What attributes and traits are in SQL. Does no I/O.

trace/traits.py says what a trait is, and judges each span that comes; here stands what narrows the rows down. Statistics and
the table of runs rest on these texts alone.
"""

from __future__ import annotations

from ...trace import conventions as c
from ...trace.others import RESULTS, SAID_BY, STEP_TYPES
from ...trace.span import ERROR, OK
from ...trace.traits import FAILED_HOST, PARTS, PLAYBOOKS, Trait
from ...trace.words import NEARLY_PRODUCTION, ONE_NAME, PARAMETERS, REVISION
from ..source import Wanted
from .columns import RESOURCE, Attributes, Bound, array, first, listed, quoted
from .kinds import kind_of


class Expressions:
    """The traits of spans in SQL."""

    def __init__(self, attributes: Attributes, *, lists: bool = False, kind: str = "") -> None:
        """``lists``: whether traits look into the lists in which Jenkins' plugin has parameters, which is long.

        ``kind``: the name of a column with the kind, where there is one.
        """
        self._of = attributes
        self._lists = lists
        self._kind = kind

    def trait(self, trait: Trait) -> str:
        """Return the value of a trait, '' for none."""
        found: dict[Trait, str] = {
            "pipeline": self._pipeline(),
            "run": self._run(),
            "result": self._result(),
            "service": self._told(c.DEPLOYMENT_NAME),
            "environment": one_name(self._told(c.DEPLOYMENT_ENVIRONMENT)),
            "version": self._told(c.ARTIFACT_VERSION),
            "revision": self._revision(),
            "change": self._text(c.VCS_CHANGE_ID),
            "worker": self._text(c.WORKER_NAME),
            "host": f"if({self._of.span(c.ANSIBLE_TYPE)} = '{c.TYPE_HOST}', "
            + first([self._of.span(c.ANSIBLE_HOST_NAME), "SpanName"])
            + ", '')",
        }
        if trait in ("service", "environment", "version", "revision", "change"):
            return f"if({self._kind or self.kind()} IN {listed(PARTS)}, '', {found[trait]})"
        return found[trait]

    def name(self) -> str:
        """Return the name of a stage, branch or task. Jenkins' plugin puts other words before it in the span's name."""
        of_plugin = f"{self._of.has(c.PLUGIN_STEP_ID)} OR {self._of.has(c.PLUGIN_STEP_NAME)}"
        return f"if({of_plugin}, {first([self._text(c.TASK_NAME), 'toString(SpanName)'])}, SpanName)"

    def wait(self) -> str:
        """Return the kind of a span that is a wait for the platform."""
        # The poller sends the kind. Spans of other tools have none: those with a duration in the queue are queues.
        own = self._of.span(c.JENKINS_TYPE)
        return f"if({own} != '', {own}, if({self._of.has(c.QUEUE_DURATION)}, '{c.TYPE_QUEUE}', '{c.TYPE_AGENT}'))"

    def waited(self) -> str:
        """Return for what such a span waits: the label of an agent, else the pipeline that is in the queue."""
        label = first([self._of.span(c.JENKINS_AGENT_LABEL), self._of.span(c.PLUGIN_STEP_LABEL)])
        return f"if({self.wait()} = '{c.TYPE_AGENT}', {label}, {self._pipeline()})"

    def kind(self) -> str:
        """Return the kind of a span, '' for others."""
        return kind_of(self._of)

    def noted(self, kind: str, result: str, revision: str) -> str:
        """Return whether a span may be noted. ``kind``, ``result``, ``revision``: SQL for these of its traits."""
        conditions = [
            self._of.has(c.PIPELINE_RESULT),
            # Of other tools, which have other names for it.
            f"({kind} = '{c.TYPE_RUN}' AND {result} != '' AND {self._of.span(c.JENKINS_TYPE)} = '')",
            f"{self._of.span(c.ANSIBLE_TYPE)} = '{c.TYPE_PLAYBOOK}'",
            f"{self._of.span(c.TASK_TYPE)} = '{c.DEPLOY}'",
            f"({self._of.span(c.TASK_ENVIRONMENT)} != '' AND {self._of.span(c.GITLAB_ENVIRONMENT_ACTION)} IN ('', 'start'))",
            f"(ParentSpanId = '' AND {revision} != '')",
        ]
        return f"({' OR '.join(conditions)})"

    def perhaps(self, *kinds: str) -> str:
        """Return whether a span is of one of these kinds of Jenkins', or of none that it names: other tools name others."""
        unnamed = f"{self._of.span(c.JENKINS_TYPE)} = '' AND {self._of.span(c.ANSIBLE_TYPE)} = ''"
        return f"({self._of.span(c.JENKINS_TYPE)} IN {listed(kinds)} OR ({unnamed}))"

    def outlined(self) -> str:
        """Return whether a span belongs to the outline of its trace."""
        kind = self._of.span(c.ANSIBLE_TYPE)
        inside = f"{kind} != '' AND {kind} NOT IN {listed(PLAYBOOKS)}"
        step = f"{self._of.span(c.JENKINS_TYPE)} = '{c.TYPE_STEP}' AND empty(Links.SpanId) AND {_NO_ERROR}"
        function = self._of.span(c.PLUGIN_STEP_TYPE)
        other_step = f"{function} != '' AND {function} NOT IN {listed(STEP_TYPES)} AND empty(Links.SpanId) AND {_NO_ERROR}"
        return f"(NOT ({inside} OR {step} OR {other_step}) OR {self._of.span(c.TASK_TYPE)} = '{c.DEPLOY}')"

    def no_fine_host(self) -> str:
        """Return whether a span is more than a host on which an Ansible task did not fail."""
        host, result = self._of.span(c.ANSIBLE_TYPE), self._of.span(c.ANSIBLE_RESULT)
        return f"NOT ({host} = '{c.TYPE_HOST}' AND {_NO_ERROR} AND {result} NOT IN {listed(FAILED_HOST)})"

    def no_fine_part(self) -> str:
        """Return whether a span is more than a part of a playbook that did not fail."""
        part, result = self._of.span(c.ANSIBLE_TYPE), self._of.span(c.TASK_RUN_RESULT)
        parts = listed((c.TYPE_PLAY, c.TYPE_ROLE, c.TYPE_BLOCK, c.TYPE_TASK))
        fine = f"{part} IN {parts} AND {_NO_ERROR} AND {result} NOT IN {listed(sorted(c.FAILED_RESULTS))}"
        return f"({self.no_fine_host()} AND NOT ({fine}))"

    def wanted(self, wanted: Wanted, bound: Bound) -> str:
        """Return whether a span has a wanted trait."""
        found = self.trait(wanted.trait)
        if not wanted.value:
            given = f" OR {self._of.has(c.PLUGIN_PARAMETER_VALUES)}" if wanted.trait in GIVEN and not self._lists else ""
            return f"({found} != ''{given})"
        value = bound.text(wanted.value)
        holds = f"startsWith({found}, {value})" if wanted.begins else f"{found} = {value}"
        if wanted.trait in GIVEN and not self._lists:
            # It may be in the list of parameters: who gets the span will see.
            holds = f"({holds} OR position({self._of.span(c.PLUGIN_PARAMETER_VALUES)}, {value}) > 0)"
        return holds

    def _text(self, name: str) -> str:
        """Return what a span, else its resource, says under a name or under others that mean the same."""
        names = (name, *SAID_BY.get(name, ()))
        if name in (c.PIPELINE_NAME, c.PIPELINE_RUN_ID):
            # Jenkins' plugin cuts the conventions' ones: its own come first.
            names = (*names[1:], name)
        return first([of(one) for of in (self._of.span, self._of.resource) for one in names])

    def _told(self, attribute: str) -> str:
        """Return an attribute of a span, of its resource, else a parameter of its build that says the same."""
        return first([self._text(attribute), *self._given(attribute)])

    def _revision(self) -> str:
        given = f"extract(lower({first(self._given(c.VCS_HEAD_REVISION))}), '^{REVISION.pattern}$')"
        return first([given, f"lower({self._text(c.VCS_HEAD_REVISION)})"])

    def _given(self, attribute: str) -> list[str]:
        """Return the parameters of a build that say an attribute. Those of Jenkins' plugin are in two lists."""
        found = [self._of.span(name) for name in _parameters(attribute)]
        if not self._lists:
            return found
        names, values = (self._of.listing(name) for name in (c.PLUGIN_PARAMETER_NAMES, c.PLUGIN_PARAMETER_VALUES))
        places = f"arrayFirstIndex(name -> has(JSONExtract({names}, 'Array(String)'), name), {array(PARAMETERS[attribute])})"
        named = f"arrayElement({array(['', *PARAMETERS[attribute]])}, {places} + 1)"
        place = f"indexOf(JSONExtract({names}, 'Array(String)'), {named})"
        return [*found, f"if({self._of.has(c.PLUGIN_PARAMETER_NAMES)}, JSONExtractString({values}, {place}), '')"]

    def own_result(self) -> str:
        """Return the result of what the poller or the callback made."""
        return first([*map(self._of.span, (c.PIPELINE_RESULT, c.TASK_RUN_RESULT)), f"if({_ERROR}, {quoted(c.FAILURE)}, '')"])

    def _pipeline(self) -> str:
        """Return the pipeline's name. GitHub's receiver says the job's instead; one of GitLab's may be its project's."""
        of_gitlab = f"if({self._of.resource(c.VCS_PROVIDER_NAME)} = 'gitlab', {self._of.resource(c.SERVICE_NAME)}, '')"
        return f"if({self._of_job()}, '', {first([self._text(c.PIPELINE_NAME), of_gitlab])})"

    def _run(self) -> str:
        """Return the number or id of the run. GitHub's receiver tells it of a job by the address alone."""
        by_address = f"extract({self._of.resource(c.TASK_RUN_URL)}, '^https?://.+?/actions/runs/([0-9]+)')"
        return f"if({self._of_job()}, {by_address}, {self._text(c.PIPELINE_RUN_ID)})"

    def _of_job(self) -> str:
        return f"{self._of.has(c.TASK_RUN_ID, RESOURCE)} AND NOT {self._of.has(c.PIPELINE_RUN_ID, RESOURCE)}"

    def _result(self) -> str:
        """Return the result in the conventions' word; other tools have others, or say it by the status."""
        kind = self._kind or self.kind()
        own = " OR ".join(map(self._of.has, (c.JENKINS_TYPE, c.SPAN_TYPE, c.ANSIBLE_TYPE, c.PROCESS_EXECUTABLE_NAME)))
        of_run, of_part = (self._text(name) for name in (c.PIPELINE_RESULT, c.TASK_RUN_RESULT))
        said = f"lower(if({kind} = '{c.TYPE_RUN}', {of_run}, {of_part}))"
        word = f"transform({said}, {array(RESULTS)}, {array(RESULTS.values())}, '')"
        status = f"multiIf({_ERROR}, {quoted(c.FAILURE)}, StatusCode = '{OK.capitalize()}', {quoted(c.SUCCESS)}, '')"
        return f"if({own} OR {kind} = '', {self.own_result()}, {first([word, status])})"


# Traits that parameters of a build may say.
GIVEN = frozenset({"service", "environment", "version", "revision"})
# Blanks and ends of lines around a text: trimBoth() takes blanks alone.
_AROUND = r"^\s+|\s+$"
_ERROR, _NO_ERROR = (f"StatusCode {sign} '{ERROR.capitalize()}'" for sign in ("=", "!="))


def _parameters(attribute: str) -> list[str]:
    return [c.JENKINS_PARAMETER_PREFIX + name for name in PARAMETERS[attribute]]


def one_name(value: str) -> str:
    """Return SQL for the one name of an environment, as words.environment_name does."""
    # RE2's groups that are not captured are written alike; its replacement is \\1, too.
    bare = f"lower(replaceRegexpAll({value}, {quoted(_AROUND)}, ''))"
    plain = f"replaceRegexpAll({bare}, {quoted(NEARLY_PRODUCTION)}, {quoted(chr(92) + '1prod')})"
    return f"transform({plain}, {array(ONE_NAME)}, {array(ONE_NAME.values())})"
