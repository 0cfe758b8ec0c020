# graphc: everything a fresh machine needs. `make demo` and `make test` do all the set-up themselves.
PYTHON ?= python3
# The dependencies: those of requirements.lock, or the newest ones (make VERSIONS=newest test).
VERSIONS ?= locked
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed-$(VERSIONS)
LOCK   := $(if $(filter newest,$(VERSIONS)),--upgrade,--constraint requirements.lock)
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup -m 'not slow'
# The newest Python that has wheels of all dependencies, and the release of Debian that has it.
NEWEST := --suite sid --python python3.15 --versions newest

.DEFAULT_GOAL := help
.PHONY: help setup adapter drivers demo test slow docs widths fresh fresh-opengl fresh-newest release lint format bench clean

help:            ## list the targets
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/: .*## /\t/' | expand -t 14

$(STAMP): pyproject.toml requirements.lock .ci/python
	@sh .ci/python "$(PYTHON)" "$(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(LOCK) --editable '.[dev]'
	@rm -f $(VENV)/.installed-*
	@touch $@

adapter: $(STAMP)  ## a WebGPU adapter: this machine's GPU, or a software one that is installed if it can be
	@sh .ci/adapter "$(BIN)/python"

drivers: adapter ## the drivers that tests run on: lavapipe, Chromium's SwiftShader, Mesa's OpenGL
	@sh .ci/drivers

setup: drivers   ## all that the tests need; after it they need no network

demo: adapter    ## train microGPT on names, print invented names, write the SVG
	$(BIN)/graphc demo

test: setup lint  ## lint, types and the quick tests
	$(PYTEST)

slow: setup $(STAMP)-docs $(STAMP)-ecosystem  ## the long tests
	$(BIN)/python -m pytest -m slow

$(STAMP)-docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(LOCK) --editable '.[docs]'
	@touch $@

$(STAMP)-ecosystem: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(LOCK) --editable '.[ecosystem]'
	@touch $@

docs: adapter $(STAMP)-docs  ## the docs as a site in site/, with the five models trained and live in its gallery
	$(BIN)/python -m mkdocs build --strict --quiet

KERNELS := tests/ops/test_ops*_gpu.py tests/lower/test_kernels_*.py tests/lower/test_lower_*.py tests/ops/test_*_wgsl.py \
	tests/lower/test_textures.py tests/passes/test_megakernel.py tests/passes/test_textures_pass.py tests/fusion/test_horizontal.py \
	tests/ops/test_scan.py tests/ops/test_random.py tests/ops/test_conv.py
widths: setup    ## the kernels' tests on llvmpipe of 128 and 512 bits, as on other processors
	LP_NATIVE_VECTOR_WIDTH=128 $(PYTEST) $(KERNELS)
	LP_NATIVE_VECTOR_WIDTH=512 $(PYTEST) $(KERNELS)

fresh:           ## (root) clone, demo and test in a minimal Debian with Python, git and make; FRESH=--help tells more
	@$(PYTHON) .ci/fresh.py $(FRESH)

fresh-opengl:    ## (root) the same where Mesa's OpenGL is, and no Vulkan driver
	@$(PYTHON) .ci/fresh.py --opengl $(FRESH)

fresh-newest:    ## (root) the same with the newest Python and the newest versions of the dependencies
	@$(PYTHON) .ci/fresh.py $(NEWEST) $(FRESH)

release: test slow widths fresh fresh-opengl fresh-newest  ## (root) all that is done before a release

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
	rm -rf $(VENV) build site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
