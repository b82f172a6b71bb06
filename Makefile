# Hyperpulse. `make` lists what can be done.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
export DATA ?= .data

.DEFAULT_GOAL := help
.PHONY: help run demo test unit check format load migrate keys tenants psql roles backup restore bench screenshots lock sbom audit clean

help: ## List what can be done
	@echo "Hyperpulse: wearable readings in TimescaleDB."
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Environment: HOST PORT DB_PORT DATA DATABASE_URL WORKERS, for example: make run PORT=8080"

run: .venv/run.stamp ## Start everything: embedded TimescaleDB (unless DATABASE_URL names one) and the service; ARGS=--reload follows edits
	@exec $(BIN)/python -m scripts.run $(ARGS)

demo: .venv/run.stamp ## The same, fed by simulated users
	@exec $(BIN)/python -m scripts.run --demo $(ARGS)

# Three processes on two processors: tests also wait, for services, browsers and pauses.
test: .venv/dev.stamp ## Run all tests, on the embedded database or the one that TEST_DATABASE_URL names
	@$(BIN)/python -m scripts.embedded.install
	@$(BIN)/python -m scripts.libraries
	@exec $(BIN)/python -m pytest --numprocesses 3 $(ARGS)

# In one process: to start a second one takes as long as it would save.
unit: .venv/dev.stamp ## Run the unit tests: some seconds, without a database, a browser or a network
	@exec $(BIN)/python -m pytest tests/unit --hypothesis-profile quick $(ARGS)

check: .venv/dev.stamp ## Check style, types and which module imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: .venv/dev.stamp ## Format the code, and fix what ruff can fix
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# USER names a person only where it is given to make: the shell has one of its own.
load: .venv/run.stamp ## Import files of readings: make load ARGS='january.csv more/', or FILE=export.zip FORMAT=apple-health USER=ada; ARGS=--help lists the options
	@exec $(BIN)/python -m scripts.load $(if $(FORMAT),--format '$(FORMAT)') $(if $(filter command,$(firstword $(origin USER))),--user '$(USER)') $(ARGS) $(if $(FILE),'$(FILE)')

migrate: .venv/run.stamp ## Migrate the databases of DATABASE_URL and SHARD_DATABASE_URLS, or the embedded one in DATA
	@exec $(BIN)/python -m scripts.migrate

keys: .venv/run.stamp ## Make, list, revoke and rotate the keys of clients: make keys ARGS='create --scope read'; ARGS=--help
	@exec $(BIN)/python -m scripts.keys $(ARGS)

tenants: .venv/run.stamp ## Which database each tenant is in, and moving it: make tenants ARGS=list; ARGS=--help
	@exec $(BIN)/python -m scripts.tenants $(ARGS)

psql: .venv/run.stamp ## Open psql on the database of DATABASE_URL, or on the embedded one that runs
	@exec $(BIN)/python -m scripts.psql $(ARGS)

roles: .venv/run.stamp ## Logins for BI tools: make roles ARGS='create acme_bi --tenant acme'; ARGS=--help lists the commands
	@exec $(BIN)/python -m scripts.roles $(ARGS)

backup: .venv/run.stamp ## Back up the database of DATABASE_URL, or the embedded one in DATA: make backup ARGS='--to DIRECTORY'
	@exec $(BIN)/python -m scripts.backup dump $(ARGS)

restore: .venv/run.stamp ## Restore such a backup: make restore ARGS=DIRECTORY; ARGS=--help
	@exec $(BIN)/python -m scripts.backup restore $(ARGS)

bench: .venv/run.stamp .venv-bench/stamp ## Measure, on the server that BENCH_DATABASE_URL names, or on the embedded one
	@exec $(BIN)/python -m scripts.bench $(ARGS)

screenshots: .venv/dev.stamp ## Take the screenshots of the documents
	@exec $(BIN)/python -m scripts.screenshots $(ARGS)

lock: .venv/run.stamp ## Pin the dependencies of pyproject.toml, with hashes
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile $(COMPILE) --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile $(COMPILE) --extra dev --output-file requirements-dev.lock pyproject.toml
	$(BIN)/uv pip compile $(COMPILE) --extra psql --output-file requirements-psql.lock pyproject.toml
	$(BIN)/uv pip compile $(COMPILE) --extra traces --output-file requirements-traces.lock pyproject.toml
	$(BIN)/uv pip compile $(COMPILE) --group peers --output-file requirements-peers.lock
	$(BIN)/uv pip compile $(COMPILE) --group supply --output-file requirements-supply.lock

sbom: .venv/run.stamp .venv-supply/stamp ## Write a CycloneDX document of each lock file, Python's and npm's, to sbom/
	@exec $(BIN)/python -m scripts.supply sbom

audit: .venv/run.stamp .venv-supply/stamp ## Ask whether vulnerabilities of locked packages are known; needs a network
	@exec $(BIN)/python -m scripts.supply audit

clean: ## Remove what was installed and cached; data stays
	rm -rf .venv .venv-bench .venv-supply sbom scripts/embedded/node_modules service/dashboard/libraries/node_modules
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

COMPILE := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Hyperpulse needs Python 3.11 or newer; $(PYTHON) is older or missing. Try: make run PYTHON=python3.12" >&2; exit 1; }
	@echo "Creating .venv."
	@$(PYTHON) -m venv .venv

# The locks name every package, so nothing is left for pip to resolve.
.venv/run.stamp: requirements.lock | .venv/bin/python
	@echo "Installing packages."
	@$(BIN)/pip install --disable-pip-version-check --no-deps --require-hashes --requirement requirements.lock
	@touch $@

.venv/dev.stamp: requirements-dev.lock | .venv/bin/python
	@echo "Installing packages for development."
	@$(BIN)/pip install --disable-pip-version-check --no-deps --require-hashes --requirement requirements-dev.lock
	@touch $@ .venv/run.stamp

# What Hyperpulse is compared with stays apart from what it needs.
.venv-bench/stamp: requirements-peers.lock
	@echo "Installing packages of the peers that make bench compares with."
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/pip install --disable-pip-version-check --quiet --no-deps --require-hashes --requirement requirements-peers.lock
	@touch $@

# What looks at the packages is not among them.
.venv-supply/stamp: requirements-supply.lock
	@echo "Installing packages that describe and audit the others."
	@$(PYTHON) -m venv .venv-supply
	@.venv-supply/bin/pip install --disable-pip-version-check --quiet --no-deps --require-hashes --requirement requirements-supply.lock
	@touch $@
