# Two commands on a fresh machine: `make demo` and `make test`. Both set up a virtual environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= auto
EXECUTE ?= true
SMOKE ?= newest lowest

.PHONY: demo test lint types layers unit notebooks docs wheel smoke lock clean

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
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# The notebooks with their outputs, in runs/notebooks/; the committed ones have none.
notebooks: $(VENV)/.dev
	mkdir -p runs/notebooks
	for path in notebooks/*.ipynb; do $(BIN)/jupyter-execute --output="../runs/$$path" "$$path" || exit 1; done

# The documentation site in runs/site/: warnings are errors, notebooks are run. EXECUTE=false leaves them without outputs.
docs: $(VENV)/.dev
	@test "$(EXECUTE)" != true || echo "The notebooks are run, which takes minutes; make docs EXECUTE=false leaves that out."
	RAPID_MOO_EXECUTE=$(EXECUTE) NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir runs/site

wheel: $(VENV)/.dev
	$(BIN)/python -m build

# Wheel and sdist in empty environments, with the newest and the lowest dependencies: SMOKE=lowest for one of them.
smoke: $(VENV)/.dev
	BUILD=$(BIN)/python PYTHON=$(BIN)/python SMOKE="$(SMOKE)" .ci/smoke

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
