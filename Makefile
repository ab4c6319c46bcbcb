# `make` alone prints the targets. The environment is made by .ci/setup, once.
DS ?= 2011-11-30
CONF ?= conf/online_retail.yaml
PROFILE ?= local
WORKERS ?= 2
BENCH ?=
SCALE ?= 0.1
bin := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup setup-s3 nightly quick test test-system bench check lock wheel clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Variables: DS (a date, now $(DS)), CONF (now $(CONF)), PROFILE (now $(PROFILE)), WORKERS (now $(WORKERS)), SCALE (now $(SCALE))"

setup: ## make .venv: pinned packages, Java where there is none, Delta's jars, Horovod
	@.ci/setup

setup-s3: ## the same, and the jars with which Spark reads and writes an object store (13 MB)
	@.ci/setup --s3

nightly: setup ## run the nightly for DS on the bundled retail data
	@$(bin)/landbridge nightly --conf $(CONF) --profile $(PROFILE) --ds $(DS)

quick: ## the same on 60 days in one process, without Horovod: under three minutes
	@.ci/setup --no-horovod
	@$(bin)/landbridge nightly --conf $(CONF) --profile quick --ds $(DS)

test: setup ## run the tests, but for the long lane, in WORKERS processes
	@OMP_NUM_THREADS=1 $(bin)/python -m pytest tests --ignore=tests/system -m "not system" -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-system: setup-s3 ## run the long lane: real processes, some of them killed, and what takes a minute
	@OMP_NUM_THREADS=1 $(bin)/python -m pytest tests -m system -n $(WORKERS) --dist loadfile --no-loadscope-reorder

bench: setup ## time our code beside peers and the floor, at SCALE; BENCH=topk, feeding or training for one work
	@$(bin)/python -m tests.bench $(BENCH) --scale $(SCALE)

check: setup ## ruff, mypy --strict and the import linter
	$(bin)/ruff check lib jobs tests deploy .ci
	$(bin)/mypy --strict lib jobs
	$(bin)/lint-imports

lock: setup ## compile requirements.lock anew from pyproject.toml, and upgrade
	$(bin)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-annotate --custom-compile-command "make lock" --upgrade -o requirements.lock

wheel: setup ## build the wheel that spark-submit --py-files takes, into dist/
	$(bin)/python -m build --wheel --no-isolation

clean: ## remove var/ (lake, tracking database, reports), caches and built wheels; keep .venv
	rm -rf var dist build spark-warehouse metastore_db .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find lib jobs tests deploy .ci -name __pycache__ -type d -prune -exec rm -rf {} +
