# Two commands, each complete on a machine that has only Python and make:
#   make run    validate, build the embedded default, run every check, prove every planted defect, print the scoreboard, gate
#   make test   the test suite
# Also: make lint, make clean.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export OMP_NUM_THREADS ?= 1

.PHONY: run test lint clean
.DELETE_ON_ERROR:

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"pv needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. Try: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev --editable ".[run,sign,trainer]"
	touch $@

run: $(STAMP)
	$(BIN)/pv validate contracts pv-policy.yaml
	$(BIN)/apr embedded
	$(BIN)/pv run --prove --jobs 2
	$(BIN)/pv gate --policy merge

test: $(STAMP)
	$(BIN)/python -m pytest -n 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .cache reports/evidence reports/scoreboard.md reports/scoreboard.json reports/index.html
