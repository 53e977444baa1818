# The two commands of the README: `make demo` and `make test`. Both set up all they need.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto
# Quick tests often wait for threads: more of them than processors.
QUICK_WORKERS ?= 3
PRODUCT := shared/pipeline_trace jenkins/jenkins_poller demo/pipeline_trace_demo \
	$(wildcard collections/ansible_collections/pipeline_trace/otel/plugins/*/*.py)
# Supported versions of ansible-core; the oldest and the newest are part of `make test`.
CORES := 2.16 2.17 2.18 2.19 2.20 2.21
CORE_VENVS := $(CORES:%=.venvs/ansible-%/.done)
# What calls most of each dependency: OTLP both ways over both protocols, the store, pages, options, YAML, Jenkins' client.
LOWEST := tests/serve/test_receiver.py tests/serve/test_bounds.py tests/serve/test_grpc.py tests/serve/test_meeting.py \
	tests/serve/test_list.py tests/serve/test_records.py tests/delivery/test_telling.py tests/delivery/test_migrations.py \
	tests/poller/test_config.py tests/poller/test_connection.py tests/ownership/test_rules.py tests/pages/test_html.py
# Other tools that join a trace. Where what they run on is missing, nothing is made, and their tests are skipped.
PEERS := collector pytest-otel pytest-opentelemetry maven

.PHONY: demo test quick test-matrix test-lowest test-peers test-engines lint types unit browser sshd sanity collection bench-callback \
	bench-poller bench-serve bench-source corpus fine lab screenshots pictures clean help

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: $(VENV)/.installed ## the whole story on this machine: a trace in the terminal and an HTML report
	@$(BIN)/pipeline-trace demo

test: $(VENV)/.installed-test browser lint types unit ## all checks and tests

lint: $(VENV)/.installed-test ## ruff: lint and format; import-linter: the floors; pylint: nothing twice
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports setup.cfg --no-logo
	$(BIN)/pylint --disable=all --enable=duplicate-code --min-similarity-lines=6 --ignore-imports=y --score=n $(PRODUCT)

types: $(VENV)/.installed-test ## mypy, strict
	$(BIN)/mypy

unit: $(VENV)/.installed-test $(VENV)/wheelhouse/.done .venvs/engine/.done sshd $(firstword $(CORE_VENVS)) $(lastword $(CORE_VENVS)) ## the tests alone
	$(BIN)/python -m pytest -n $(WORKERS)

quick: $(VENV)/.installed-test ## the tests that start no process, no browser and no virtual environment: within a minute
	$(BIN)/python -m pytest -n $(QUICK_WORKERS) --quick

test-matrix: $(VENV)/.installed-test $(CORE_VENVS) ## the callback's tests with every supported ansible-core
	@WORKERS=$(WORKERS) scripts/test-matrix $(CORES)

sanity: $(VENV)/.installed $(lastword $(CORE_VENVS)) ## ansible-test sanity, with the newest ansible-core
	@test ! -e $(lastword $(CORE_VENVS)) || PATH="$(abspath $(BIN)):$$PATH" scripts/ansible-sanity $(patsubst %/.done,%,$(lastword $(CORE_VENVS)))

test-lowest: .venvs/lowest/.done .venvs/engine/.done ## a part of the tests with the lowest versions of the dependencies in setup.cfg
	.venvs/lowest/bin/python -m pytest -n $(WORKERS) -p no:cacheprovider $(LOWEST)
	PYTHONPATH=.venvs/lowest/clickhouse .venvs/lowest/bin/python -m pytest -n $(WORKERS) -p no:cacheprovider tests/lookup/clickhouse

test-peers: $(VENV)/.installed-test $(PEERS:%=.peers/%/.done) ## the real Collector, pytest's plugins and Maven
	$(BIN)/python -m pytest -n $(WORKERS) tests/peers

test-engines: $(VENV)/.installed-test .peers/collector/.done .venvs/engine/.done ## the real Collector into ClickHouse's real engine
	$(BIN)/python -m pytest -n $(WORKERS) tests/engines

collection: $(VENV)/.installed ## the tarball for Ansible Galaxy
	@PATH="$(abspath $(BIN)):$$PATH" scripts/build-collection

bench-callback: | $(VENV)/bin/python ## what the callback costs, into docs/performance.md (needs a quiet machine, half an hour)
	@$(BIN)/python tests/bench/callback_cost.py --real --output docs/performance.md

bench-serve: $(VENV)/.installed-test ## what serve takes in and what it loses, into docs/ (needs a quiet machine, ten minutes)
	@$(BIN)/python tests/bench/serve_load.py --output docs/performance.md
	@$(BIN)/python tests/bench/serve_faults.py --output docs/reliability.md

bench-poller: $(VENV)/.installed-test ## what the poller costs, into docs/performance.md (needs a quiet machine, half an hour)
	@$(BIN)/python tests/bench/poller_scale.py --output docs/performance.md

bench-source: $(VENV)/.installed-test .venvs/engine/.done ## what a year of a large shop costs in ClickHouse, into docs/performance.md (half an hour, 6 GB of disk)
	@$(BIN)/python tests/bench/source_scale.py --output docs/performance.md

corpus: $(VENV)/.installed-test ## how often verdicts are right, by all kept cases, into docs/ownership.md
	@$(BIN)/python tests/bench/owners.py --output docs/ownership.md

lab: $(VENV)/.installed ## real tools with faults put in: makes the lab's logs anew (TOOLS="pip npm": of some; CASES=PATTERN: shows them)
	@PYTHONPATH=tests $(BIN)/python -m lab $(TOOLS) --cases '$(CASES)'

fine: $(VENV)/.installed ## real tools that succeed, verbosely: makes the logs anew that no rule may blame anybody for
	@sh tests/lab/fine_runs/tools.sh .lab/fine
	@PYTHONPATH=tests $(BIN)/python -m lab.fine tests/corpus/fine.jsonl

screenshots: $(VENV)/.installed-test browser ## the pages in all states and widths, light and dark, into tests/output/pages
	@$(BIN)/python scripts/screenshots.py tests/output/pages

pictures: $(VENV)/.installed-test browser ## the pictures of README and docs, from the demo's incident (some minutes)
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python scripts/pictures.py

browser: ## Chromium, from Debian's packages
	@command -v chromium >/dev/null || scripts/install-debian chromium

sshd: ## an ssh server and client, from Debian's packages
	@test -x /usr/sbin/sshd && command -v ssh ssh-keygen >/dev/null || scripts/install-debian openssh-server openssh-client

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.10 or newer is needed; install python3 and python3-venv, then make again." >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); scripts/install-debian python3-venv && $(PYTHON) -m venv $(VENV); }

$(VENV)/.installed: setup.cfg | $(VENV)/bin/python
	@$(BIN)/pip install --quiet --disable-pip-version-check --use-pep517 -e .
	@touch $@

$(VENV)/.installed-test: setup.cfg | $(VENV)/bin/python
	@$(BIN)/pip install --quiet --disable-pip-version-check --use-pep517 -e '.[test]'
	@touch $@ $(VENV)/.installed

.venvs/lowest/.done: scripts/lowest setup.cfg | $(VENV)/bin/python
	@scripts/lowest

# Where no Python fits, nothing is made, and the tests of that version are skipped.
.venvs/ansible-%/.done: scripts/ansible-venv
	@scripts/ansible-venv $*

# ClickHouse's engine. Where there is no build of it, nothing is made, and its tests are skipped.
.venvs/engine/.done: scripts/engine | $(VENV)/bin/python
	@scripts/engine

.peers/collector/.done: scripts/collector examples/collector/builder.yaml
	@scripts/collector

.peers/%/.done: scripts/peer | $(VENV)/bin/python
	@scripts/peer $*

# The dependencies as wheels: the tests of what is published install them without a network.
$(VENV)/wheelhouse/.done: setup.cfg | $(VENV)/bin/python
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(BIN)/python -c "import configparser as c; f = c.RawConfigParser(); f.read('$<'); \
	print(f['options']['install_requires'])" >$(@D)/requirements.txt
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --use-pep517 --wheel-dir $(@D) -r $(@D)/requirements.txt pip 'setuptools >= 69'
	@touch $@

clean: ## remove what was made
	rm -rf $(VENV) .venvs .peers build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache tests/output
