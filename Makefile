# graphc: everything a fresh machine needs. `make demo` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test slow lint format bench docs adapter browser clean

help:            ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/: .*## /\t/' | expand -t 12

$(STAMP): pyproject.toml requirements.lock .ci/python
	@sh .ci/python "$(PYTHON)" "$(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $@

adapter: $(STAMP)  ## a WebGPU adapter: this machine's GPU, or a software one that is installed if it can be
	@sh .ci/adapter "$(BIN)/python"

browser:         ## chromium, for the tests in a real browser and a second software adapter
	@sh .ci/browser

demo: adapter    ## train microGPT on names, print invented names, write the SVG
	$(BIN)/graphc demo

test: adapter browser lint  ## lint, types and the quick tests
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m 'not slow'

slow: adapter browser  ## the long tests
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)   ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## put the code in form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: adapter   ## fused against unfused on this adapter
	$(BIN)/graphc bench

clean:           ## remove the environment and caches
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
