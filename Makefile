.DEFAULT_GOAL := help
.PHONY: help demo test lint bench bench-steps clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
DEV_INSTALLED := $(VENV)/dev-installed

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## train a small ESPCN from nothing, enlarge a photograph, draw it (3 minutes)
	$(BIN)/python tutorials/demo.py

test: $(DEV_INSTALLED) ## run the tests (5 minutes at most)
	$(BIN)/python -m pytest

lint: $(DEV_INSTALLED) ## check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(INSTALLED) ## time it beside PyTorch, if that is installed in .venv (ARGS=--quick for less)
	$(BIN)/python benchmarks/bench.py $(ARGS)

bench-steps: $(INSTALLED) ## time every step from the loops to the final form
	$(BIN)/python benchmarks/steps.py

clean: ## remove what make and the tools made, the virtual environment too
	rm -rf $(VENV) build dist *.egg-info runs/demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("npespcn needs Python 3.10 or newer") if sys.version_info < (3, 10) else 0'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(DEV_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@
