"""What the callback costs, beside no callback, a no-op with the same hooks, and community.general's.

    .venv/bin/python tests/bench/callback_cost.py [--rounds 7] [--counts 500,5000,20000] [--real] [--output FILE]

Sets up its own environment in .venvs/bench. Prints Markdown; ``--output`` puts it between the marks in a file.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import environment
import tables
from environment import NOOP, OURS, PYTHON, THEIRS
from measuring import Runner
from receiver import Receiver
from tables import Sample, Samples

HOSTS = 50
_ITEMS = 60
_LINE = "2026-11-29T12:00:00Z INFO auth-service request id=4711 user=mara path=/api/v2/items status=200 key=abc took 12 ms\n"
# Items of 300 kB each; a message of 10 MB.
_LARGE = [
    {
        "name": "play",
        "hosts": "all",
        "gather_facts": False,
        "vars": {"line": _LINE, "output": "{{ line * 2700 }}"},
        "tasks": [
            {
                "name": "make",
                "ansible.builtin.set_fact": {
                    "outputs": f"{{{{ range({_ITEMS}) | map('string') | map('regex_replace', '$', output) | list }}}}"
                },
            },
            {"name": "look", "ansible.builtin.debug": {"msg": "short"}, "loop": "{{ outputs }}"},
            {"name": "fail", "ansible.builtin.fail": {"msg": "{{ line * 90000 }}"}, "ignore_errors": True},
        ],
    }
]
_LARGE_RESULTS = _ITEMS + 1
_DRIVER = Path(__file__).with_name("drive_hooks.py")


class Bench:
    """Measures the callbacks in turns, each run in a process of its own."""

    def __init__(self, folder: Path, receiver: Receiver, rounds: int) -> None:
        """``folder``: the benchmark's own."""
        self._folder = folder
        self._receiver = receiver
        self._rounds = rounds
        self._runner = Runner(folder, own=[receiver.pid])
        self._callbacks = ["none", NOOP, OURS, *([THEIRS] if environment.community_version() else [])]
        (folder / "noop").mkdir()
        environment.write_noop(folder / "noop")

    def unforked(self, count: int) -> dict[str, Samples]:
        """Measure the hooks alone; ``count``: host-tasks."""
        return self._in_turns(f"{count} host-tasks", count, lambda callback: [PYTHON, _DRIVER, callback, count])

    def warm_up(self) -> None:
        """Run everything once, so that all is compiled and in the page cache."""
        for callback in self._callbacks:
            self._sample(callback, HOSTS, [PYTHON, _DRIVER, callback, HOSTS])

    def real(self, tasks: int) -> dict[str, Samples]:
        """Measure ansible-playbook with so many tasks on 50 hosts."""
        playbook = self._folder / "playbook.yml"
        steps = [{"name": f"task {number}", "ansible.builtin.debug": {"msg": "x" * 200}} for number in range(tasks)]
        # JSON is YAML.
        playbook.write_text(json.dumps([{"name": "play", "hosts": "all", "gather_facts": False, "tasks": steps}]))
        hosts = "".join(f"h{number}," for number in range(HOSTS))
        command = [PYTHON.with_name("ansible-playbook"), "-i", hosts, "-c", "local", playbook]
        return self._in_turns(f"ansible-playbook, {HOSTS} hosts, {tasks} tasks", HOSTS * tasks, lambda _callback: command)

    def large(self) -> dict[str, Samples]:
        """Measure ansible-playbook with large results: a loop over the outputs of many commands, and a failure's message."""
        playbook = self._folder / "large.yml"
        playbook.write_text(json.dumps(_LARGE))
        command = [PYTHON.with_name("ansible-playbook"), "-i", "h1,", "-c", "local", playbook]
        return self._in_turns("large results", _LARGE_RESULTS, lambda _callback: command)

    def _in_turns(self, title: str, count: int, command: Callable[[str], Sequence[object]]) -> dict[str, Samples]:
        """Return the rounds by callback. Each round has another order, so that nobody always comes after the same."""
        samples: dict[str, list[Sample]] = {callback: [] for callback in self._callbacks}
        turns = deque(self._callbacks)
        for number in range(self._rounds):
            print(f"{title}: round {number + 1} of {self._rounds}", file=sys.stderr)
            for callback in turns:
                samples[callback].append(self._sample(callback, count, command(callback)))
            turns.rotate(-1)
        return {callback: tuple(found) for callback, found in samples.items()}

    def _sample(self, callback: str, count: int, command: Sequence[object]) -> Sample:
        process = self._runner.run(command, environment.environ(self._folder, self._receiver.url, callback))
        return Sample(callback, count, HOSTS, process, self._receiver.take())


def report(options: argparse.Namespace) -> str:
    """Measure, and return the report as Markdown."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Receiver(PYTHON) as receiver:
        bench = Bench(Path(folder), receiver, options.rounds)
        bench.warm_up()
        unforked = [bench.unforked(count) for count in options.counts]
        real = bench.real(options.tasks) if options.real else None
        large = bench.large() if options.real else None
    lines = [f"{'; '.join(environment.versions())}. Median (least–most) of {options.rounds} rounds.", ""]
    lines += ["Command: `" + shlex.join([".venv/bin/python", "tests/bench/callback_cost.py", *sys.argv[1:]]) + "`", ""]
    lines += ["### Targets", "", *tables.targets(unforked, real, large), ""]
    lines += ["### The hooks alone", "", *tables.unforked(unforked), ""]
    if real:
        title = f"### Real runs of ansible-playbook: {HOSTS} hosts × {options.tasks} tasks (debug), 5 forks"
        lines += [title, "", *tables.real(real), ""]
    if large:
        title = f"### Large results: a loop over {_ITEMS} items of 300 kB, and a failure with a message of 10 MB"
        lines += [title, "", *tables.large(large), ""]
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--counts", type=_counts, default=[500, 5000, 20000], help="host-tasks, e.g. 500,5000,20000")
    parser.add_argument("--real", action="store_true", help="real runs of ansible-playbook too")
    parser.add_argument("--tasks", type=int, default=20, help="tasks of a real run, on 50 hosts")
    parser.add_argument("--output", type=Path, help="a file with marks, e.g. docs/performance.md")
    options = parser.parse_args()
    environment.prepare()
    text = report(options)
    print(text)
    if options.output:
        tables.put(options.output, Path(__file__).name, text)


def _counts(text: str) -> list[int]:
    counts = [int(word) for word in text.split(",")]
    if any(count <= 0 or count % HOSTS for count in counts):
        raise argparse.ArgumentTypeError(f"a multiple of {HOSTS} each")
    return counts


if __name__ == "__main__":
    main()
