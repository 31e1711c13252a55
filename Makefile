# One command a duty. `make run GOAL="..."` and `make test` do their own set-up on a fresh machine.
PYTHON ?= python3
GOAL ?= balance the pole
ARGS ?=
BIN := .venv/bin
RUN_EXTRAS := local,mujoco,grid,embed,hub
TORCH := torch==2.13.0
# Elsewhere than on a machine with a local CPU wheel, set TORCH_FLAGS="--index-url <PyTorch's CPU index>" to spare the CUDA packages.
TORCH_FLAGS ?=

.PHONY: run test test-slow check format bench setup setup-dev clean help

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | column -t -s "$$(printf '\t')"

run: setup  ## Train towards GOAL, e.g. make run GOAL="teach the walker to walk"
	@$(BIN)/experimenter model fetch --if-needed
	@$(BIN)/experimenter run "$(GOAL)" $(ARGS)

test: setup-dev  ## The fast tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: setup-dev  ## Tests that take minutes
	$(BIN)/python -m pytest -m slow -o addopts="-q --strict-markers"

check: setup-dev  ## Lint, formatting, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup-dev  ## Format the code
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: setup  ## Measure: tables and figures of docs/benchmarks.md (minutes)
	$(BIN)/experimenter bench all

setup: .venv/run.ready
setup-dev: .venv/dev.ready

.venv/run.ready: pyproject.toml constraints.txt
	@echo "Setting up .venv (about two minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq $(TORCH_FLAGS) $(TORCH) -c constraints.txt
	@$(BIN)/python -m pip install -qq -c constraints.txt -e ".[$(RUN_EXTRAS)]"
	@touch $@

.venv/dev.ready: .venv/run.ready
	@$(BIN)/python -m pip install -qq -c constraints.txt -e ".[$(RUN_EXTRAS),postgres,litellm,quantum,quadrotor,web,trac,dev]"
	@touch $@

clean:  ## Remove the virtual environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
