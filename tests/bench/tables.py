"""What was measured, as Markdown: tables, and the targets beside what was reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from environment import NOOP, OURS, THEIRS
from measuring import Process
from receiver import Received

NAMES = {"none": "none", NOOP: "no-op, same hooks", OURS: "**deploy_trace**", THEIRS: "community.general"}
# From the first count to the last, by no more than this.
_FLAT = 1.15


@dataclass(frozen=True)
class Sample:
    """One run: ``count`` host-tasks over ``hosts`` hosts."""

    callback: str
    count: int
    hosts: int
    process: Process
    received: Received

    @property
    def expected(self) -> int:
        """Return how many spans are to arrive: ours has the playbook, the play and the tasks besides the hosts'."""
        return {OURS: self.count + self.count // self.hosts + 2, THEIRS: self.count + 1}.get(self.callback, 0)

    @property
    def hooks_us(self) -> float:
        """CPU in the hooks, µs per host-task."""
        return self.process.notes["hooks_cpu_s"] * 1e6 / self.count

    @property
    def end_us(self) -> float:
        """CPU of the main process after the last hook, its exit included, µs per host-task."""
        return (self.process.cpu_s - self.process.notes["last_hook_cpu_s"]) * 1e6 / self.count

    @property
    def shipping_us(self) -> float:
        """CPU of the shipping process, its start included, µs per span."""
        return self.process.left_cpu_s * 1e6 / self.expected

    @property
    def growth_mb(self) -> float:
        """Peak memory of the main process over what it had when the run began, MB."""
        return (self.process.notes["peak_kb"] - self.process.notes["before_kb"]) / 1000

    @property
    def peak_mb(self) -> float:
        """Peak memory of the main process, MB."""
        return self.process.notes["peak_kb"] / 1000

    @property
    def pause_s(self) -> float:
        """Wall time from the last hook to the main process's exit, s."""
        return self.process.pause_s

    @property
    def wall_s(self) -> float:
        """Wall time of the main process, s."""
        return self.process.wall_s

    @property
    def main_s(self) -> float:
        """CPU of the main process with its workers, s."""
        return self.process.cpu_s

    @property
    def main_ms(self) -> float:
        """CPU of the main process with its workers, ms per host-task."""
        return self.process.cpu_s * 1e3 / self.count

    @property
    def all_ms(self) -> float:
        """CPU of all processes of the run, the shipping process included, ms per host-task."""
        return (self.process.cpu_s + self.process.left_cpu_s) * 1e3 / self.count


# The rounds of one callback and count, in their order.
Samples = Sequence[Sample]


def put(path: Path, script: str, text: str) -> None:
    """Put the text between a script's marks in a file."""
    before, begin, rest = path.read_text().partition(f"<!-- written by tests/bench/{script} -->\n")
    _, end, after = rest.partition("<!-- until here -->\n")
    if not (begin and end):
        raise SystemExit(f"{path} has no marks of {script}")
    path.write_text(before + begin + "\n" + text + "\n" + end + after)


def spread(values: Iterable[float], digits: int) -> str:
    """Return median and range."""
    found = sorted(values)
    return f"{median(found):.{digits}f} ({found[0]:.{digits}f}–{found[-1]:.{digits}f})"


def _of(samples: Samples, figure: str, digits: int) -> str:
    return spread((getattr(sample, figure) for sample in samples), digits)


def _pairs(samples: Samples, others: Samples, figure: str, combine: Callable[[float, float], float], digits: int) -> str:
    """Return a figure set against the same round's of another callback."""
    both = zip(samples, others, strict=True)
    return spread((combine(getattr(sample, figure), getattr(other, figure)) for sample, other in both), digits)


def _shipping(samples: Samples) -> str:
    shipped = [sample for sample in samples if sample.process.left]
    return _of(shipped, "shipping_us", 0) if shipped else "–"


def _arrived(samples: Samples) -> str:
    if not samples[0].expected:
        return "–"
    counts = sorted(sample.received.distinct for sample in samples)
    twice = sum(sample.received.spans - sample.received.distinct for sample in samples)
    some = f"{counts[0]:,}" if counts[0] == counts[-1] else f"{counts[0]:,}–{counts[-1]:,}"
    return f"{some} of {samples[0].expected:,}" + (f", {twice} twice" if twice else "")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def unforked(runs: Sequence[dict[str, Samples]]) -> list[str]:
    """Return the table of the hooks alone. ``runs``: for each count, the samples by callback."""
    heads = ["host-tasks", "callback", "CPU in the hooks, µs per host-task", "× no-op", "CPU at the end, µs per host-task"]
    heads += ["CPU of shipping, µs per span", "memory growth, MB", "peak memory, MB", "pause at the end, s", "spans arrived"]

    def row(run: dict[str, Samples], name: str) -> list[str]:
        samples = run[name]
        ratio = _pairs(samples, run[NOOP], "hooks_us", lambda one, other: one / other, 1)
        figures = [_of(samples, "hooks_us", 1), ratio, _of(samples, "end_us", 0), _shipping(samples)]
        figures += [_of(samples, "growth_mb", 1), _of(samples, "peak_mb", 0), _of(samples, "pause_s", 2), _arrived(samples)]
        return [f"{samples[0].count:,}", NAMES[name], *figures]

    return table(heads, [row(run, name) for run in runs for name in run])


def real(run: dict[str, Samples]) -> list[str]:
    """Return the table of real runs of ansible-playbook. ``run``: the samples by callback."""
    heads = ["callback", "CPU of all processes, ms per host-task", "more than with none, ms", "of it shipping, µs per span"]
    heads += ["peak memory, MB", "wall time, s", "pause at the end, s", "spans arrived"]

    def row(name: str) -> list[str]:
        samples = run[name]
        more = _pairs(samples, run["none"], "all_ms", lambda one, other: one - other, 2)
        figures = [_of(samples, "all_ms", 2), more, _shipping(samples), _of(samples, "peak_mb", 0)]
        figures += [_of(samples, "wall_s", 1), _of(samples, "pause_s", 2), _arrived(samples)]
        return [NAMES[name], *figures]

    return table(heads, map(row, run))


def large(run: dict[str, Samples]) -> list[str]:
    """Return the table of the runs with large results. ``run``: the samples by callback."""
    heads = ["callback", "CPU of ansible-playbook, s", "× none", "wall time, s", "more CPU than with no-op, ms per result"]

    def row(name: str) -> list[str]:
        samples = run[name]
        ratio = _pairs(samples, run["none"], "main_s", lambda one, other: one / other, 2)
        more = _pairs(samples, run[NOOP], "main_ms", lambda one, other: one - other, 2)
        return [NAMES[name], _of(samples, "main_s", 2), ratio, _of(samples, "wall_s", 1), more]

    return table(heads, map(row, run))


def targets(
    runs: Sequence[dict[str, Samples]], run: dict[str, Samples] | None, large_run: dict[str, Samples] | None
) -> list[str]:
    """Return the targets of the callback beside the medians reached."""
    rows = []

    def add(target: str, limit: float, values: Sequence[float], digits: int) -> None:
        if values:
            reached = "yes" if max(values) <= limit else "**no**"
            rows.append([target, ", ".join(f"{value:.{digits}f}" for value in values), reached])

    ours = [samples[OURS] for samples in runs]
    hooks = [_median(samples, "hooks_us") for samples in ours]
    add("CPU in the hooks ≤ 50 µs per host-task", 50, hooks, 1)
    ratios = [median(a.hooks_us / b.hooks_us for a, b in zip(s[OURS], s[NOOP], strict=True)) for s in runs]
    add("CPU in the hooks ≤ 1.5 × a no-op with the same hooks", 1.5, ratios, 2)
    add(f"flat: the last count's at most {_FLAT} × the first's", _FLAT, [hooks[-1] / hooks[0]], 2)
    large = [samples for samples in ours if samples[0].count >= 5000]
    add("CPU of shipping ≤ 80 µs per span, 5,000 host-tasks and more", 80, [_median(s, "shipping_us") for s in large], 0)
    growth = [_median(samples, "growth_mb") for samples in ours if samples[0].count == 20000]
    add("memory growth ≤ 5 MB at 20,000", 5, growth, 1)
    pauses = [_median(samples, "pause_s") for samples in ours if samples[0].count == 5000]
    add("pause ≤ 1 s after 5,000 host-tasks without forks", 1, pauses, 2)
    if run:
        add("pause ≤ 0.5 s in real runs", 0.5, [_median(run[OURS], "pause_s")], 2)
        ours.append(run[OURS])
    if large_run:
        pairs = list(zip(large_run[OURS], large_run["none"], strict=True))
        add("large results: CPU ≤ 1.1 × that without a callback", 1.1, [median(a.main_s / b.main_s for a, b in pairs)], 2)
        pairs = list(zip(large_run[OURS], large_run[NOOP], strict=True))
        add("large results: ≤ 2 ms each more than with no-op", 2, [median(a.main_ms - b.main_ms for a, b in pairs)], 2)
    missing = [sum(sample.expected - sample.received.distinct for sample in samples) for samples in ours]
    add("spans missing, all rounds together: 0", 0, missing, 0)
    return table(["target", "reached (medians, by count)", "met"], rows)


def _median(samples: Samples, figure: str) -> float:
    return float(median(getattr(sample, figure) for sample in samples))
