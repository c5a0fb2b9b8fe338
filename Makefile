# Lyhord. `make run` shows what it does; `make test` sets up everything and runs every test.
VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
ARGS :=

.PHONY: run test check bench services services-stop format lock model docs-pictures clean help

help:   ## this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/: .*## /\t/'

run: $(VENV)/run.ok  ## set up and run the demo (ARGS="--exit" ends by itself)
	@$(BIN)/lyhord demo $(ARGS)

test: $(VENV)/dev.ok  ## set up everything and run every test (ARGS="-k name" for some)
	@infra/test-tools.sh
	$(BIN)/python -m coverage erase
	@infra/run-tests.sh $(BIN)/python $(ARGS)
	@$(BIN)/python -m coverage combine --quiet && $(BIN)/python -m coverage report --format=total | sed 's/^/coverage, percent: /'

check: $(VENV)/dev.ok  ## linters and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

services:  ## start Redis, RabbitMQ, PostgreSQL and Elasticsearch on this machine (ARGS="redis" for some)
	@infra/services.sh start $(ARGS)

services-stop:  ## end what `make services` started
	@infra/services.sh stop $(ARGS)

bench: $(VENV)/dev.ok  ## the benchmarks, one table
	$(BIN)/python -m benchmarks.all

format: $(VENV)/dev.ok
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

docs-pictures: $(VENV)/dev.ok  ## the page's screenshots, the demo's transcript and the benchmark table of docs/
	@infra/test-tools.sh
	$(BIN)/python infra/pictures.py
	$(BIN)/python -m benchmarks.all --write > /dev/null

model: $(VENV)/dev.ok  ## train the scorer anew: workers/scoring/data/*.npz, the same bytes on every run
	$(BIN)/python -m workers.scoring.training

lock: $(VENV)/bootstrap.ok  ## new versions into the hash-locked requirements (no addresses in them)
	for set in bootstrap run dev; do \
	  extra=""; input=pyproject.toml; \
	  [ $$set != bootstrap ] || input=requirements/bootstrap.in; \
	  [ $$set != dev ] || extra="--extra dev --extra bench -c requirements/run.txt"; \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    $$extra $$input -o requirements/$$set.txt || exit 1; done

$(VENV)/bootstrap.ok: requirements/bootstrap.txt
	@[ -n "$(PYTHON)" ] || { echo "Lyhord needs Python 3.11, 3.12 or 3.13; none was found on the PATH." >&2; exit 1; }
	@echo "Setting up (once) ..."
	@$(PYTHON) -m venv $(VENV) && $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/run.ok: $(VENV)/bootstrap.ok requirements/run.txt pyproject.toml
	@$(UV) --require-hashes -r requirements/run.txt
	@$(UV) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.ok: $(VENV)/run.ok requirements/dev.txt
	@$(UV) --require-hashes -r requirements/dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
