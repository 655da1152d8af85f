# Everything a developer or CI does. A bare machine needs make and Python 3.11 or later.
#
#   PYTHON=python3.12 make test    use this interpreter for .venv
#   make test TESTS=tests/unit     run only these tests, without the coverage limit
#   CHAOS_SEED=7 make chaos        repeat what failed with this seed

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PIP_COMPILE := CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/pip-compile --quiet --no-config \
	--generate-hashes --strip-extras --allow-unsafe --build-deps-for=editable \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# A stamp says what has been installed into .venv, and from which files.
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
# An environment of its own: what we compare with must not change what we check with.
BENCH := $(VENV)/bench

PYTHON ?=
TESTS ?=
FUZZ_MINUTES ?= 10
FUZZED := tests/unit/test_normalise.py tests/unit/test_odata_values.py \
	tests/unit/test_json_pages.py tests/integration/test_file_csv.py \
	tests/integration/test_delta_properties.py
# More than a small machine has cores: most of their time is waiting.
TEST_PROCESSES ?= 3
# Each has a service of its own, and is never idle.
CONTRACT_PROCESSES ?= 2

.DELETE_ON_ERROR:
.PHONY: help run test check lint types layers bench load chaos contract fuzz browser pages \
	screenshots package lock audit clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUNTIME) ## Start the service; without instance/source.toml it reads from a demo ERP
	$(BIN)/archibald-sync init
	$(BIN)/archibald-sync serve $(if $(wildcard instance/source.toml),,--demo)

test: $(DEV) ## Run all tests with coverage, or only TESTS=path
	$(BIN)/pytest $(or $(TESTS),-n $(TEST_PROCESSES) --dist loadfile \
		--cov --cov-report=term --cov-fail-under=95)

check: lint types layers test package ## All that CI runs

lint: $(DEV) ## Check style, format and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(DEV) ## Check the types
	$(BIN)/mypy

layers: $(DEV) ## Check who imports whom
	$(BIN)/lint-imports

bench: $(BENCH)/.installed ## Measure speed and memory; installs what is compared with
	$(BENCH)/bin/python bench/run.py

load: $(DEV) ## Measure the API under load for minutes; needs wrk
	$(BIN)/python bench/load.py

chaos: $(DEV) ## Kill, restart and starve the running service
	$(BIN)/pytest tests/chaos -m slow --timeout=1800

contract: $(DEV) ## Ask the API thousands of things that its description allows
	$(BIN)/pytest tests/e2e/test_contract.py -m slow --timeout=7200 \
		-n $(CONTRACT_PROCESSES) --dist worksteal

browser: $(DEV) ## Try the pages in Chromium, the long journeys too
	$(BIN)/pytest tests/e2e -k page -m "slow or not slow" --timeout=900

pages: $(DEV) ## Weigh and time the pages, and keep fifty open for minutes; needs Chromium
	PYTHONPATH=.:tests:bench $(BIN)/python bench/pages.py

screenshots: $(DEV) ## Take pictures of all pages for docs/images, from the demo
	PYTHONPATH=.:tests $(BIN)/python tests/screenshots.py docs/images

fuzz: $(DEV) ## Invent numbers, dates, CSV and JSON for FUZZ_MINUTES (10), until one breaks us
	end=$$(($$(date +%s) + 60 * $(FUZZ_MINUTES))); \
	while [ "$$(date +%s)" -lt "$$end" ]; do \
		FUZZ_FACTOR=20 $(BIN)/pytest -q --timeout=3600 $(FUZZED) || exit 1; \
	done

package: $(DEV) ## Build the wheel, install it in a clean venv and try it
	rm -rf build dist
	$(BIN)/python -m build --wheel --no-isolation
	tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	$(BIN)/python -m venv "$$tmp/venv" && \
	"$$tmp/venv/bin/pip" install --quiet --require-hashes -r requirements.txt && \
	"$$tmp/venv/bin/pip" install --quiet --no-deps --no-index dist/*.whl && \
	cd "$$tmp" && \
	venv/bin/archibald-sync --version && \
	venv/bin/archibald-sync --help >/dev/null && \
	venv/bin/python -c 'import archibald_sync.app'

lock: $(DEV) ## Pin the newest allowed versions in requirements*.txt
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] > (3, 11))' || { \
		echo 'make lock needs a .venv of Python 3.11, the oldest that we support, so that the' >&2; \
		echo 'pins hold for all: make clean && PYTHON=python3.11 make lock' >&2; exit 1; }
	$(PIP_COMPILE) --upgrade --output-file=requirements.txt setup.cfg
	$(PIP_COMPILE) --upgrade --extra=dev --constraint=requirements.txt \
		--output-file=requirements-dev.txt setup.cfg
	$(PIP_COMPILE) --upgrade --extra=bench --constraint=requirements.txt \
		--constraint=requirements-dev.txt --output-file=requirements-bench.txt setup.cfg

audit: $(DEV) ## Look for known vulnerabilities in what we ship (asks an advisory service)
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements.txt

clean: ## Remove .venv, caches and builds; the instance folder stays
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* *.egg-info .hypothesis \
		.import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find archibald_sync tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(BIN)/python:
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
		"$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
			|| continue; \
		echo "Making $(VENV) with $$("$$python" --version)"; \
		"$$python" -m venv --clear $(VENV); \
		exit; \
	done; \
	echo 'Needed: Python 3.11 or later, able to make virtual environments.' >&2; \
	echo 'On Debian: apt-get install python3 python3-venv' >&2; \
	exit 1

$(RUNTIME): requirements.txt setup.cfg setup.py | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.txt
	$(PIP) install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

$(BENCH)/.installed: requirements-bench.txt setup.cfg setup.py | $(BIN)/python
	$(BIN)/python -m venv --clear $(BENCH)
	$(BENCH)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes \
		-r requirements-bench.txt
	$(BENCH)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps \
		--no-build-isolation --no-index --editable .
	@touch $@
