# Everything runs from .venv, made from the locked and hashed requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEER := .venv-peer
LOCKER := .venv-lock
STUBS := shared/pb/captcha/v1/dataset.proto

.DEFAULT_GOAL := help
.PHONY: help demo test test-long chaos fuzz test-pages compose-test check protos lock certs bench bench-peer clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(READY): requirements/dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(READY) ## train on a service of its own, evaluate on the whole test split, print a summary
	@$(BIN)/python -m trainer.demo --out demo

test: $(READY) ## the tests that gate a change
	$(BIN)/python -m pytest -m "not long and not compose"

test-long: $(READY) ## the tests that take minutes: kills, freezes, slow readers; they print figures
	$(BIN)/python -m pytest -m long -s

test-pages: $(READY) ## the pages in Debian's Chromium, which must be there
	@test -x /usr/bin/chromium || { echo "make test-pages needs /usr/bin/chromium: apt-get install chromium" >&2; exit 2; }
	$(BIN)/python -m pytest -m pages

chaos: $(READY) ## the promises under fire: kills, freezes, network faults, damage; a table and one JSON line
	@$(BIN)/python -m tests.chaos

fuzz: $(READY) ## coverage-guided fuzzing of every decoder, ten minutes each
	@$(BIN)/python -m tests.fuzz --seconds 600

compose-test: $(READY) ## the images and docker-compose.yml against a real engine (DOCKER_HOST); prints image sizes
	$(BIN)/python -m pytest -m compose -s tests/deploy

check: $(READY) ## lint, format, types, import walls, proto lint, stub drift
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(MAKE) --no-print-directory protos
	git diff --exit-code -- shared/pb

# The -I mapping makes the stubs import each other as shared.pb...; no editing needed afterwards.
protos: $(READY) ## regenerate shared/pb from proto
	$(BIN)/python -m grpc_tools.protoc -Ishared/pb=proto --python_out=. --pyi_out=. $(STUBS)

# Its own little environment: the one of all packages may be impossible to make from the very files to be renewed.
$(LOCKER)/bin/uv:
	$(PYTHON) -m venv $(LOCKER)
	$(LOCKER)/bin/pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements/dev.txt)"

lock: $(LOCKER)/bin/uv ## renew the locked requirements from pyproject.toml
	UV_CUSTOM_COMPILE_COMMAND="make lock" sh -ec ' \
	  lock() { $(LOCKER)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes pyproject.toml "$$@"; }; \
	  lock -o requirements/datagen.txt; \
	  lock --extra train -c requirements/datagen.txt -o requirements/train.txt; \
	  lock --extra train --extra dask --extra dev -c requirements/train.txt -o requirements/dev.txt; \
	  $(LOCKER)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes requirements/peer.in -o requirements/peer.txt'

certs: $(READY) ## a development authority, certificates and a token in certs/, and the commands that use them
	@$(BIN)/python -m tests.make_certs $(if $(NAMES),--names $(NAMES))

bench: $(READY) ## every benchmark: a table and one JSON line each
	@for bench in render materialize read stream tls capacity metrics end_to_end zoo; do $(BIN)/python -m tests.benchmarks.bench_$$bench || exit 1; done

# An environment of its own: TensorFlow wants other versions of what is ours.
$(PEER)/.ready: requirements/peer.txt
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/peer.txt
	@touch $@

bench-peer: $(READY) $(PEER)/.ready ## streaming from shards against tf.data service, in turns
	@$(BIN)/python -m tests.benchmarks.bench_peer --python $(PEER)/bin/python

clean: ## remove what make made
	rm -rf $(VENV) $(PEER) $(LOCKER) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo
