# One door for people and CI. `make` alone prints the targets.
# A machine needs python3 (>= 3.11) with venv, git, make; the real control plane of demo and tests also needs Go,
# unless its binaries are already there (setscrew/controlplane says where it looks).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two of them may run a control plane (about 400 MB and one core while it starts) and wait for it often; the third takes
# tests that need none.
WORKERS ?= 3
PYTEST_ARGS ?=
INPUTS ?= 1000000
MINORS ?= 1.35 1.34

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Images for Python often set it; the tests start a thousand processes, each of which would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# What the code under check is made of; a folder that does not exist yet is left out.
CODE := $(wildcard webhook reconciler setscrew tests bench scripts)

.PHONY: help setup demo test test-unit test-integration soak soak-cluster compat chaos lint lint-ruff lint-format lint-types lint-imports lint-image format bench bench-full bench-parts fuzz lock image release clean distclean

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The control plane is asked for each time: its binaries live in a cache outside the tree that may have been emptied,
# and the answer takes a moment when they are there.
setup: control-plane browser ## install all that the other targets need (first time 10-15 minutes, later seconds)

.PHONY: control-plane browser
control-plane: $(VENV)/.stamp-python
	@$(BIN)/python -m setscrew.controlplane build

# kubectl and etcd are the same for all of them.
.PHONY: setup-minors
setup-minors: setup ## build API server and controllers of the older Kubernetes minors too (10 minutes for each, once)
	@for minor in $(MINORS); do SETSCREW_KUBERNETES=$$minor $(BIN)/python -m setscrew.controlplane build; done

# Only the tests of pages need it, and fail without it; whoever may install packages gets it, all others a line.
browser:
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then :; \
	elif command -v apt-get && [ "$$(id -u)" = 0 ]; then \
		echo "setup: installing Chromium for the tests of pages" >&2; export DEBIAN_FRONTEND=noninteractive; \
		{ apt-get -qq update && apt-get -qq --yes --no-install-recommends install chromium fonts-liberation; } </dev/null \
			|| echo "setup: Chromium could not be installed: the tests of pages will fail" >&2; \
	else echo "setup: no Chromium: the tests of pages will fail; install the package chromium" >&2; fi >/dev/null

# Checked apart from the stamps, so that a missing tool ends in one line instead of a traceback minutes later.
$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "setup: $(PYTHON) not found: install Python 3.11 or newer, or run make PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: $(PYTHON) is $$($(PYTHON) -V 2>&1), older than 3.11: run make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "setup: $(PYTHON) has no venv module: install it (Debian: python3-venv)" >&2; exit 2; }
	@command -v git >/dev/null || { echo "setup: git not found: install git 2.30 or newer" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-python: requirements-dev.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: control-plane ## play the guided demo against a real Kubernetes API server
	$(BIN)/setscrew demo

# One call, so that the closing line counts all tests. loadfile: the tests of one file share one control plane; which file
# comes when, and to whom, says tests/support/order.py.
# A worker that dies ends the run: one in its place would leave the others waiting for ever.
test: setup ## run unit, property and integration tests
	$(BIN)/python -m pytest -n $(WORKERS) --max-worker-restart 0 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-unit: $(VENV)/.stamp-python ## run the tests that need no control plane
	$(BIN)/python -m pytest -n $(WORKERS) --max-worker-restart 0 -m 'not integration' $(PYTEST_ARGS)

test-integration: setup ## run the tests against a real control plane
	$(BIN)/python -m pytest -n $(WORKERS) --max-worker-restart 0 --dist loadfile --no-loadscope-reorder -m integration $(PYTEST_ARGS)

# Five targets, so that `make -k lint` names all that is wrong in one run.
lint: lint-ruff lint-format lint-types lint-imports lint-image ## ruff, mypy --strict, import contracts, hadolint

lint-ruff: $(VENV)/.stamp-python
	$(BIN)/ruff check $(CODE)

lint-format: $(VENV)/.stamp-python
	$(BIN)/ruff format --check $(CODE)

lint-types: $(VENV)/.stamp-python
	$(BIN)/mypy

lint-imports: $(VENV)/.stamp-python
	$(BIN)/lint-imports

lint-image: $(VENV)/.stamp-python
	$(BIN)/hadolint Dockerfile

format: $(VENV)/.stamp-python ## rewrite the code in the project's format
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: setup ## measure the admission server beside a minimal one in Go, receivers and pushes, some fifteen minutes
	$(BIN)/python bench/serving.py
	$(BIN)/python bench/receivers.py
	$(BIN)/python bench/push.py
	$(BIN)/python bench/detect.py
	$(BIN)/python bench/report.py

bench-full: setup ## the same in its long form, half an hour on a quiet machine, and record it in docs/performance.md
	$(BIN)/python bench/serving.py --full --record

bench-parts: setup ## time decisions, canonical forms, comparisons and the YAML loader
	@for script in decision canonical loader; do echo "== bench/$$script.py"; $(BIN)/python "bench/$$script.py"; done
	@for review in unguarded deny; do echo "== $$review"; $(BIN)/python bench/where_time_goes.py "$$review"; done

fuzz: $(VENV)/.stamp-python ## try a million hostile reviews, half as many deliveries and texts, and record it in docs/reference/fuzzing.md
	nice $(BIN)/python -m tests.fuzz --inputs $(INPUTS) --record
	for target in receivers loader; do nice $(BIN)/python -m tests.fuzz --target $$target --inputs $$(( $(INPUTS) / 2 )) --record; done

compat: setup-minors ## run what depends on the API server against each Kubernetes minor; RECORD=1 writes the table of README
	$(BIN)/python tools/compat.py $(if $(RECORD),--record)

SOAK ?= 10m
PACE ?= 1
RECORD ?=
soak: setup ## fifty guarded Deployments roll for SOAK (10m): nothing of the cluster's own may be refused, nothing may grow
	$(BIN)/python -m tests.soak --for $(SOAK) --pace $(PACE) $(if $(RECORD),--record)

soak-cluster: setup ## the same with two replicas as they run in a cluster, in place of one machine
	$(BIN)/python -m tests.soak --in-cluster --for $(SOAK) --pace $(PACE) $(if $(RECORD),--record)

RATE ?= 200
chaos: setup ## blow after blow under RATE (200) writes a second, with both failure policies: nothing may slip through unknown
	$(BIN)/python -m tests.chaos --rate $(RATE) $(if $(RECORD),--record)

IMAGE_FLAGS ?=
image: $(VENV)/.stamp-python ## build, try and measure the image with buildah, RECORD=1 writes docs/reference/image.md (20 minutes, root)
	nice -n 10 $(BIN)/python tools/build_image.py $(if $(RECORD),--record) $(IMAGE_FLAGS)

RELEASE_FLAGS ?=
release: setup ## make a release of this commit and tag it; sends nothing (docs/how-to/release.md)
	$(BIN)/python tools/release.py $(RELEASE_FLAGS)

lock: $(VENV)/.stamp-python ## resolve the dependencies anew and write the requirement files with hashes
	$(BIN)/uv pip compile $(LOCK_FLAGS) pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile $(LOCK_FLAGS) -c requirements.txt pyproject.toml --group dev -o requirements-dev.txt
	$(BIN)/uv pip compile $(LOCK_FLAGS) -c requirements-dev.txt --group wheel -o requirements-wheel.txt

# Universal: one file for every platform. Whatever index this machine is set up with stays out of the files.
LOCK_FLAGS := --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock'

clean: ## remove caches and build output, keep .venv
	rm -rf build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(wildcard webhook reconciler setscrew tests bench scripts) -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf $(VENV)
