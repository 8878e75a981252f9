# `make run` and `make test` set everything up by themselves.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
EXTRAS ?= dev
READY := $(VENV)/.ready-$(EXTRAS)
PFHEDGE := .venv-pfhedge

# Tests of a few seconds a file: what compiles little. The others are in `make test`.
QUICK := $(addprefix tests/test_,$(addsuffix .py,\
	calibrate_files closed_forms config control_variates correlation costs estimate history imports ledger model objective own_code report runtime \
	statistics))

.PHONY: run quick test lint types unit campaign bench bench-torch bench-pfhedge notebooks docs setup constraints clean

run: setup-core
	$(PY) experiments/study.py

# Before a commit: lint, types and the quick tests, in under two minutes on two cores.
quick: $(READY)
	$(MAKE) --no-print-directory -j2 lint types unit-quick

.PHONY: unit-quick
unit-quick: $(READY)
	$(PY) -m pytest -n 2 --dist worksteal $(QUICK)

# Types are checked while the tests run: together they take less time than one after the other.
test: $(READY)
	$(MAKE) --no-print-directory -j2 lint types unit

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(READY)
	$(PY) -m mypy

unit: $(READY)
	$(PY) -m pytest -n 2 --dist worksteal

campaign: $(READY)
	$(PY) -m pytest -m slow

# A peer that cannot be installed is left out, and the benchmark says so.
bench: $(VENV)/.ready-peers bench-torch bench-pfhedge
	$(PY) experiments/benchmark.py

# Not among the constraints: PyTorch pins CUDA packages of its own, which need not be JAX's.
bench-torch: $(VENV)/.ready-peers
	$(PY) -c "import torch" 2>/dev/null || $(PY) -m pip install -q --disable-pip-version-check torch==2.13.0 || echo "PyTorch could not be installed"

bench-pfhedge:
	test -x $(PFHEDGE)/bin/python || $(PYTHON) -m venv $(PFHEDGE)
	test -f $(PFHEDGE)/.ready || { $(PFHEDGE)/bin/python -m pip install -q --disable-pip-version-check -r experiments/peers/pfhedge.txt \
		2> $(PFHEDGE)/install.log && touch $(PFHEDGE)/.ready; } || echo "pfhedge could not be installed"

notebooks: $(READY)
	$(PY) notebooks/make.py

# Pages of every public function and class; a warning of what reads the docstrings ends it. Types are shown by the names that code has for them.
docs: $(VENV)/.ready-docs
	$(PY) -W error::UserWarning -m pdoc --docformat google --no-show-source -o build/docs mcengine
	find build/docs -type f -exec sed -E -i.bak "s/(typing\.)?Annotated\[(typing\.)?Any, &lt;class &#(x27|39);float&#(x27|39);&gt;\]/Scalar/g" {} +
	find build/docs -name '*.bak' -delete

setup: $(READY)

.PHONY: setup-core
setup-core: $(VENV)/.ready-core

$(VENV)/.ready-core: pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[report]'
	touch $@

$(VENV)/.ready-%: pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[$*]'
	touch $(VENV)/.ready-core $@

# Needs uv. No index or host is written: the file is the same wherever packages come from.
constraints:
	uv pip compile pyproject.toml --extra dev --extra notebooks --extra report --extra docs --extra parquet --extra peers \
		--extra search --extra joblib --extra slurm --extra cuda12 --extra cuda13 \
		--universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url -q -o constraints.txt

clean:
	rm -rf $(VENV) $(PFHEDGE) build outputs multirun .pytest_cache .mypy_cache .ruff_cache .hypothesis
