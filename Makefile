# Every target works in a fresh clone: it makes the virtual environment it needs.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?= demo
# Tests wait now and then: one more at a time than there are CPUs.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

.DEFAULT_GOAL := help
.PHONY: help demo scan test lint types unit bench bench-check clean \
	vast-server vast-sdk-tests vast-faults test-vast-live

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is older than pyproject.toml when the list of packages has changed.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

demo: $(VENV)/installed  ## Write a sample show, scan it, look at it, find similar renders
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	rm -rf $(DEMO)
	$(BIN)/python tests/sample_show.py $(DEMO)/shows
	PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/demo.sh $(DEMO)

scan: $(VENV)/installed  ## Scan your own files: make scan PATHS=/shows/projx
	@test -n "$(PATHS)" || { echo 'say what to scan: make scan PATHS=/shows/projx'; exit 2; }
	$(BIN)/exrindex scan $(PATHS)

test: lint types unit  ## Lint, types and the whole test suite

lint: $(VENV)/installed-test  ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-test  ## Types
	$(BIN)/mypy

unit: $(VENV)/installed-test  ## Tests
	$(BIN)/python -m pytest -q -n $(JOBS)

bench: $(VENV)/installed-test  ## Measure speed and memory (minutes; not part of test)
	$(BIN)/python tests/benchmarks/bench_ratios.py
	$(BIN)/python tests/benchmarks/bench.py
	$(BIN)/python tests/benchmarks/bench_vast.py

bench-check: $(VENV)/installed-test  ## Compare ratios of speed with those recorded (minutes)
	$(BIN)/python tests/benchmarks/bench_ratios.py --check

# What the SDK's own tests need stands in a virtual environment of its own.
SDK_VENV ?= $(VENV)-sdk
$(SDK_VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(SDK_VENV)
	$(SDK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check 'vastdb>=2.1,<3' \
		'adbc-driver-vastdb>=0.0.33,<1' 'duckdb>=1.4,<3' 'pandas<3' pytest pytest-check pytest-retry \
		boto3
	touch $@

vast-server: $(VENV)/installed-test  ## A VAST test server to try things by hand; prints the variables
	PYTHONPATH=tests $(BIN)/python -m vastserver

vast-sdk-tests: $(SDK_VENV)/installed  ## The SDK's own tests against the test server (SLOW=--slow: all)
	PYTHONPATH=tests $(SDK_VENV)/bin/python -m vastserver.run_sdk_tests $(SLOW)

vast-faults: $(VENV)/installed-test  ## Scanners against a failing test server, at length (minutes)
	PYTHONPATH=tests $(BIN)/python -m store.vast.rounds

test-vast-live: $(VENV)/installed-test  ## The store's tests on a real cluster, that of VAST_DB_...
	$(BIN)/python -m pytest -q tests/store/vast/live.py

clean:  ## Remove what the other targets made
	rm -rf $(VENV) $(SDK_VENV) $(DEMO) .mypy_cache .pytest_cache .ruff_cache .hypothesis
