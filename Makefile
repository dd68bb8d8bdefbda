# make demo    set up, then run the main job on a sample project, and again with its worker killed in mid-run
# make test    set up, then run the tests
# make check   lint, types, import rules, generated files
# make conformance  run the official MCP conformance suite against the MCP server; it takes npm
# make bench   measure, side by side, and plot
# make rivals  measure beside what else there is; it installs it
# make edits   judge the edits of real models
# make lock    choose the newest versions that the ranges allow and pin them

.DEFAULT_GOAL := help
.PHONY: help demo test check conformance bench rivals edits lock

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: $(VENV)/.run
	@$(BIN)/python -P demo/run.py

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

conformance: $(VENV)/.dev
	@$(BIN)/python -m tests.conformance.run

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks $(ARGS)

rivals: $(VENV)/.rivals
	$(BIN)/python -m benchmarks rivals $(ARGS)

edits: $(VENV)/.dev
	$(BIN)/python -m benchmarks.edits $(ARGS)

lock: $(VENV)/.dev
	$(BIN)/python -m venv --clear $(VENV)/lock
	$(VENV)/lock/bin/python -m pip --disable-pip-version-check install --quiet --editable '.[dev,bench]'
	$(VENV)/lock/bin/python -m pip freeze --exclude-editable > constraints.txt

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Orchex needs Python 3.11 or newer, and found none. Install it, or name it: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@command -v git >/dev/null || { echo "Orchex needs git 2.38 or newer, and found none. Install it and try again." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(PIP) --editable '.[dev,bench]'
	@touch $@

$(VENV)/.rivals: $(VENV)/.dev benchmarks/rivals/requirements.txt
	$(BIN)/python -m venv --clear $(VENV)/rivals
	$(VENV)/rivals/bin/python -m pip --disable-pip-version-check install --quiet --requirement benchmarks/rivals/requirements.txt
	@touch $@
