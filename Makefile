# `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo test test-all torture mutants bench check format schemas lock bundle clean

# A fresh machine may have no UTF-8 locale, and Ansible refuses to start without one.
export LC_ALL := C.UTF-8
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# A twin is made of network namespaces, which need root.
AS_ROOT := $(if $(filter-out 0,$(shell id -u)),sudo env "PATH=$(PATH)" LC_ALL=$(LC_ALL))
PYTEST := $(AS_ROOT) python -m pytest
# What measures times runs one by one; what is neither that nor a twin runs three at a time.
APART := tests/guard tests/measuring tests/playbooks tests/sim tests/torture
# Twins wait more than they work: two at a time.
TWINS := tests/twin
LOCKED := --python-version 3.12 --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	--no-header

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: ## Debian packages that are missing, and .venv from requirements.lock
	@tools/setup

setup-tests: ## What only the tests need, too
	@tools/setup tests

demo: setup ## Rehearse the loss of a whole centre on a twin of the example site
	$(AS_ROOT) drillctl rehearse single-centre-failure --set centre=futian --response repoint

test: setup-tests check ## The checks, the tests and one rehearsal of each drill (half an hour on two cores)
	$(PYTEST) -m "not matrix" -n 3 --dist loadfile $(addprefix --ignore=,$(APART) $(TWINS))
	$(PYTEST) -m "not matrix" $(APART)
	$(PYTEST) -m "not matrix" -n 2 --dist loadfile $(TWINS)

test-all: setup-tests check ## The whole matrix of rehearsals too
	$(PYTEST) -n 3 --dist loadfile $(addprefix --ignore=,$(APART) $(TWINS))
	$(PYTEST) $(APART)
	$(PYTEST) -n 2 --dist loadfile $(TWINS)

torture: setup ## Kill and freeze everything at any moment: 2,000 times simulated, 200 times on a twin (about an hour)
	$(AS_ROOT) python -m tests.torture --simulated 2000 --twin 200

mutants: setup ## Break each rule of the engine once and see its test fail
	python tools/mutants.py

bench: setup .venv-bench ## Measure everything on this machine into docs/benchmarks.md (about an hour)
	$(AS_ROOT) python -m benchmarks --into docs/benchmarks.md

# Other programs that switching is measured beside. Nothing of the product is in it, and it is in nothing of the product.
.venv-bench: benchmarks/requirements.lock
	python -m venv --clear $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

check: setup ## Lint, types, layers, playbooks and YAML
	ruff check
	ruff format --check
	mypy
	lint-imports
	ansible-lint --offline --profile production
	yamllint --strict .

format: setup ## Format the code
	ruff check --fix-only
	ruff format

schemas: setup ## Write the JSON Schemas in docs/reference/ again, from the models
	python -m orchestrator schema

lock: setup ## Resolve requirements.lock and that of benchmarks/ again, keeping what still fits (needs uv)
	uv pip compile pyproject.toml --extra dev $(LOCKED) --output-file requirements.lock
	python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["bench"])' | \
		uv pip compile - $(LOCKED) --output-file benchmarks/requirements.lock

bundle: setup ## Pack everything for a controller without Internet into dist/
	python tools/bundle.py

clean: ## Remove .venv, .venv-bench and caches; reports and journals stay
	$(AS_ROOT) rm -rf .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .ansible *.egg-info
	$(AS_ROOT) find . -name __pycache__ -type d -prune -exec rm -rf {} +
