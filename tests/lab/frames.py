"""What CI systems print around the output of a step that ended well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone

_BEGIN = datetime(2026, 3, 2, 9, 14, 5, tzinfo=timezone.utc)


def _plain(_command: str, lines: Sequence[str]) -> list[str]:
    return list(lines)


def _jenkins(_command: str, lines: Sequence[str]) -> list[str]:
    return [
        "Started by user alice",
        "Obtained Jenkinsfile from git https://git.example/shop.git",
        "[Pipeline] Start of Pipeline",
        "[Pipeline] node",
        "Running on agent-1 in /home/jenkins/workspace/shop",
        "[Pipeline] {",
        "[Pipeline] timeout",
        "Timeout set to expire in 1 hr 0 min",
        "[Pipeline] stage",
        "[Pipeline] { (Build)",
        "[Pipeline] sh",
        *lines,
        "[Pipeline] }",
        "[Pipeline] // stage",
        "[Pipeline] stage",
        "[Pipeline] { (Declarative: Post Actions)",
        "[Pipeline] junit",
        "Recording test results",
        "[Checks API] No suitable checks publisher found.",
        "[Pipeline] cleanWs",
        "[WS-CLEANUP] Deleting project workspace...",
        "[WS-CLEANUP] Deferred wipeout is used...",
        "[WS-CLEANUP] done",
        "[Pipeline] }",
        "[Pipeline] // stage",
        "[Pipeline] }",
        "[Pipeline] // timeout",
        "[Pipeline] }",
        "[Pipeline] // node",
        "[Pipeline] End of Pipeline",
        "Finished: SUCCESS",
    ]


def _freestyle(_command: str, lines: Sequence[str]) -> list[str]:
    return [
        "Started by an SCM change",
        "Running as SYSTEM",
        "Building remotely on agent-1 (linux docker) in workspace /home/jenkins/workspace/shop",
        "The recommended git tool is: NONE",
        "using credential git-ci",
        " > git rev-parse --resolve-git-dir /home/jenkins/workspace/shop/.git # timeout=10",
        "Fetching changes from the remote Git repository",
        " > git config remote.origin.url https://git.example/shop.git # timeout=10",
        "Fetching upstream changes from https://git.example/shop.git",
        " > git --version # timeout=10",
        " > git --version # 'git version 2.39.5'",
        "using GIT_ASKPASS to set credentials CI account",
        " > git fetch --tags --progress -- https://git.example/shop.git +refs/heads/*:refs/remotes/origin/* # timeout=10",
        " > git rev-parse refs/remotes/origin/main^{commit} # timeout=10",
        "Checking out Revision 5c0f5a1d9b0f3f1c2f4b7f6a5d8e9c0b1a2d3e4f (refs/remotes/origin/main)",
        " > git config core.sparsecheckout # timeout=10",
        " > git checkout -f 5c0f5a1d9b0f3f1c2f4b7f6a5d8e9c0b1a2d3e4f # timeout=10",
        'Commit message: "Handle errors and timeouts of the payment service"',
        " > git rev-list --no-walk 8d9e0c1b2a3f4e5d6c7b8a9f0e1d2c3b4a5f6e7d # timeout=10",
        "[shop] $ /bin/sh -xe /tmp/jenkins.sh",
        *lines,
        "Archiving artifacts",
        "Recording fingerprints",
        "Checking for post-build",
        "Performing post-build step",
        "Sending e-mails to: team@shop.example",
        "Warning: you have no plugins providing access control for builds, so falling back to legacy behavior",
        "Triggering a new build of deploy",
        "Finished: SUCCESS",
    ]


def _gitlab(_command: str, lines: Sequence[str]) -> list[str]:
    return [
        "Running with gitlab-runner 17.5.3 (12030cf4)",
        "  on shared-runner-2 t1_ab12CD, system ID: s_1f2e3d4c5b6a",
        "section_start:1772442845:prepare_executor",
        'Preparing the "docker" executor',
        "Using Docker executor with image registry.example/build:12 ...",
        "Pulling docker image registry.example/build:12 ...",
        'WARNING: Failed to pull image with policy "always": image pull took too long; retrying (attempt #2)',
        "Using docker image sha256:8f1e7c5d for registry.example/build:12  ...",
        "section_end:1772442850:prepare_executor",
        "section_start:1772442850:get_sources",
        "Fetching changes with git depth set to 20...",
        "Reinitialized existing Git repository in /builds/shop/.git/",
        "Checking out 5c0f5a1d as detached HEAD (ref is main)...",
        "Skipping Git submodules setup",
        "section_end:1772442853:get_sources",
        "section_start:1772442853:step_script",
        *lines,
        "section_end:1772442901:step_script",
        "section_start:1772442901:upload_artifacts_on_success",
        "Uploading artifacts...",
        "WARNING: reports/*.xml: no matching files. Ensure that the artifact path is relative to the working directory",
        "build/: found 12 matching artifact files and directories",
        'Uploading artifacts as "archive" to coordinator... 201 Created  id=4711 responseStatus=201 Created token=***',
        "section_end:1772442905:upload_artifacts_on_success",
        "Cleaning up project directory and file based variables",
        "Job succeeded",
    ]


def _github(command: str, lines: Sequence[str]) -> list[str]:
    shown = [f"##[group]Run {command.splitlines()[0]}", *command.splitlines(), "shell: /usr/bin/bash -e {0}", "##[endgroup]"]
    after = [
        "Post job cleanup.",
        "[command]/usr/bin/git version",
        "git version 2.47.1",
        "Temporarily overriding HOME='/home/runner/work/_temp/b7c8' before making global git config changes",
        "[command]/usr/bin/git config --global --add safe.directory /home/runner/work/shop/shop",
        r"[command]/usr/bin/git config --local --name-only --get-regexp core\.sshCommand",
        "Cleaning up orphan processes",
    ]
    return _stamped([*shown, *lines, *after])


def _azure(command: str, lines: Sequence[str]) -> list[str]:
    before = [
        "##[section]Starting: Build",
        "=" * 78,
        "Task         : Command line",
        "Description  : Run a command line script using Bash on Linux and macOS and cmd.exe on Windows",
        "Version      : 2.250.1",
        "=" * 78,
        "Generating script.",
        "Script contents:",
        command.splitlines()[0],
        "========================== Starting Command Output ===========================",
        "##[debug]Agent.JobStatus=Succeeded; continueOnError=false; failOnStderr=false; nodeUsageMode=Normal; errorCount: 0",
        "[command]/usr/bin/bash --noprofile --norc /home/vsts/work/_temp/script.sh",
    ]
    return _stamped([*before, *lines, "##[debug]task result: Succeeded", "##[section]Finishing: Build"])


def _stamped(lines: Sequence[str]) -> list[str]:
    times = (_BEGIN + timedelta(milliseconds=137 * number) for number in range(len(lines)))
    return [f"{time:%Y-%m-%dT%H:%M:%S.%f}0Z {line}" for time, line in zip(times, lines, strict=True)]


FRAMES: dict[str, Callable[[str, Sequence[str]], list[str]]] = {
    "plain": _plain,
    "jenkins": _jenkins,
    "freestyle": _freestyle,
    "gitlab": _gitlab,
    "github": _github,
    "azure": _azure,
}
