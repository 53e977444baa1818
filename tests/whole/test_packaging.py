"""What is published: the lists that name it, the wheel and Galaxy's tarball, each installed and used."""

from __future__ import annotations

import configparser
import re
import shlex
import tarfile
import zipfile
from pathlib import Path

import pytest
import support
from support import installs
from support.installs import Install
from support.otlp_receiver import Receiver, free_port

import pipeline_trace

COLLECTION = "collections/ansible_collections/pipeline_trace/otel"
LINKED = "plugins/plugin_utils/pipeline_trace/"
OPENTELEMETRY = ("opentelemetry-sdk", "opentelemetry-exporter-otlp")
# A playbook, its play, two tasks, a host each.
SPANS = 6

needs_wheels = pytest.mark.skipif(
    not (installs.WHEELHOUSE / ".done").exists(), reason=f"no wheels in {installs.WHEELHOUSE}: `make unit` puts them there"
)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers share."""
    return installs.shared_folder(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def wheel(shared: Path) -> Path:
    """The wheel."""
    sources = installs.once(shared / "wheel", installs.build_wheel)
    (path,) = (sources / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="session")
def tarball(shared: Path) -> Path:
    """Galaxy's tarball."""
    sources = installs.once(shared / "tarball", installs.build_tarball)
    (path,) = (sources / "build").glob("*.tar.gz")
    return path


@pytest.fixture(scope="session")
def by_pip(shared: Path, wheel: Path) -> Install:
    """The wheel and what it requires."""
    folder = installs.once(shared / "by-pip", lambda folder: installs.make_venv(folder, wheel))
    return Install(folder / "venv/bin")


@pytest.fixture(scope="session")
def by_galaxy(shared: Path, tarball: Path) -> Install:
    """The collection with ansible-core and OpenTelemetry's packages: no pip package of ours nor of our commands."""
    packages = ("ansible-core", *OPENTELEMETRY)
    folder = installs.once(shared / "by-galaxy", lambda folder: installs.install_tarball(folder, tarball, *packages))
    return Install(folder / "venv/bin", folder / "collections")


@pytest.fixture(scope="session")
def bare(shared: Path, tarball: Path) -> Install:
    """The collection with ansible-core alone."""
    folder = installs.once(shared / "bare", lambda folder: installs.install_tarball(folder, tarball, "ansible-core"))
    return Install(folder / "venv/bin", folder / "collections")


def setup_cfg() -> configparser.RawConfigParser:
    """Return what setup.cfg says."""
    found = configparser.RawConfigParser()
    found.read(support.ROOT / "setup.cfg")
    return found


