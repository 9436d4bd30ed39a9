# make demo and make test set everything up by themselves; Python 3.11 or 3.12 and make are enough.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
UV := $(shell command -v uv 2>/dev/null || echo $(VENV)/bin/uv)
RUN := $(VENV)/bin/python
# Idle OpenMP threads that spin slow a shared machine down many times over.
export OMP_WAIT_POLICY := PASSIVE
# Where it is set every program compiles all that it imports anew, which takes it ten seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test lint clean

setup: $(VENV)/.synced

$(VENV)/.synced: pyproject.toml
	@command -v $(UV) >/dev/null 2>&1 || { \
	  test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV); \
	  $(VENV)/bin/python -m pip install --quiet uv; }
	$(UV) sync --all-extras
	@touch $@

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

test: export OMP_NUM_THREADS := 1
test: setup
	$(RUN) -m pytest -n auto

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
