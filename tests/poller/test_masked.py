"""No text of a build's spans shows a secret; their ids stay what its names make them. All secrets here are made up."""

from __future__ import annotations

import json

from jenkins_poller.fetch.build import Fetched
from jenkins_poller.spans.spans import spans_of_build
from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.span import Link

WORD = "Zq7xVrT4mKp9"


def test_names_urls_links_and_tests_of_a_build_are_masked_and_ids_stay() -> None:
    build = Build("https://ci", f"team/password={WORD}", 5)
    document = {
        "result": "FAILURE",
        "timestamp": 1_000,
        "duration": 50,
        "url": f"https://bob:{WORD}@ci/job/x/5/",
        "builtOn": f"token={WORD}",
        "displayName": f"#5 secret={WORD}",
    }
    fetched = Fetched(build, document, failed_tests=[("suite", f"login with password={WORD}")], console=f"password: {WORD}")
    place = BuildPlace(build.trace_id, None, (Link("1" * 32, "2" * 16, {"jenkins.link": f"token={WORD}"}),))
    spans = spans_of_build(fetched, place, {"service.name": f"https://bob:{WORD}@ci"})
    assert WORD not in json.dumps([span.to_dict() for span in spans])
    assert spans[0].name == "RUN team/password=***"
    assert (spans[0].trace_id, spans[0].span_id) == (build.trace_id, build.run_span_id)
