# demo, test, bench, lint, web-tools: each makes the virtual environment first, once; a second call installs nothing.
# PYTHON chooses the interpreter (3.11, 3.12 or 3.13); VENV the folder; WORKERS how many test files run side by side.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
WORKERS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test bench lint web-tools clean
.DEFAULT_GOAL := demo

demo: $(STAMP)
	@$(BIN)/incidentnb demo demo

test: $(STAMP)
	@echo "running the tests (a dot each, some minutes in all, $(WORKERS) files at a time) …"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

bench: $(STAMP)
	@for bench in tests/bench/*.py; do $(BIN)/python $$bench || exit $$?; done

# what only the tests of the page in a browser need; without it those tests are skipped
web-tools: $(STAMP)
	@npm install --prefix $(VENV)/web --no-save --no-package-lock --no-audit --no-fund --silent \
		axe-core@4 vnu-jar@26 big-list-of-naughty-strings@1

lint: $(STAMP)
	@$(BIN)/ruff check . && echo "lint: nothing to say"

$(STAMP): pyproject.toml $(wildcard templates/incidentnb/*)
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 found (name one: make PYTHON=/path/to/python3.12)" >&2; exit 2; }
	@echo "making $(VENV) with $$($(PYTHON) --version) and installing what the project needs (a minute or two, once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) demo build dist