def files(folder: Path) -> set[str]:
    """Return the paths of a folder's files, without what runs leave there and without linked folders."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)) for path in found if not path.name.startswith(".")}


def own_files() -> set[str]:
    """Return what a wheel must hold of our packages and of the collection, apart from the linked copy of the core."""
    packages = {file for part in ("shared", "jenkins", "demo") for file in files(support.ROOT / part)}
    collection = {file for file in files(support.ROOT / COLLECTION) if not file.startswith((LINKED, "tests/"))}
    return packages | {f"ansible_collections/pipeline_trace/otel/{file}" for file in collection}


def test_versions_agree() -> None:
    galaxy = re.search(r"^version: (.+)$", (support.ROOT / "galaxy.yml").read_text(), re.MULTILINE)
    assert galaxy
    assert {setup_cfg()["metadata"]["version"], galaxy[1]} == {pipeline_trace.__version__}


def test_setup_cfg_lists_every_package() -> None:
    listed = setup_cfg()["options"]["packages"].split()
    found = {
        str(path.parent.relative_to(support.ROOT / part)).replace("/", ".")
        for part in ("shared", "jenkins", "demo")
        for path in (support.ROOT / part).rglob("*.py")
    }
    assert sorted(listed) == sorted({*found, "ansible_collections.pipeline_trace.otel"})


def test_the_folder_jenkins_does_not_hide_python_jenkins() -> None:
    assert not (support.ROOT / "jenkins/__init__.py").exists()


@pytest.mark.process
@needs_wheels
def test_wheel_holds_everything_once(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == own_files()


@pytest.mark.process
@needs_wheels
def test_tarball_holds_files_that_work_alone(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        members = archive.getmembers()
    held = {member.name for member in members if not member.isdir()}
    core = {LINKED + file for file in files(support.ROOT / "shared/pipeline_trace")}
    rooms = "answers change commands compare figures lookup notify ownership report serve"
    not_there = tuple(f"{LINKED}{name}/" for name in rooms.split())
    left_out = {file for file in core if file.startswith(not_there)}
    left_out |= {f"{LINKED}{name}" for name in ("py.typed", "yamlfile.py")}
    collection = {file for file in files(support.ROOT / COLLECTION) if not file.startswith(LINKED)}
    texts = {"LICENSE", "CHANGELOG.md"} & {path.name for path in support.ROOT.iterdir()}
    assert held == (core - left_out | collection | texts | {"MANIFEST.json", "FILES.json"}) - {"galaxy.yml"}
    assert not [member.name for member in members if member.issym() or member.islnk()]


@pytest.mark.process
@pytest.mark.parametrize("folder", [".", COLLECTION])
def test_galaxy_refuses_to_build_without_the_script(tmp_path: Path, env: dict[str, str], folder: str) -> None:
    sources = tmp_path / "sources"
    installs.copy_sources(sources)
    done = support.run(support.BIN / "ansible-galaxy", "collection", "build", env=env, cwd=sources / folder)
    assert done.returncode == 1
    assert '"build_ignore" and "manifest" are mutually exclusive' in done.stderr
    assert not list(sources.rglob("*.tar.gz"))


@pytest.mark.process
@needs_wheels
def test_pip_install_traces_a_playbook(by_pip: Install, tmp_path: Path) -> None:
    env = by_pip.environ(tmp_path)
    played = by_pip.play(tmp_path, env)
    assert played.returncode == 0, played.stderr
    assert len(support.stored(env)) == SPANS
    shown = by_pip.run("pipeline-trace", "show", env=env)
    assert shown.returncode == 0, shown.stderr
    assert all(name in shown.stdout for name in ("playbook site.yml", "Deploy", "Copy", "Restart", "h1"))


@pytest.mark.process
@needs_wheels
@pytest.mark.parametrize("command", ["demo", "poll", "report", "exec", "serve"])
def test_pip_install_has_the_commands(by_pip: Install, tmp_path: Path, command: str) -> None:
    done = by_pip.run("pipeline-trace", command, "--help", env=by_pip.environ(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: pipeline-trace {command} ")


@pytest.mark.process
@needs_wheels
@pytest.mark.parametrize("kind", ["by_pip", "by_galaxy"])
def test_ansible_doc_reads_the_callback(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    install: Install = request.getfixturevalue(kind)
    done = install.run("ansible-doc", "-t", "callback", support.FULL_NAME, env=install.environ(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "flush_limit" in done.stdout
    assert not done.stderr


@pytest.mark.process
@needs_wheels
def test_galaxy_verifies_what_it_installs(by_galaxy: Install, tarball: Path, tmp_path: Path) -> None:
    # A copy of its own: where a playbook has run, ansible-galaxy takes what Python compiled for a change.
    env = {**by_galaxy.environ(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(tmp_path)}
    for words in (("install", "-p", tmp_path, tarball), ("verify", "pipeline_trace.otel")):
        done = by_galaxy.run("ansible-galaxy", "collection", words[0], "--offline", *words[1:], env=env)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.process
@needs_wheels
@pytest.mark.parametrize("kind", ["by_galaxy", "bare"])
def test_galaxy_install_delivers_into_the_store(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    install: Install = request.getfixturevalue(kind)
    for name in ("click", "rich", "jenkins", "pipeline_trace"):
        assert install.run("python", "-c", f"import {name}", env=install.environ(tmp_path)).returncode == 1
    env = install.environ(tmp_path)
    played = install.play(tmp_path, env)
    assert played.returncode == 0, played.stderr
    assert "WARNING" not in played.stderr
    assert len(support.stored(env)) == SPANS
    assert not support.journals(env)


@pytest.mark.process
@needs_wheels
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_galaxy_install_delivers_by_otlp(by_galaxy: Install, tmp_path: Path, protocol: str) -> None:
    with Receiver() as receiver:
        env = by_galaxy.environ(tmp_path, **receiver.environ(protocol))
        played = by_galaxy.play(tmp_path, env)
        assert played.returncode == 0, played.stderr
        assert len(receiver.wait_for(SPANS)) == SPANS
    assert "sent to" in played.stderr
    assert not support.journals(env)


@pytest.mark.process
@needs_wheels
def test_galaxy_install_names_a_command_that_delivers_what_waits(by_galaxy: Install, tmp_path: Path) -> None:
    port = free_port()
    env = by_galaxy.environ(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
    played = by_galaxy.play(tmp_path, env)
    assert played.returncode == 0, played.stderr
    said = re.search(r"deliver them with: (.+)$", played.stderr, re.MULTILINE)
    assert said, played.stderr
    with Receiver(http_port=port) as receiver:
        shipped = support.run(*shlex.split(said[1]), env=env, cwd=tmp_path)
        assert shipped.returncode == 0, shipped.stderr
        assert len(receiver.wait_for(SPANS)) == SPANS
    assert shipped.stdout == f"{SPANS} spans delivered to http://127.0.0.1:{port}\n"
    assert not support.journals(env)


@pytest.mark.process
@needs_wheels
def test_without_opentelemetry_one_line_says_what_to_install(bare: Install, tmp_path: Path) -> None:
    env = bare.environ(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    played = bare.play(tmp_path, env)
    assert played.returncode == 0, played.stderr
    (said,) = [line for line in played.stderr.splitlines() if "pipeline-trace" in line]
    assert f"is missing; run: {bare.python} -m pip install {' '.join(OPENTELEMETRY)}" in said
    assert len(support.journals(env)) == 1


@pytest.mark.process
@needs_wheels
@pytest.mark.parametrize("arguments", [(), ("show",), ("--help",)])
def test_galaxy_install_says_where_other_commands_are(bare: Install, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = bare.run("python", bare.core / "__main__.py", *arguments, env=bare.environ(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"pipeline-trace: only exec and ship work here \(.+\)\. For all commands, run: .+ -m pip install git\+https://\S+\n",
        done.stderr,
    )
