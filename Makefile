# make demo and make test set everything up by themselves; Python 3.11 or 3.12 and make are enough.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
UV := $(shell command -v uv 2>/dev/null || echo $(VENV)/bin/uv)
RUN := $(VENV)/bin/python
# What is installed, each package with its exact version; nothing else is.
PINS := requirements.txt
INSTALL := $(UV) pip install --python $(RUN) --constraints $(PINS) --build-constraints $(PINS)
# Idle OpenMP threads that spin slow a shared machine down many times over.
export OMP_WAIT_POLICY := PASSIVE
# Where it is set every program compiles all that it imports anew, which takes it ten seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup setup-all pins newest-pins upgrade demo test test-long lint plan clean

# The core, and what the demo runs.
setup: $(VENV)/.demo
# The same, every extra, and what the tests need.
setup-all: $(VENV)/.all

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	@command -v $(UV) >/dev/null 2>&1 || $(RUN) -m pip install --quiet --constraint $(PINS) uv

$(VENV)/.demo: pyproject.toml $(PINS) | $(VENV)/bin/python
	$(INSTALL) --editable '.[pipelines,train,evaluate]'
	$(RUN) -m mashnet.doctor check
	@touch $@

$(VENV)/.all: pyproject.toml $(PINS) | $(VENV)/bin/python
	$(INSTALL) -r pyproject.toml --all-extras --group dev --editable .
	$(RUN) -m mashnet.doctor check
	@touch $@ $(VENV)/.demo

# Writes down what pyproject.toml asks for anew, and leaves the other versions as they are.
pins: | $(VENV)/bin/python
	$(call resolve,)

# Resolves everything anew, and keeps the result only if the whole suite passes with it.
upgrade: setup-all
	cp $(PINS) $(PINS).before
	$(MAKE) newest-pins lint test test-long \
	  || { cp $(PINS).before $(PINS); touch $(PINS); $(MAKE) setup-all; exit 1; }
	rm $(PINS).before

newest-pins:
	$(call resolve,--upgrade)

# The marker that all lines share is what pyproject.toml says already.
define resolve
	$(UV) pip compile --quiet pyproject.toml --universal --python-version 3.11 --all-extras \
	  --group dev --no-header --no-annotate --no-emit-index-url $(1) --output-file $(PINS)
	sed -i "s/ ; python_full_version < '3.13' and sys_platform == 'linux'$$//; \
	  s/python_full_version < '3.13' and sys_platform == 'linux' and //; \
	  1i# All that make setup and make test install (Linux, Python 3.11 and 3.12); made by make pins." $(PINS)
endef

demo: setup
	$(RUN) -m data_pipelines.demo out=data/demo
	rm -rf runs/demo
	$(RUN) train.py model=premixnet_lsro run=demo trainer.max_epochs=3
	$(RUN) evaluate.py checkpoint=runs/demo protocol=mix_classification
	$(RUN) evaluate.py checkpoint=runs/demo protocol=mashup_retrieval
	$(RUN) -m mashnet.export checkpoint=runs/demo out=runs/demo/bundle
	@echo
	@echo "corpus:   data/demo (MashupDB; listen to audio/)"
	@echo "training: runs/demo (config.yaml, checkpoints/, log/, curves.png)"
	@echo "results:  runs/demo/evaluation/*/report.html"
	@echo "bundle:   runs/demo/bundle"

# Neighbours share their fixtures, so each worker begins with a block of tests and steals at the end.
# One more than there are cores: a test that waits for another program leaves a core idle.
PYTEST := $(RUN) -m pytest -n $(shell expr $$(nproc) + 1) --dist worksteal
test test-long: export OMP_NUM_THREADS := 1
# Every behaviour once: minutes (docs/tests.md).
test: setup-all
	$(PYTEST) -m "not long"

# What repeats, and what starts clusters and browsers.
test-long: setup-all
	$(PYTEST) -m long

lint: setup-all
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# The rooms of the code, floor by floor, and what each imports.
plan: setup-all
	@$(RUN) tests/test_architecture.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
