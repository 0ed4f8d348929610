# A fresh machine needs Python 3.11 and make, nothing else.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
export PATH := $(BIN):$(PATH)
READY := $(VENV)/ready
STORE ?= build/tiny/mlflow.db
PORT ?= 5000
CORES ?= $(shell nproc 2>/dev/null || echo 2)
SNAKEMAKE := snakemake --cores $(CORES)

.PHONY: help environment pyiqa report subset full test lint format readme rooms schema dvc lock ui clean

help: ## what can be done
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

environment: $(READY) ## the virtual environment .venv with exact versions

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "blindface needs Python 3.11: set PYTHON=/path/to/python3.11 and run make again"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements.lock
	@# face-alignment brings the build of OpenCV that wants libGL; the one that does not is put over it.
	$(PIP) --no-deps --force-reinstall "$$(grep '^opencv-python-headless==' requirements.lock)"
	$(PIP) --no-deps --editable .
	@touch $@

pyiqa: $(READY) ## pyiqa's metrics too (non-commercial licence), to compare ours with; no stage needs them
	$(PIP) -r requirements-pyiqa.lock

report: $(READY) ## the tiny experiment on rendered faces: table and page in build/tiny/reports, minutes on a CPU
	@$(SNAKEMAKE) --directory build/tiny --configfile config/tiny.yaml
	@echo
	@echo "The table: build/tiny/reports/metrics.md"
	@echo "The page:  build/tiny/reports/index.html"

subset: $(READY) ## a small subset of real LFW photographs, in build/subset; needs the network or BLINDFACE_MIRROR
	@$(SNAKEMAKE) --directory build/subset --configfile config/light.yaml config/subset.yaml

full: $(READY) ## the full experiment of params.yaml (a GPU is wise)
	@$(SNAKEMAKE) -- reports/metrics.md

test: $(READY) ## all tests, at most 12 minutes on two cores
	@$(BIN)/python -m pytest -n 2

lint: $(READY) ## style, types and format of everything
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-cache --no-logo
	snakefmt --check Snakefile workflow
	snakemake --lint
	python workflow/dvc_stages.py --check
	python workflow/rooms.py --check

format: $(READY) ## put everything into the project's format
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

readme: $(READY) ## write the README's table of results anew from reports/lfw
	blindface readme

rooms: $(READY) ## draw the rooms of the code into docs/architecture.md anew
	python workflow/rooms.py

schema: $(READY) ## write the JSON schema of the parameters anew
	blindface schema --output workflow/schemas/params.schema.json

dvc: $(READY) ## write dvc.yaml anew from the rules
	python workflow/dvc_stages.py

lock: ## write requirements.lock and requirements-pyiqa.lock from the current environment
	$(BIN)/python workflow/write_locks.py

ui: $(READY) ## MLflow's page of the tiny runs, for this machine alone; STORE=mlflow.db for the full experiment's
	@test -f $(STORE) || { echo "there are no runs in $(STORE): make report first, or give STORE=path/to/mlflow.db"; exit 2; }
	@echo "http://127.0.0.1:$(PORT) shows the runs of $(STORE) in a moment; Ctrl-C ends it"
	MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --host 127.0.0.1 --port $(PORT) \
		--workers 1 --backend-store-uri sqlite:///$(abspath $(STORE))

clean: ## remove what the tiny and subset runs made
	chmod -R u+w build 2>/dev/null; rm -rf build
