# Two commands: `make demo` and `make test`. Both make their own environment from the lock files.
PYTHON ?= python3
DEMO_ENV := .venv-demo
TEST_ENV := .venv
TRAIN_ENV := .venv-train
BENCH_ENV := .venv-bench
DOCS_ENV := .venv-docs
AUDIT_ENV := .venv-audit
RUN := $(TEST_ENV)/bin
# Small matrices by the thousand: threads of a BLAS would only fight each other.
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test lint types unit explore fuzz train-test bench-env bench-test bed chaos kind kind-down audit docs reference format stubs lock clean help

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo: $(DEMO_ENV)/ready ## a compressed day of traffic, Foretide beside HPA, simulated; ends in a report
	$(DEMO_ENV)/bin/foretide demo --out out/demo $(DEMO)

test: lint types docs unit bed ## everything that CI runs

lint: $(TEST_ENV)/ready ## style, formatting, direction of imports
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/lint-imports

types: $(TEST_ENV)/ready ## strict types of every room
	$(RUN)/mypy

unit: $(TEST_ENV)/ready ## unit and property tests
	$(RUN)/pytest -q -m "not bed and not chaos and not train and not bench"

ROUNDS ?= 5
explore: $(TEST_ENV)/ready ## property tests from other seeds, ROUNDS times over; stops at the first counterexample
	for round in $$(seq $(ROUNDS)); do $(RUN)/pytest -q tests/properties --hypothesis-profile=explore || exit 1; done

FUZZ ?= 100000
fuzz: $(TEST_ENV)/ready ## feed every reader FUZZ damaged inputs each (docs/bad-input.md)
	FUZZ=$(FUZZ) $(RUN)/pytest -q tests/fuzz --hypothesis-profile=fuzz --timeout=0

train-test: $(TRAIN_ENV)/ready ## tests of training, in an environment with torch (several GB)
	$(TRAIN_ENV)/bin/pytest -q -m train

bench-env: $(BENCH_ENV)/ready ## an environment with the forecasters that Foretide is compared with (several GB)

bench-test: $(BENCH_ENV)/ready ## tests of the adapters to those forecasters
	$(BENCH_ENV)/bin/pytest -q -m bench

bed: $(TEST_ENV)/ready ## tests on a real control plane, built on first use
	$(RUN)/foretide dev build
	$(RUN)/pytest -q -m bed

kind: ## a kind cluster with fake GPU nodes, simulated engines, Prometheus and Foretide (docs/kind.md; needs a container engine)
	kind-config/up.sh

kind-down: ## take that cluster away
	kind-config/down.sh

docs: $(DOCS_ENV)/ready ## this documentation as a site, in site/; a broken link fails (an environment of its own, 170 MB)
	NO_MKDOCS_2_WARNING=1 $(DOCS_ENV)/bin/mkdocs build --strict

reference: $(TEST_ENV)/ready ## docs/reference anew, from the CRD and the command line
	$(RUN)/python docs/site/reference.py

AUDITED ?= base trainer
audit: $(AUDIT_ENV)/ready ## known weaknesses of what the images hold, asked of PyPI's advisories (needs the network)
	for lock in $(AUDITED); do $(AUDIT_ENV)/bin/pip-audit --require-hashes --disable-pip $(AUDIT) -r lock/$$lock.txt || exit 1; done

CHAOS_ROUNDS ?= 1
chaos: $(TEST_ENV)/ready ## break everything around a real operator, CHAOS_ROUNDS times (half an hour each); writes docs/benchmarks/chaos.md
	$(RUN)/foretide dev build
	rm -f out/chaos.jsonl
	for round in $$(seq $(CHAOS_ROUNDS)); do CHAOS_RESULTS=out/chaos.jsonl $(RUN)/pytest -q -m chaos || failed=1; done; \
	PYTHONPATH=tests $(RUN)/python tests/chaos/report.py out/chaos.jsonl && exit $${failed:-0}

format: $(TEST_ENV)/ready
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

stubs: ## messages of KEDA's external scaler from their .proto (needs grpcio-tools)
	python3 -m grpc_tools.protoc -I operator --python_out=operator --pyi_out=operator operator/foretide/operator/keda/externalscaler.proto

lock: ## renew the lock files (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q pyproject.toml -o lock/base.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q pyproject.toml --group dev -o lock/dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q pyproject.toml --group train --extra train --override lock/no-nflows.in -o lock/train.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q pyproject.toml --extra train --override lock/no-nflows.in -c lock/train.txt -o lock/trainer.txt
	for group in docs audit; do uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q --group $$group -o lock/$$group.txt; done
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q pyproject.toml --group dev --extra bench --override lock/no-datasets.in -o lock/bench.txt

$(DEMO_ENV)/ready: lock/base.txt pyproject.toml
	$(PYTHON) -m venv $(DEMO_ENV)
	$(DEMO_ENV)/bin/python -m pip install --quiet --require-hashes -r lock/base.txt
	$(DEMO_ENV)/bin/python -m pip install --quiet --no-deps -e .
	touch $@

$(TEST_ENV)/ready: lock/dev.txt pyproject.toml
	$(PYTHON) -m venv $(TEST_ENV)
	$(TEST_ENV)/bin/python -m pip install --quiet --require-hashes -r lock/dev.txt
	$(TEST_ENV)/bin/python -m pip install --quiet --no-deps -e .
	touch $@

# nflows declares tensorboard and matplotlib, of which nothing here is imported: it comes without its dependencies.
$(TRAIN_ENV)/ready: lock/train.txt lock/nflows.txt pyproject.toml
	$(PYTHON) -m venv $(TRAIN_ENV)
	$(TRAIN_ENV)/bin/python -m pip install --quiet --require-hashes -r lock/train.txt
	$(TRAIN_ENV)/bin/python -m pip install --quiet --require-hashes --no-deps -r lock/nflows.txt
	$(TRAIN_ENV)/bin/python -m pip install --quiet --no-deps -e .
	touch $@

# flaircast declares datasets, of which nothing here is imported; no hub can be reached from a test.
# GluonTS takes no pandas 3, so that this environment is one of its own.
$(BENCH_ENV)/ready: lock/bench.txt pyproject.toml
	$(PYTHON) -m venv $(BENCH_ENV)
	$(BENCH_ENV)/bin/python -m pip install --quiet --no-deps --require-hashes -r lock/bench.txt
	$(BENCH_ENV)/bin/python -m pip install --quiet --no-deps -e .
	touch $@

$(DOCS_ENV)/ready: lock/docs.txt
	$(PYTHON) -m venv $(DOCS_ENV)
	$(DOCS_ENV)/bin/python -m pip install --quiet --require-hashes -r lock/docs.txt
	touch $@

$(AUDIT_ENV)/ready: lock/audit.txt
	$(PYTHON) -m venv $(AUDIT_ENV)
	$(AUDIT_ENV)/bin/python -m pip install --quiet --require-hashes -r lock/audit.txt
	touch $@

clean:
	rm -rf $(DEMO_ENV) $(TEST_ENV) $(TRAIN_ENV) $(BENCH_ENV) $(DOCS_ENV) $(AUDIT_ENV) out site .foretide
