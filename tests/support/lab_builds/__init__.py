"""Failures of the lab inside real builds: a modelled controller has them, the real poller reads it, and ``why`` judges.

``stories`` says which builds there are, ``pipelines`` plays them, ``playbooks`` adds what Ansible's callback tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from pipeline_trace.delivery import ship
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import find_home
from pipeline_trace.lookup.lookup import local_lookup
from pipeline_trace.ownership import Verdict, judge
from pipeline_trace.ownership.log.rules import Rules
from pipeline_trace.trace import conventions as c

from ..model import ModelJenkins
from ..polling import Polling
from .pipelines import Built, all_builds, built
from .playbooks import write_playbook
from .stories import DEPLOY, FIRST, LATER, MOMENTS, Case, case_of, story

__all__ = ["FIRST", "LATER", "MOMENTS", "Case", "case_of", "verdicts"]

# Cases on one controller. More of them make it slow: it goes through all its builds for each answer.
_AT_ONCE = 10


def verdicts(cases: Iterable[Case], moment: str, folder: Path, rules: Rules) -> Iterator[tuple[Case, Verdict]]:
    """Yield what ``why`` says of the last failed build of each case. ``moment``: of MOMENTS. ``folder``: an empty one."""
    left = iter(cases)
    number = 0
    while some := list(islice(left, _AT_ONCE)):
        number += 1
        yield from _of_some(some, moment, folder / str(number), rules)


def _of_some(cases: Sequence[Case], moment: str, folder: Path, rules: Rules) -> list[tuple[Case, Verdict]]:
    told = [[built(case, ran, position) for ran in story(case, moment)] for position, case in enumerate(cases, 1)]
    home = find_home({"PIPELINE_TRACE_HOME": str(folder / "trace-home")})
    with ModelJenkins([played for one in told for played in all_builds(one)]) as jenkins:
        polling = Polling(folder / "poller", jenkins)
        polling.sweep()
        polling.state.close()
    home.store.parent.mkdir(parents=True, exist_ok=True)
    with closing(Store(home.store)) as store:
        store.deliver(polling.spans, 60.0)
        for case, runs in zip(cases, told, strict=True):
            _add_playbooks(folder, case, runs, polling)
        ship.ship_all(folder / "playbooks", store)
    with closing(local_lookup(home)) as lookup:
        return [
            (case, judge.judged_for(lookup, _asked(runs), rules).verdict) for case, runs in zip(cases, told, strict=True)
        ]


def _add_playbooks(folder: Path, case: Case, runs: Sequence[Built], polling: Polling) -> None:
    """Write the playbooks that failed, each below the stage that ran it."""
    journals = folder / "playbooks"
    journals.mkdir(exist_ok=True)
    failed = {(run.last.job, str(run.last.number)) for run in runs if run.ran.fails and case.results}
    for span in polling.spans:
        build = (span.resource.get(c.PIPELINE_NAME), span.resource.get(c.PIPELINE_RUN_ID))
        if build in failed and span.name == DEPLOY and span.attributes.get(c.JENKINS_TYPE) == c.TYPE_STAGE:
            write_playbook(journals, span, case.results)


def _asked(runs: Sequence[Built]) -> str:
    """Return the build that somebody asks about: the last one of the first project that failed, from its beginning."""
    first = next(run for run in runs if run.ran.fails)
    last = [run for run in runs if run.ran.fails and run.ran.app == first.ran.app][-1]
    return f"{last.builds[0].job}#{last.builds[0].number}"
