# Everything an operator or a developer runs; `make` alone shows this list.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FRONTWIRE := $(BIN)/frontwire
STAMP := $(VENV)/.installed
# The tests that load the rules of texts, a second or two each time, so one process has them all; the notifier's for the balance.
TEXTS := $(addprefix tests/unit/,alerter core/test_cli.py dates deduplicator entities normaliser notifier) tests/contract/test_window_rows.py
# Compiled modules are kept: what every process here would otherwise compile anew takes seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo up check check-texts check-wire lint test test-engines test-rules prove bench lock format clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## make .venv from the locked dependencies (hashes verified)

$(STAMP): deploy/requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r deploy/requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## the whole wire on real engines with a sample news site; FILES="pattern" adds your own
	$(FRONTWIRE) demo $(if $(FILES),$(foreach file,$(FILES),--files "$(file)"))

up: setup  ## run everything on this machine with deploy/config, until Ctrl-C
	$(FRONTWIRE) up

check: setup  ## lint, types, arrows, quick unit and contract tests: no engines
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target lint check-texts check-wire

# Each imports and compiles only what its tests need; those of the wire wait for a quarter of their time.
check-texts:
	$(BIN)/pytest -q --quick $(TEXTS)

check-wire:
	$(BIN)/pytest -q --quick tests/unit tests/contract $(TEXTS:%=--ignore=%)

test: lint  ## every test, on the real Kafka and Elasticsearch
	@$(MAKE) --no-print-directory --jobs=2 test-engines test-rules

# Those on the engines wait half of their time: the others run meanwhile.
test-engines:
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder tests/integration tests/e2e

test-rules:
	$(BIN)/pytest -q tests/unit tests/contract

lint: setup
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache

prove: setup  ## the same proofs at their full sizes (up to an hour), written into docs/
	$(BIN)/pytest -m prove tests

bench: setup  ## measure speed and memory, written into docs/benchmarks.md
	$(BIN)/python -m tests.bench

lock: setup  ## resolve the dependencies anew and lock them with hashes
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade \
		--extra names pyproject.toml -o deploy/requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		-c deploy/requirements.lock --extra local --extra names --extra dev pyproject.toml -o deploy/requirements-dev.lock

format: setup  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## stop the local engines and delete .venv and .frontwire
	-$(FRONTWIRE) engines stop
	rm -rf $(VENV) .frontwire
