# Everything a person or a machine does with this repository. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON := $(shell for p in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then command -v "$$p"; break; fi; done)
BIN := .venv/bin

.PHONY: help setup setup-dev demo test check soak bench lock licences clean

help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/  make \1 \t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: python ## Install all that the product needs, here in the checkout (idempotent)
	@$(PYTHON) tools/setup.py

setup-dev: python ## The same, and what tests, gates and benchmarks need
	@$(PYTHON) tools/setup.py --dev

demo: setup ## Run the demo network; options by ARGS="--for 90s --report demo.json"
	@$(BIN)/depin demo $(ARGS)

check: setup-dev ## The gates: lint, format, types, import rules, tidiness
	@$(BIN)/python tools/gates.py

test: setup-dev ## The gates and every test but the long ones
	@$(BIN)/python tools/gates.py
	@$(BIN)/python tools/suite.py $(ARGS)

soak: setup-dev ## The long tests
	@$(BIN)/python -m pytest -m soak --timeout 3600 $(ARGS)

bench: setup-dev ## Measure every promise and write benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks $(ARGS)

lock: python ## Resolve the newest allowed versions into the lock files
	@$(PYTHON) tools/lock.py

licences: setup-dev ## Write docs/licences.md anew from what is installed
	@$(BIN)/python tools/licences.py --write

clean: ## Remove everything that set-up and tests made
	rm -rf .venv .build node_modules .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: python
python:
	@if [ -z "$(PYTHON)" ]; then echo "OpenDePIN needs Python 3.11 or newer: install it" \
	"(on Debian or Ubuntu: apt install python3 python3-venv), then run make again." >&2; exit 1; fi
