# Everything runs from .venv, made from the locked and hashed requirements. It holds what a target needs and no more:
# `make demo` installs requirements/train.txt, `make test` adds requirements/test.txt, `make fuzz` requirements/fuzz.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TRAIN := $(VENV)/.train
TEST := $(VENV)/.test
FUZZ := $(VENV)/.fuzz
PEER := .venv-peer
PEER_CRNN := .venv-peer-crnn
PEER_LOADERS := .venv-peer-loaders
FRAMEWORKS := .venv-frameworks
LOCKER := .venv-lock
STUBS := shared/pb/captcha/v1/dataset.proto
# The contract as it was released; made anew with a release: buf build -o proto/released.binpb
CONTRACT := proto/released.binpb

.DEFAULT_GOAL := help
.PHONY: help demo test test-long chaos fuzz test-frameworks test-pages compose-test check protos sheets lock certs bench bench-peer bench-loaders bench-crnn readers resolve clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 17

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "Python 3.11 is needed, $$($(PYTHON) --version 2>&1) was found; say where it is: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(TRAIN): requirements/train.txt | $(BIN)/python
	@echo "installing requirements/train.txt into $(VENV): 3.1 GB on disk, once" >&2
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/train.txt
	@touch $@

$(TEST): requirements/test.txt | $(BIN)/python
	@echo "installing requirements/test.txt into $(VENV), once" >&2
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@ $(TRAIN)

$(FUZZ): requirements/fuzz.txt $(TEST)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	@touch $@

demo: $(TRAIN) ## train on a service of its own, evaluate on the test split, print a summary; QUICK=1: a minute
	@$(BIN)/python -m trainer.demo --out demo $(if $(QUICK),--quick)

test: $(TEST) ## the tests that gate a change
	@# Compiles the kernels, once, so that no test with a time limit waits for it.
	@$(BIN)/python -c "from datagen_server.rendering.pictures.picture import quickest_picture; quickest_picture()"
	$(BIN)/python -m pytest -m "not long and not compose"

test-long: $(TEST) ## the tests that take minutes: kills, freezes, slow readers; they print figures
	$(BIN)/python -m pytest -m long -s

# Environments of their own: PyTorch, JAX and the peers want other versions than ours. The lock files hold all but PyTorch.
.venv-%/.ready: requirements/%.txt requirements/torch.in
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r requirements/torch.in
	@touch $@

test-frameworks: $(TEST) $(FRAMEWORKS)/.ready ## the adapters for PyTorch and JAX with the real libraries, and the README's code
	$(BIN)/python -m pytest tests/frameworks

test-pages: $(TEST) ## the pages in Debian's Chromium, which must be there
	@test -x /usr/bin/chromium || { echo "make test-pages needs /usr/bin/chromium: apt-get install chromium" >&2; exit 2; }
	$(BIN)/python -m pytest -m pages

chaos: $(TEST) ## the promises under fire: kills, freezes, network faults, damage; a table and one JSON line
	@$(BIN)/python -m tests.chaos

fuzz: $(FUZZ) ## coverage-guided fuzzing of every decoder, ten minutes each
	@$(BIN)/python -m tests.fuzz --seconds 600

compose-test: $(TEST) ## the images and docker-compose.yml against a real engine (DOCKER_HOST); prints image sizes
	$(BIN)/python -m pytest -m compose -s tests/deploy

check: $(TEST) ## lint, format, types, import walls, proto lint and breaks, stub drift
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf breaking --against $(CONTRACT)
	$(MAKE) --no-print-directory protos
	git diff --exit-code -- shared/pb
	$(MAKE) --no-print-directory resolve

PLATFORMS := x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin

