# northstar: exports in, audited marts out. `make help` lists the commands.

# The first Python that will do. Another one: `make run PYTHON=/path/to/python3.12`.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$python && break; done)

VENV := .venv
BIN := $(VENV)/bin
# uv leaves Python to translate each package when it is first imported, each time anew where bytecode
# is not written: the run's first seconds, and those of every test that starts it. Here that is
# done once, on two cores, for what is imported and not for all that is installed.
COMPILE := unset PYTHONDONTWRITEBYTECODE; \
	$(BIN)/python -c 'import dagster_dbt, dagster._core.storage.sqlite_storage, phonenumbers' & \
	$(BIN)/python -c 'import dbt.cli.main, dbt.adapters.duckdb.impl, sqlglot.lineage, altair' & wait
INSTALLED := $(VENV)/.installed
TOOLED := $(VENV)/.tooled
HOST := 127.0.0.1
PORT := 3000
SQL := dbt_project/models dbt_project/macros dbt_project/tests

.DEFAULT_GOAL := help
.PHONY: help install tools run test torture bench ui lint format clean lock show-line audit csv ui-readonly verify history erase rotate-key

help:  ## List the commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED)  ## Make the environment from the locked requirements, once.

# uv installs ten times as fast as pip does. It has a lock of its own, since pip takes hashes from files
# only; where it cannot be had, pip installs everything.
$(INSTALLED): requirements.lock requirements-uv.lock
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 was found. Install one, or name it: make run PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Installing into $(VENV) (once) …"
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock \
		&& $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(COMPILE)
	@touch $@

tools: $(TOOLED)

$(TOOLED): requirements-tools.lock $(INSTALLED)
	@echo "Installing what measuring and auditing need (once) …"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-tools.lock \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tools.lock
	@touch $@

run: install  ## Load what is new in the landing folder, build, check and publish.
	@$(BIN)/python -m orchestration run

# By file: what a file sets up, such as a run of the whole job, is then set up once. In the order of
# tests/conftest.py: left to itself xdist would keep the longest for the end.
test: install  ## Run all tests.
	@$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder --durations 10

torture: install  ## Do the damage in full: kills, broken files, readers. Takes long; `make test` has it short.
	@NORTHSTAR_TORTURE=full $(BIN)/python -m pytest -q -n auto --dist loadfile --durations 10 tests/torture

bench: tools  ## Measure what things cost: make bench [ONLY=days] [ARGS="--help"]
	@$(BIN)/python -m benchmarks $(ONLY) $(ARGS)

ui: install  ## Dagster's UI on http://127.0.0.1:3000; stop it with Ctrl-C.
	@home=$$($(BIN)/python -m orchestration home) \
		&& DAGSTER_HOME="$$home" exec $(BIN)/dagster dev -w workspace.yaml -h $(HOST) -p $(PORT)

ui-readonly: install  ## The UI for onlookers, who can start and change nothing: make ui-readonly [PORT=3001]
	@home=$$($(BIN)/python -m orchestration home) \
		&& DAGSTER_HOME="$$home" exec $(BIN)/dagster-webserver --read-only -w workspace.yaml -h $(HOST) -p $(PORT)

lint: install  ## Check format, types and SQL.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/sqlfmt --check --quiet $(SQL)

format: install  ## Bring Python and SQL into the one format.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/sqlfmt --quiet $(SQL)

clean: install  ## Remove what runs made; never own exports, never data/state.
	@$(BIN)/python -m orchestration clean

lock: install  ## Pin and hash the newest versions that pyproject.toml allows.
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-strip-extras --upgrade --quiet -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra dev --extra tools --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-strip-extras --upgrade --quiet \
		--constraint requirements.lock -o requirements-tools.lock
	@echo uv | $(BIN)/uv pip compile - --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-strip-extras --upgrade --quiet -o requirements-uv.lock

erase: install  ## Erase people: user ids or e-mails on standard input, one a line.
	@$(BIN)/python -m orchestration erase

rotate-key: install  ## Change the pseudonym key; the new secret comes on standard input.
	@$(BIN)/python -m orchestration rotate-key

verify: install  ## Verify that what was once published is unchanged: make verify [HEAD=...]
	@$(BIN)/python -m orchestration verify $(HEAD)

history: install  ## What was published about a month: make history MONTH=2024-03 [ON=2025-01-10]
	@$(BIN)/python -m orchestration history "$(MONTH)" $(if $(ON),--on "$(ON)")

# Of what is installed for everybody, and of what only this and `make bench` need.
audit: tools  ## Look for known vulnerabilities of what is locked: make audit [SERVICE=osv]
	@$(BIN)/python -m orchestration.auditing $(if $(SERVICE),--service "$(SERVICE)") \
		requirements.lock requirements-tools.lock requirements-uv.lock

csv: install  ## A published table as CSV: make csv TABLE=nps.agg_nps TO=nps.csv
	@$(BIN)/python -m orchestration csv "$(TABLE)" $(if $(TO),--to "$(TO)")

show-line: install  ## Print a line of a landing file: make show-line FILE=... LINE=...
	@$(BIN)/python -m orchestration show-line "$(FILE)" "$(LINE)"
