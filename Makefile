# Two commands on a fresh machine: `make demo` and `make test`. Both set up a virtual environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= auto

.PHONY: demo test lint types layers unit notebook wheel lock clean

demo: $(VENV)/.demo
	$(BIN)/rapid-moo search digits --seed 0 --out runs/demo
	@echo "The picture of the front: runs/demo/front.png"

test: lint types layers unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports

unit: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS)

# The notebook with its outputs, in runs/; the committed one has none.
notebook: $(VENV)/.dev
	mkdir -p runs
	$(BIN)/jupyter-execute --output=../runs/first_front notebooks/first_front.ipynb

wheel: $(VENV)/.dev
	$(BIN)/python -m build --wheel

# The exact versions that the project is developed and tested with.
lock: $(VENV)/.dev
	$(BIN)/python -m pip freeze --exclude-editable > requirements-dev.lock

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say make PYTHON=... ")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml requirements-dev.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements-dev.lock -e '.[plot]'
	touch $@

$(VENV)/.dev: pyproject.toml requirements-dev.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements-dev.lock -e '.[dev]'
	touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
