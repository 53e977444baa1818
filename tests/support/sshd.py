"""A real sshd of the test's own, on a free port of 127.0.0.1, to which only a key of the test's own is let in."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

import pytest

SSHD = Path("/usr/sbin/sshd")


class Sshd:
    """A running sshd, from entering the context until its end."""

    def __init__(self) -> None:
        if not SSHD.exists():
            pytest.skip(f"{SSHD} is missing: make sshd")
        # Not below the test's folder: others may write to its parents, and sockets' paths must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="pt-sshd-"))
        self.key = self.folder / "key"
        self.log = self.folder / "log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sshd:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End it, and the sessions that it serves."""
        if self._process:
            self._process.terminate()
            self._process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def environ(self) -> dict[str, str]:
        """Return the variables with which Ansible connects to it: no connection outlives its task."""
        options = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o IdentitiesOnly=yes -o LogLevel=ERROR"
        return {
            "ANSIBLE_SSH_ARGS": f"-F /dev/null -o ControlMaster=no {options}",
            "ANSIBLE_HOST_KEY_CHECKING": "false",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder),
            "ANSIBLE_PRIVATE_KEY_FILE": str(self.key),
            "ANSIBLE_REMOTE_PORT": str(self.port),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "remote"),
        }

    def inventory(self, path: Path, *names: str) -> Path:
        """Write an inventory in which hosts of these names are this machine, over ssh."""
        path.write_text(
            "".join(
                f"{name} ansible_host=127.0.0.1 ansible_connection=ssh ansible_user={getpass.getuser()}"
                f" ansible_python_interpreter={sys.executable}\n"
                for name in names
            ),
            encoding="utf-8",
        )
        return path

    def command(self, *words: str) -> list[str]:
        """Return the command that runs something over ssh."""
        options = ["UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no", "IdentitiesOnly=yes", "LogLevel=ERROR"]
        flags = [flag for option in options for flag in ("-o", option)]
        login = f"{getpass.getuser()}@127.0.0.1"
        return ["ssh", "-F", "/dev/null", *flags, "-i", str(self.key), "-p", str(self.port), login, *words]

    def _start(self) -> None:
        host_key = self.folder / "host_key"
        for path in (self.key, host_key):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        authorized = self.folder / "authorized_keys"
        authorized.write_bytes(self.key.with_suffix(".pub").read_bytes())
        if os.getuid() == 0:
            # What Debian's service makes at boot.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for _ in range(5):
            # Somebody else may take the port meanwhile.
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
            config = {
                "ListenAddress": f"127.0.0.1:{self.port}",
                "HostKey": host_key,
                "AuthorizedKeysFile": authorized,
                "PidFile": "none",
                "UsePAM": "no",
                "StrictModes": "no",
                "PasswordAuthentication": "no",
                "KbdInteractiveAuthentication": "no",
                "PermitRootLogin": "prohibit-password",
                "MaxStartups": "100",
                "Subsystem": "sftp internal-sftp",
            }
            (self.folder / "config").write_text("".join(f"{name} {value}\n" for name, value in config.items()))
            with self.log.open("ab") as log:
                # Its own absolute path, which it starts again for each connection.
                words = [str(SSHD), "-D", "-e", "-f", str(self.folder / "config")]
                self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            if self._listens():
                return
        raise AssertionError(f"sshd does not start: {self.log.read_text()}")

    def _listens(self, seconds: float = 20.0) -> bool:
        deadline = time.monotonic() + seconds
        assert self._process
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                    if connection.recv(4) == b"SSH-":
                        return True
            except OSError:
                time.sleep(0.02)
        return False
