# Every target sets up its environment by itself; all it takes is make, git and Python 3.11 or newer.
# An environment belongs to one Python and one lock: .venv is that of python3, .venv-3.14 that of
# PYTHON=python3.14. WITH='msgspec==0.22.*' replaces locked versions, in an environment of its own.

PYTHON ?= python3
WITH ?=
RESOLUTION := locked
export PYTHON WITH
VERSION := $(if $(filter-out python3,$(PYTHON)),$(shell '$(PYTHON)' -c 'import sys; print("-%d.%d" % sys.version_info[:2])' 2> /dev/null))
INSTEAD := $(if $(WITH),-$(shell printf %s '$(subst ',,$(WITH))' | tr -cs 'A-Za-z0-9._' '-' | sed 's/[-.]*$$//'))
VENV := .venv$(VERSION)$(INSTEAD)
BIN := $(VENV)/bin
PARALLEL := --numprocesses 3 --dist loadfile --no-loadscope-reorder

# A tree whose modules are compiled at every start takes twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup walkthrough test test-busy test-newest test-lowest incident acceptance soak \
  conformance bench lab notebooks docs lock lock-check audit check clean

help:  ## Print what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## Create .venv with everything in it (seconds, once)
	@test "$$("$$PYTHON" -c 'import sys; print(sys.version_info >= (3, 11))' 2> /dev/null)" = True || \
	  { echo "expected Python 3.11 or newer as '$$PYTHON', which is older or does not run;" \
	    "try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@"$$PYTHON" -E -s requirements/environment.py '$(VENV)' --with="$$WITH" --resolution '$(RESOLUTION)'

walkthrough: setup  ## Run the incident from bug to fix and write the post-mortem (main job)
	@$(BIN)/netra-ws walkthrough

test: setup  ## Run the whole suite, the notebooks and the end-to-end tests included
	@$(BIN)/python -m pytest --staging $(PARALLEL)

# Each loop ends with the shell that started it, however that ends.
test-busy: setup  ## The same with both processors busy
	@for processor in 1 2; do ( while kill -0 $$$$ 2> /dev/null; do :; done ) & done; \
	  $(BIN)/python -m pytest --staging $(PARALLEL)

test-newest:  ## The same with the newest versions, in an environment of its own; what is newer
	@rm -rf .venv-newest
	@$(MAKE) --no-print-directory setup VENV=.venv-newest RESOLUTION=highest
	@.venv-newest/bin/python requirements/newest.py
	@.venv-newest/bin/python -m pytest --staging $(PARALLEL) --deselect notebooks/09-prevent.ipynb

test-lowest:  ## The unit tests with the oldest versions that pyproject.toml allows
	@$(MAKE) --no-print-directory setup VENV=.venv-lowest RESOLUTION=lowest-direct
	@.venv-lowest/bin/python -m pytest --numprocesses 2 tests/unit

incident: setup  ## Run the notebooks and the incident's own tests, as CI does on further Pythons
	@$(BIN)/python -m pytest --staging $(PARALLEL) notebooks tests/unit/websocket_core \
	  tests/integration/websocket_core tests/mission_critical tests/e2e

acceptance: setup  ## Run what takes minutes: the commands of docs/plan.md, a set-up, a browser
	@$(BIN)/python -m pytest -v -p no:cacheprovider --durations=10 tests/acceptance

soak: setup  ## Break it on purpose, at full size (a quarter of an hour); then make docs
	@$(BIN)/python -m pytest --soak -v -p no:cacheprovider tests/faults

conformance: setup  ## Run the Autobahn test suite; AUTOBAHN_WSTEST names its wstest
	@$(BIN)/python tests/conformance/autobahn.py

bench: setup  ## Measure the backend beside its peers and BEFORE=COMMIT (20 minutes); then make docs
	@$(BIN)/python -m benchmarks $(if $(BEFORE),--rounds 7 --before '$(BEFORE)')

lab: setup  ## Open JupyterLab at page 00
	@JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH}" $(BIN)/jupyter lab

notebooks: setup  ## Run the notebooks and rewrite those that changed
	@$(BIN)/netra-ws notebooks

docs: setup  ## Renew what is generated in the documents
	@PYTHONPATH=tests/support $(BIN)/python -m docs

lock: setup  ## Renew the lock with the newest versions, and print what moved
	@$(BIN)/python requirements/lock.py renew

lock-check: setup  ## Say nothing if what is installed is what the lock says
	@$(BIN)/python requirements/lock.py check

audit: setup  ## Look for superfluous awaits and dropped coroutines in the project's own code
	@$(BIN)/netra-ws audit netra_ws await_audit netra_incident benchmarks tests requirements docs

check: setup audit  ## Lint, types, import contracts, the documents and the audit
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy requirements
	@$(BIN)/lint-imports
	@PYTHONPATH=tests/support $(BIN)/python -m docs --check

clean:  ## Remove the environments, reports and caches
	@rm -rf .venv .venv-* build dist .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