# PyTorch, which three lock files leave out, has wheels for all of them.
resolve: $(TEST) ## whether every lock file has wheels for Linux x86-64, Linux aarch64 and macOS 14 on arm64
	@for platform in $(PLATFORMS); do for lock in datagen train test "frameworks --no-deps" "peer-loaders --no-deps" "peer-crnn --no-deps"; do \
	  set -- $$lock; MACOSX_DEPLOYMENT_TARGET=14.0 $(BIN)/uv pip install --quiet --dry-run --require-hashes --only-binary :all: \
	    --python-version 3.11 --python-platform $$platform --target $(VENV)/resolve -r requirements/$$1.txt $$2 || exit 1; \
	done; done; echo "every lock file has wheels for: $(PLATFORMS)"

sheets: $(TEST) ## the README's contact sheets of four specs; needs the Debian package fonts-wqy-microhei
	$(BIN)/python -m tests.sheets

# The -I mapping makes the stubs import each other as shared.pb...; no editing needed afterwards.
protos: $(TEST) ## regenerate shared/pb from proto
	$(BIN)/python -m grpc_tools.protoc -Ishared/pb=proto --python_out=. --pyi_out=. $(STUBS)

# Its own little environment: the one of all packages may be impossible to make from the very files to be renewed.
$(LOCKER)/bin/uv:
	$(PYTHON) -m venv $(LOCKER)
	$(LOCKER)/bin/pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements/test.txt)"

lock: $(LOCKER)/bin/uv ## renew the locked requirements from pyproject.toml
	UV_CUSTOM_COMPILE_COMMAND="make lock" sh -ec ' \
	  lock() { $(LOCKER)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes "$$@"; }; \
	  lock pyproject.toml -o requirements/datagen.txt; \
	  lock pyproject.toml --extra train -c requirements/datagen.txt -o requirements/train.txt; \
	  lock pyproject.toml --extra train --extra tensorboard --extra dask --extra compiled --extra test -c requirements/train.txt -o requirements/test.txt; \
	  lock pyproject.toml --extra fuzz -c requirements/test.txt -o requirements/fuzz.txt; \
	  lock requirements/peer.in -o requirements/peer.txt; \
	  for name in frameworks peer-loaders peer-crnn; do \
	    lock --no-emit-package torch --excludes requirements/without-cuda.in requirements/$$name.in -o requirements/$$name.txt; \
	  done'

certs: $(TEST) ## a development authority, certificates and a token in certs/, and the commands that use them
	@$(BIN)/python -m tests.make_certs $(if $(NAMES),--names $(NAMES))

bench: $(TEST) $(PEER)/.ready $(PEER_CRNN)/.ready ## every benchmark, with tf.data service and PyTorch beside; last a table of all figures and targets
	@$(BIN)/python -m tests.benchmarks --python-peer $(PEER)/bin/python --python-peer-crnn $(PEER_CRNN)/bin/python

readers: $(TEST) ## the README's curves of 1 to 256 readers on one service
	@$(BIN)/python -m tests.benchmarks.clients.bench_readers --svg .readme/readers.svg

# An environment of its own: TensorFlow wants other versions of what is ours.
$(PEER)/.ready: requirements/peer.txt
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/peer.txt
	@touch $@

bench-peer: $(TEST) $(PEER)/.ready ## streaming from shards against tf.data service, in turns
	@$(BIN)/python -m tests.benchmarks.streaming.bench_peer --python $(PEER)/bin/python

bench-loaders: $(TEST) $(PEER_LOADERS)/.ready ## images/s into PyTorch tensors: our stream against LMDB, streaming, litdata, grain
	@$(BIN)/python -m tests.benchmarks.clients.loaders.bench_loaders --python $(PEER_LOADERS)/bin/python

bench-crnn: $(TEST) $(PEER_CRNN)/.ready ## other kinds of captchas: preset crnn against a CRNN in PyTorch, exact match and CPU time
	@$(BIN)/python -m tests.benchmarks.training.bench_crnn --python $(PEER_CRNN)/bin/python $(if $(PICTURES),--pictures $(PICTURES))

clean: ## remove what make made
	rm -rf $(VENV) $(PEER) $(PEER_CRNN) $(FRAMEWORKS) $(PEER_LOADERS) $(LOCKER) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo
