"""The checks of `doctor` on this machine: the state folder, the journals, the delivery and the packages.

Other packages add checks as entry points of the group ``pipeline_trace.checks``: functions that take the environment
and yield Check objects.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..delivery import aside, destinations, home, journal, losses, progress, waiting
from ..place import ci
from ..trace import redact

OK, HINT, BROKEN = "ok", "hint", "broken"
SECONDS = 5.0

_PACKAGES = (
    "ansible-core",
    "python-jenkins",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp",
    "jinja2",
    "click",
    "tenacity",
    "rich",
)
_LITTLE_ROOM = 100 << 20


@dataclass(frozen=True)
class Check:
    """The result of one check. ``state``: OK, HINT or BROKEN. ``mend``: the command or setting that fixes it."""

    name: str
    state: str
    text: str
    mend: str = ""


Checks = Callable[[Mapping[str, str]], Iterator[Check]]


def machine(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check the state folder, its journals and its store."""
    system = ci.system_of(environ)
    yield Check("place", OK, f"inside {system}" if system else "outside CI")
    try:
        place = home.find_home(environ)
    except home.HomeError as error:
        yield Check("home", BROKEN, str(error), f"export {home.HOME}=/a/folder/of/yours")
        return
    mend = f"export {home.HOME}=/a/folder/of/yours" if place.warning else ""
    yield Check("home", HINT if place.warning else OK, place.warning or f"{place.path} is writable", mend)
    yield from _journals(place.journals)
    refused = list(place.journals.glob("*.refused"))
    if refused:
        said = f"a receiver rejected some spans; they are kept in {refused[0]}"
        yield Check("refused", HINT, said, f"to remove them: rm {refused[0]}")
    yield _store(place.store)


def _journals(folder: Path) -> Iterator[Check]:
    if journal.find_journals(folder):
        states = map(progress.load_progress, journal.find_journals(folder))
        problem = next((f" ({state.problem})" for state in states if state.problem), "")
        yield Check("journals", HINT, waiting.said_count(folder) + problem, "pipeline-trace ship")
    else:
        yield Check("journals", OK, "no spans wait for delivery")
    set_aside = aside.count_aside(folder)
    if set_aside:
        said = f"{set_aside} journals are set aside: three times, something else than an OTLP receiver answered"
        yield Check("aside", HINT, said, f"correct OTEL_EXPORTER_OTLP_ENDPOINT, then run: {aside.bring_back(folder)}")
    lost = losses.untold(folder, take=False).said()
    if lost:
        yield Check(
            "losses", HINT, f"in earlier deliveries: {lost}", "see the receiver's log; pipeline-trace ship forgets it"
        )


def _store(path: Path) -> Check:
    sizes = [path.with_name(path.name + end) for end in ("", "-wal")]
    size = sum(file.stat().st_size for file in sizes if file.exists())
    free = shutil.disk_usage(path.parent).free
    said = f"{size / 1e6:.1f} MB in {path}, {free / 1e9:.1f} GB free"
    if free < _LITTLE_ROOM:
        return Check("store", HINT, said, f"free some space, or set {home.HOME} to a folder on another disk")
    return Check("store", OK, said)


def delivery(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check whether the receiver answers a request without spans."""
    endpoint = redact.masked(destinations.traces_endpoint(environ))
    if destinations.is_disabled(environ):
        said = "no spans are sent: OTEL_SDK_DISABLED=true or OTEL_TRACES_EXPORTER=none is set"
        yield Check("delivery", HINT, said, "unset OTEL_SDK_DISABLED OTEL_TRACES_EXPORTER")
        return
    if not endpoint:
        mend = "export OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.example.com:4318" if ci.system_of(environ) else ""
        yield Check("delivery", HINT if mend else OK, "no endpoint is set: spans stay in the store on this machine", mend)
        return
    warning = destinations.setup_warning(environ)
    try:
        destination = destinations.configured_destination(environ, Path(os.devnull))
        try:
            destination.deliver([], SECONDS)
        finally:
            destination.close()
    except destinations.SetupError as error:
        yield Check("delivery", BROKEN, redact.masked(str(error)), "correct the variable, or install the missing package")
    except destinations.DeliveryError as error:
        mend = (
            "start the receiver, or export OTEL_EXPORTER_OTLP_ENDPOINT=… "
            "(and OTEL_EXPORTER_OTLP_HEADERS=… if it needs a login)"
        )
        yield Check("delivery", BROKEN, redact.masked(str(error)), mend)
    else:
        yield Check("delivery", HINT if warning else OK, warning or f"{endpoint} answers")


def packages(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check whether the Python packages that pipeline-trace needs are installed."""
    found, missing = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    python = f"Python {sys.version.split()[0]} ({sys.executable})"
    if missing:
        mend = f"{sys.executable} -m pip install {' '.join(missing)}"
        yield Check("packages", BROKEN, f"{python} does not have {', '.join(missing)}", mend)
    else:
        yield Check("packages", OK, f"{python}: {', '.join(found)}")
