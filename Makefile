.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-slow test-faults test-pythons test-oldest test-gpu test-browser audit fuzz lint tutorials \
	check handout notebooks slides docs translations bench bench-fit bench-gpu bench-steps weights clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
DEV_INSTALLED := $(VENV)/dev-installed
BROWSER_INSTALLED := $(VENV)/browser-installed
DOCS_INSTALLED := $(VENV)/docs-installed
OLDEST := .venv-oldest
OLDEST_INSTALLED := $(OLDEST)/installed
SITE := $(BIN)/python -m sphinx -W --keep-going -b html
MESSAGES := $(BIN)/python -m sphinx -q -b gettext -D language=en -d docs/_build/messages docs/zh docs/_build/gettext
SKIPPED := $(addprefix --ignore=tests/,commands figures runs tutorials fast/test_processes.py) # depend little on versions

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## train a small ESPCN from nothing, enlarge a photograph, draw it (a minute)
	$(BIN)/python tutorials/demo.py

test: $(DEV_INSTALLED) ## run the tests that a change should pass before it is committed (2 minutes)
	$(BIN)/python -m pytest -n auto -m "not slow" $(ARGS)

test-all: test test-slow test-faults test-pythons ## run all of the tests (10 minutes)

test-slow: $(DEV_INSTALLED) ## run the tests that make test leaves out: hostile files, bad arguments, planted mistakes, the GPU's stand-in
	$(BIN)/python -m pytest -n auto --dist worksteal -m slow --ignore tests/faults $(ARGS)

test-faults: $(DEV_INSTALLED) ## kill, starve and mislead runs (ARGS="--kills 100 --minutes 60" for more)
	$(BIN)/python -m pytest -n auto --dist worksteal tests/faults $(ARGS)

test-pythons: ## run the quicker tests on the oldest Python and versions, and on the newest Python
	$(MAKE) test-oldest PYTHON="$$(.ci/pythons | head -n 1)" ARGS='-m "not slow" $(SKIPPED)'
	$(MAKE) test PYTHON="$$(.ci/pythons | tail -n 1)" VENV=.venv-newest ARGS='$(SKIPPED)'

test-oldest: $(OLDEST_INSTALLED) ## run the tests with the lowest versions that are allowed (Python 3.10 to 3.12)
	NPESPCN_OLDEST=1 $(OLDEST)/bin/python -m pytest -n auto --ignore tests/faults $(ARGS)

audit: $(INSTALLED) ## ask PyPI for known security holes in the installed packages, and in those that pip would install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.7'
	$(BIN)/pip-audit --strict --requirement requirements.txt

test-gpu: $(DEV_INSTALLED) ## run the tests that need a GPU, on it (docs/gpu.md: how to install CuPy)
	NPESPCN_REQUIRE_GPU=1 $(BIN)/python -m pytest -m gpu

fuzz: $(DEV_INSTALLED) ## damage files at random for 10 minutes (ARGS="--seconds 60" for less)
	$(BIN)/python tests/fuzz.py $(ARGS)

test-browser: $(BROWSER_INSTALLED) ## run the tests of the site and the explorer in Chromium, if that is installed
	$(BIN)/python -m pytest -n auto tests/browser

lint: $(DEV_INSTALLED) ## check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

tutorials: $(INSTALLED) ## run every lesson, and say how long each took
	$(BIN)/python tutorials/run_all.py

check: $(INSTALLED) ## check an exercise (EX=3; all without it; FILE=mine.py if it is elsewhere)
	@$(BIN)/python -m tutorials.exercises check $(or $(EX),all) $(if $(FILE),--file '$(FILE)')

handout: $(INSTALLED) ## pack the exercises for students, without solutions, into dist/exercises.zip
	$(BIN)/python tutorials/exercises/pack.py handout

notebooks: $(DOCS_INSTALLED) ## write the lessons as notebooks into runs/notebooks
	$(BIN)/python tutorials/to_notebooks.py

slides: tutorials ## write the figures of the lessons as slides, one a page, into runs/slides.pdf
	$(BIN)/python tutorials/to_slides.py

docs: $(DOCS_INSTALLED) ## build the site into docs/_build/html; new and changed lessons are run
	rm -rf docs/api docs/_build/html docs/_build/doctrees docs/_build/chinese
	$(SITE) -d docs/_build/doctrees docs docs/_build/html
	$(MESSAGES)
	$(BIN)/python docs/translations.py --check
	$(SITE) -d docs/_build/chinese docs/zh docs/_build/html/zh
	$(BIN)/python docs/check_site.py docs/_build/html

translations: $(DOCS_INSTALLED) ## update the Chinese catalogs, docs/locale, from the English text
	$(SITE) -d docs/_build/doctrees docs docs/_build/html
	$(MESSAGES)
	$(BIN)/python docs/translations.py

bench: $(INSTALLED) ## time it beside PyTorch and ONNX Runtime, if .venv has them (ARGS=--quick for less)
	$(BIN)/python benchmarks/bench.py $(ARGS)

bench-fit: $(INSTALLED) ## time a whole training run beside PyTorch (ARGS=--quick for less, --lock for the threads' waits)
	$(BIN)/python benchmarks/fit.py $(ARGS)

bench-gpu: $(INSTALLED) ## time it on a GPU, beside PyTorch if that is installed in .venv and finds it
	$(BIN)/python benchmarks/gpu.py $(ARGS)

bench-steps: $(INSTALLED) ## time every step from the loops to the final form
	$(BIN)/python benchmarks/steps.py

weights: $(INSTALLED) ## train the networks that come with the package again (7 hours; DATA="T91 BSD200" for those that have seen photographs)
	$(BIN)/python npespcn/weights/make.py $(DATA) --commit "$$(git describe --always --abbrev=40 --dirty)" $(ARGS)

clean: ## remove everything that make and the tools created, including the virtual environment
	rm -rf $(VENV) $(OLDEST) .venv-newest build dist *.egg-info runs/demo runs/tutorials runs/notebooks runs/slides.pdf
	rm -rf docs/_build docs/api docs/lessons docs/zh/lessons docs/zh/glossary.md .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("npespcn needs Python 3.10 or newer") if sys.version_info < (3, 10) else 0'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(DEV_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

$(BROWSER_INSTALLED): $(DEV_INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[browser]'
	touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

$(OLDEST_INSTALLED): pyproject.toml requirements.txt
	rm -rf $(OLDEST)
	$(PYTHON) -m venv $(OLDEST)
	grep -ohE '[a-z0-9-]+>=[0-9.]+' requirements.txt pyproject.toml | sed 's/>=/==/' > $(OLDEST)/bounds.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check -c $(OLDEST)/bounds.txt \
		-e '.[video,onnx,safetensors]' hypothesis onnxruntime pytest-xdist scikit-image
	touch $@
