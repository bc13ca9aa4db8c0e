# Ratchet: `make demo` and `make test` set everything up by themselves. PYTHON is the interpreter for the environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo demo-en test test-all check bench docs install clean

install: $(STAMP)

# The lock pins everything, so pip resolves nothing.
$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)
	$(BIN)/python recipes/reviews_zh/make_table.py build/reviews.csv
	$(BIN)/ratchet run recipes/reviews_zh/ratchet.yaml

demo-en: $(STAMP)
	$(BIN)/ratchet run recipes/intents_en/ratchet.yaml

# A process for each core, each with one thread: on two cores that takes half of the time.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile -m "not slow"

test-all: $(STAMP) requirements-all.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-all.lock
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff format --check src tests benchmarks recipes docs
	$(BIN)/ruff check src tests benchmarks recipes docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/python docs/make.py --check

bench: $(STAMP)
	$(BIN)/python benchmarks/run_all.py

docs: $(STAMP)
	$(BIN)/python docs/make.py

clean:
	rm -rf build $(VENV)
