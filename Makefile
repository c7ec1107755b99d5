# Every target sets up .venv by itself; all it takes is make, git and Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# A tree whose modules are compiled at every start takes twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup walkthrough test acceptance soak conformance bench lab notebooks audit check clean

help:  ## Print what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## Create .venv with everything in it (about a minute, once)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "expected Python 3.11 or newer as '$(PYTHON)'; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --editable '.[dev]'
	@$(BIN)/python -c 'import matplotlib.font_manager'  # builds its font cache, once and aloud
	@touch $@

walkthrough: $(READY)  ## Run the incident from bug to fix and write the post-mortem (main job)
	@$(BIN)/netra-ws walkthrough

test: $(READY)  ## Run the whole suite, the notebooks and the end-to-end tests included
	@$(BIN)/python -m pytest --staging --numprocesses 3 --dist loadfile

acceptance: $(READY)  ## Run the commands of docs/plan.md as they are written (minutes)
	@$(BIN)/python -m pytest -v -p no:cacheprovider --durations=10 tests/acceptance

soak: $(READY)  ## Break it on purpose, at full size (ten minutes); writes the README's table
	@$(BIN)/python -m pytest --soak -v -p no:cacheprovider tests/faults

conformance: $(READY)  ## Run the Autobahn test suite; AUTOBAHN_WSTEST names its wstest
	@$(BIN)/python tests/conformance/autobahn.py

bench: $(READY)  ## Measure the backend beside its peers, ten minutes on two cores
	@$(BIN)/python -m benchmarks

lab: $(READY)  ## Open JupyterLab at page 00
	@$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) \
	  --ServerApp.root_dir=notebooks --LabApp.default_url=/lab/tree/00-post-mortem.ipynb

notebooks: $(READY)  ## Run the notebooks and rewrite those that changed
	@$(BIN)/netra-ws notebooks

audit: $(READY)  ## Look for wrong awaits and dropped coroutines in the project's own code
	@$(BIN)/netra-ws audit netra_ws benchmarks tests

check: $(READY) audit  ## Lint, types, import contracts and the audit
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

clean:  ## Remove .venv, reports and caches
	@rm -rf $(VENV) build dist .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
