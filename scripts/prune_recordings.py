#!/usr/bin/env python3
"""Copy recordings of a Jenkins, without what a poller never asks for.

    python scripts/prune_recordings.py SOURCE_DIR TARGET_DIR [NAME…] [--builds JOB#NUMBER …]

NAME is a file's name without `.jsonl`; default: all. `--builds` keeps the named builds only: lists show no others, and
the next number of a job is the one after its highest.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_ASKED = re.compile(
    r"""
      (/job/[^/?]+)*/api/json(\?tree=.*)?
    | (/job/[^/?]+)+(/[^/?]+=[^/?]+)?/([0-9]+|last\w+)(/testReport)?/api/json(\?tree=.*)?
    | (/job/[^/?]+)+(/[^/?]+=[^/?]+)?/[0-9]+/consoleText
    | (/job/[^/?]+)+/([0-9]+|last\w+)/(execution/node/[0-9]+/)?wfapi/(describe|log)
    | (/job/[^/?]+)+/[0-9]+/stages/(tree|allSteps|(log|exceptionText)\?nodeId=[0-9]+)
    | (/job/[^/?]+)+/[0-9]+/execution/node/[0-9]+/log/(\?consoleFull|logText/progressive(Text|Html)\?start=0)
    | (/job/[^/?]+)+/wfapi/runs(\?.*)?
    | /computer/api/json(\?(tree|depth)=.*)?
    | /queue(/item/[0-9]+)?/api/json(\?tree=.*)?
    | /(whoAmI|crumbIssuer)/api/json
    """,
    re.VERBOSE,
)
_HEADERS = ("X-Jenkins", "Content-Type", "WWW-Authenticate")
_OF_LOGS = ("X-Text-Size", "X-More-Data")
_OF_COMPUTERS = frozenset({"loadStatistics", "monitorData", "propertiesList", "tiedJobs", "clouds"})
_PAGE_SHOWN = 400  # characters that are kept of an HTML page
_BUILD = re.compile(r"(?P<job>(?:/job/[^/]+)+)/(?P<number>[0-9]+)(?:/|$)")
_JOB = re.compile(r"(?:/job/[^/]+)+")

Builds = dict[str, set[int]]  # a job's full name, its builds' numbers


def main() -> None:
    """Read the arguments and write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="SOURCE_DIR")
    parser.add_argument("target", type=Path, metavar="TARGET_DIR")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--builds", nargs="+", metavar="JOB#NUMBER", default=[])
    arguments = parser.parse_args()
    builds = _builds(parser, arguments.builds)
    arguments.target.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or sorted(file.stem for file in arguments.source.glob("*.jsonl")):
        lines = (arguments.source / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        pruned = [json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in prune(lines, builds)]
        (arguments.target / f"{name}.jsonl").write_text("\n".join(pruned) + "\n", encoding="utf-8")


def prune(lines: list[str], builds: Builds) -> Iterator[dict[str, Any]]:
    """Yield the header and the exchanges to keep, pruned. No ``builds``: all of them."""
    yield json.loads(lines[0])
    exchanges = [json.loads(line) for line in lines[1:]]
    described = {exchange["path"] for exchange in exchanges if exchange["path"].endswith("/wfapi/describe")}
    before: dict[tuple[str, Any], Any] = {}
    for exchange in exchanges:
        if exchange["method"] != "GET" or not _ASKED.fullmatch(exchange["path"]) or _is_known(exchange, described):
            continue
        if builds and not _keep_builds(exchange, builds):
            continue
        answer = (exchange["status"], exchange.get("json", exchange.get("text")))
        asked = (exchange["path"], exchange["as"])
        if before.get(asked) != answer:
            before[asked] = answer
            yield _lean(exchange)


def _is_known(exchange: dict[str, Any], described: set[str]) -> bool:
    """Tell whether a list of runs says nothing that the runs' own descriptions do not say."""
    job, _, rest = exchange["path"].partition("/wfapi/runs")
    runs = exchange.get("json")
    return bool(rest) and isinstance(runs, list) and all(f"{job}/{run['id']}/wfapi/describe" in described for run in runs)


def _builds(parser: argparse.ArgumentParser, names: list[str]) -> Builds:
    builds: Builds = {}
    for name in names:
        job, _, number = name.rpartition("#")
        if not job or not number.isdigit():
            parser.error(f"--builds wants JOB#NUMBER, not {name!r}")
        builds.setdefault(job, set()).add(int(number))
    return builds


def _lean(exchange: dict[str, Any]) -> dict[str, Any]:
    lean = {name: value for name, value in exchange.items() if name != "took_ms"}
    # An answer of Jenkins' own is JSON or a log.
    kept = _OF_LOGS if exchange["status"] == 200 else _HEADERS
    lean["headers"] = {name: value for name, value in exchange["headers"].items() if name in kept}
    if not lean["headers"]:
        del lean["headers"]
    if exchange["path"].startswith("/computer/") and "json" in exchange:
        lean["json"] = _without(exchange["json"], _OF_COMPUTERS)
    if exchange["status"] != 200 and str(exchange["headers"].get("Content-Type")).startswith("text/html"):
        lean["text"] = exchange["text"][:_PAGE_SHOWN]
    return lean


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(item, names) for name, item in value.items() if name not in names}
    return [_without(item, names) for item in value] if isinstance(value, list) else value


def _keep_builds(exchange: dict[str, Any], builds: Builds) -> bool:
    """Tell whether to keep an exchange; take out of its body what is of other builds."""
    path = unquote(exchange["path"].partition("?")[0])
    if _is_other_path(path, builds):
        return False
    body = exchange.get("json")
    if isinstance(body, dict | list):
        body = exchange["json"] = _only(body, builds)
    job = _JOB.match(path)
    if job and isinstance(body, dict) and "nextBuildNumber" in body:
        body["nextBuildNumber"] = max(builds[_full_name(job.group())]) + 1
    return True


def _only(value: Any, builds: Builds) -> Any:
    """Return a copy of a body in which other builds and jobs are null, or missing where they stood in a list."""
    if isinstance(value, dict):
        return {name: None if _is_other(item, builds) else _only(item, builds) for name, item in value.items()}
    if isinstance(value, list):
        return [_only(item, builds) for item in value if not _is_other(item, builds)]
    return value


def _is_other(value: Any, builds: Builds) -> bool:
    if not isinstance(value, dict):
        return False
    link = value.get("url") or value.get("_links", {}).get("self", {}).get("href") or ""
    return _is_other_path(unquote(str(link)), builds)


def _is_other_path(path: str, builds: Builds) -> bool:
    build, job = _BUILD.search(path), _JOB.search(path)
    if build:
        return int(build["number"]) not in builds.get(_full_name(build["job"]), ())
    if job:
        folder = _full_name(job.group()) + "/"
        return not any(f"{name}/".startswith(folder) for name in builds)
    return False


def _full_name(path: str) -> str:
    return path.removeprefix("/job/").replace("/job/", "/")


if __name__ == "__main__":
    main()
