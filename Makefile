# Every target makes .venv by itself. `make help` lists them.
#   make test ARGS="-k envelope"      more arguments for the command behind a target
#   make PYTHON=python3.12 venv       another interpreter

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?=
ARGS   ?=
BIN    := .venv/bin
export PYTHON

.PHONY: help venv demo test check bench docs clean
.PHONY: format-current lint types contracts docs-current

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

# The stamps are what makes `make` do this once, and again when the dependencies change.
.venv/.dev: pyproject.toml tools/venv.sh
	@sh tools/venv.sh dev
	@touch $@

.venv/.docs: pyproject.toml tools/venv.sh .venv/.dev
	@sh tools/venv.sh dev,docs
	@touch $@

venv: .venv/.dev ## .venv with everything that the other targets need

demo: .venv/.dev ## three agents on real kernels, every promise tried, a table at the end
	@$(BIN)/navstar lab run --agents 3 $(ARGS)

test: .venv/.dev ## all tests; as root also those that touch a kernel
	@$(BIN)/pytest -n auto --dist loadfile $(ARGS)

check: .venv/.dev ## format, lint, types, import contracts, docs current
	@failed=; for step in format-current lint types contracts docs-current; do \
		printf '== %s\n' $$step; $(MAKE) $$step || failed="$$failed $$step"; \
	done; \
	if [ -n "$$failed" ]; then echo "check: failed:$$failed" >&2; exit 1; fi; \
	echo "check: all five hold"

format-current: .venv/.dev
	@$(BIN)/ruff format --check --quiet . || \
		{ $(BIN)/ruff format --diff --quiet . | head -n 40; echo "run: $(BIN)/ruff format ." >&2; exit 1; }

lint: .venv/.dev
	@$(BIN)/ruff check --quiet .

types: .venv/.dev
	@$(BIN)/mypy --no-error-summary

contracts: .venv/.dev
	@out=$$($(BIN)/lint-imports --no-cache 2>&1) || { printf '%s\n' "$$out"; exit 1; }

docs-current: .venv/.dev
	@$(BIN)/python docs/generate.py --check

bench: .venv/.dev ## the measurements, each beside its goal and its peer
	@$(BIN)/python -m benchmarks run all $(ARGS)

docs: .venv/.docs ## the documentation as a site in docs/_build/html
	@$(BIN)/python docs/generate.py
	@$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean: ## remove .venv and everything that was built
	rm -rf .venv build dist docs/_build .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
