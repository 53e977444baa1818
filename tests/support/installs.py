"""What is published, made once for all workers of a test run, and virtual environments that have it.

Nothing here needs a network: the dependencies come from the wheels which ``make`` put beside this run's Python.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import support

WHEELHOUSE = Path(sys.prefix) / "wheelhouse"
_PUBLISHED = (
    "collections",
    "shared",
    "jenkins",
    "demo",
    "scripts",
    "setup.cfg",
    "pyproject.toml",
    "galaxy.yml",
    "ansible.cfg",
)
_TEXTS = ("README.md", "CHANGELOG.md", "LICENSE", "MANIFEST.in")


@dataclass(frozen=True)
class Install:
    """A virtual environment. ``collections``: where ansible-galaxy put ours, or None where pip did."""

    bin: Path
    collections: Path | None = None

    @property
    def python(self) -> Path:
        """Return its Python."""
        return self.bin / "python"

    @property
    def core(self) -> Path:
        """Return the copy of our core that is part of the collection which ansible-galaxy put there."""
        assert self.collections
        return self.collections / "ansible_collections/pipeline_trace/otel/plugins/plugin_utils/pipeline_trace"

    def environ(self, folder: Path, **more: str) -> dict[str, str]:
        """Return a clean environment in which only this install is to be found. ``folder``: a test's own."""
        # Without a folder that exists, Ansible looks where it does by default: beside its packages.
        found = {"ANSIBLE_COLLECTIONS_PATH": str(self.collections or folder / "none"), "PATH": f"{self.bin}:/usr/bin:/bin"}
        return support.environ(folder, **found, **more)

    def run(self, name: str, *arguments: object, env: dict[str, str]) -> support.Completed:
        """Run one of its commands, outside our repository."""
        return support.run(self.bin / name, *arguments, env=env, cwd=Path(env["HOME"]))

    def play(self, folder: Path, env: dict[str, str]) -> support.Completed:
        """Run a playbook of one play with two tasks on one host: six spans."""
        playbook = support.write_playbook(folder, support.DEPLOY)
        interpreter = f"ansible_python_interpreter={self.python}"
        return self.run("ansible-playbook", "-i", "h1,", "-c", "local", "-e", interpreter, playbook, env=env)


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Return the folder, made by the first of the workers that asks."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / ".done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def copy_sources(folder: Path) -> None:
    """Copy what a clean checkout has, apart from tests and docs. Links stay links."""
    folder.mkdir(exist_ok=True)
    junk = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
    for name in _PUBLISHED:
        source = support.ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, symlinks=True, ignore=junk)
        else:
            shutil.copy(source, folder)
    for name in _TEXTS:
        if (support.ROOT / name).exists():
            shutil.copy(support.ROOT / name, folder)


def must(*command: object, cwd: Path, **more: str) -> str:
    """Run a command that must succeed; return what it printed."""
    done = support.run(*command, env={**support.environ(cwd), **more}, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_wheel(sources: Path) -> None:
    """Build the wheel in a copy of the sources, into its folder dist."""
    copy_sources(sources)
    words = ["wheel", "--quiet", "--no-deps", "--no-index", "--find-links", WHEELHOUSE, "--wheel-dir", "dist", "."]
    must(sys.executable, "-m", "pip", *words, cwd=sources)


def build_tarball(sources: Path) -> None:
    """Build Galaxy's tarball in a copy of the sources, where the script says that it is."""
    copy_sources(sources)
    said = must("scripts/build-collection", cwd=sources).strip()
    assert (sources / said).is_file(), said


def make_venv(folder: Path, *packages: object) -> Path:
    """Make a virtual environment with these packages; return its folder of commands."""
    must(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    binaries = folder / "venv/bin"
    # The wheel of pip runs by itself. What Python compiles when it needs it costs less than compiling everything.
    (pip,) = WHEELHOUSE.glob("pip-*.whl")
    words = ["install", "--quiet", "--no-compile", "--no-index", "--find-links", WHEELHOUSE, *packages]
    must(binaries / "python", pip / "pip", *words, cwd=folder, PIP_DISABLE_PIP_VERSION_CHECK="1")
    return binaries


def install_tarball(folder: Path, tarball: Path, *packages: object) -> None:
    """Make a virtual environment with these packages, and let its ansible-galaxy install the collection."""
    binaries = make_venv(folder, *packages)
    target = folder / "collections"
    must(
        binaries / "ansible-galaxy",
        "collection",
        "install",
        "--offline",
        "-p",
        target,
        tarball,
        cwd=folder,
        ANSIBLE_COLLECTIONS_PATH=str(target),
    )


def shared_folder(own: Path) -> Path:
    """Return the folder which all workers of this run share. ``own``: the worker's base of temporary folders."""
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
