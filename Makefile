# Two commands for a newcomer: `make up` and `make test`. What they do beyond a virtual
# environment lives in the program (`cdeploy bootstrap`), so that it is tested.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev
STACK  ?= stacks/shop/stack.toml

.DEFAULT_GOAL := help
.PHONY: help up test check bench clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

up: $(STAMP) ## this host made ready, the demo shop deployed, and an answer from it
	@$(BIN)/cdeploy up --bootstrap --show-answer $(STACK)

test: $(DEV) ## all tests, on a real engine; leaves nothing behind
	@$(BIN)/cdeploy bootstrap --only engine,builder,base-image
	@$(BIN)/python -m pytest

check: $(DEV) ## Ruff, strict mypy, import direction, docs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/unit/test_habits.py tests/unit/docs \
	  tests/unit/checks/test_docs.py tests/unit/cli/test_help.py tests/unit/stackfile/test_schema.py

bench: $(DEV) ## against Compose, as ratios in one run
	@$(BIN)/cdeploy bootstrap --only engine,builder,base-image
	@$(BIN)/python -m tests.benchmarks

clean: ## everything that `make up` deployed, and the virtual environment
	@if [ -x $(BIN)/cdeploy ]; then \
	  $(BIN)/cdeploy down --all --volumes --edge --yes && $(BIN)/cdeploy prune --all; fi
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Anew only when the package's description changes; the code itself is linked in.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "cdeploy needs Python 3.11 or newer; say which: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); \
	  [ "$$(id -u)" = 0 ] || { echo "install venv first: sudo apt-get install python3-venv" >&2; exit 1; }; \
	  echo "installing python3-venv: $(PYTHON) can't make virtual environments yet"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends python3-venv >/dev/null && \
	  $(PYTHON) -m venv $(VENV); }
	@echo "installing cdeploy into $(VENV)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@$(BIN)/python -m compileall -q containerdeploy
	@touch $@

$(DEV): $(STAMP)
	@echo "installing the tools of its developers into $(VENV)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@
