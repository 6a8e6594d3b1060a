# What a person runs is what CI runs. Needs Python 3.11 or later, make and gcc; nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

HF := .cache/venv-hf

.PHONY: demo test test-hf test-real check bench lock docs clean

demo: $(VENV)/installed
	$(BIN)/assay demo

test: $(VENV)/installed-dev
	$(BIN)/pytest -n 2

# Local weights: in an environment of their own, since torch is large. By pip, which takes a CPU build of
# this torch where there is one at hand.
test-hf: $(HF)/installed
	$(HF)/bin/python -m pytest tests/huggingface tests/loading/test_readers.py

# Real servers, built first if they are not there (needs a C++ compiler; some ten minutes and 2 GB in .cache/).
test-real: $(VENV)/installed-dev
	$(BIN)/python benchmarks/real_servers.py
	$(BIN)/pytest -n 0 --real tests/real

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/deptry src

bench: $(VENV)/installed-dev
	$(BIN)/python benchmarks/all.py

# The reference of the command line and of the emulator's faults, made from the code.
docs: $(VENV)/installed-dev
	$(BIN)/python docs/make.py

# Hashes, but no hosts: where packages come from is the machine's business.
lock: $(VENV)/installed-dev
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url \
	    --no-header --quiet --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url \
	    --no-header --quiet --output-file requirements-dev.lock

$(VENV)/installed: requirements.lock pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

$(VENV)/installed-dev: requirements-dev.lock $(VENV)/installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	touch $@

$(HF)/installed: Makefile pyproject.toml
	$(PYTHON) -m venv $(HF)
	$(HF)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(HF)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.23.0 \
	    peft==0.21.2 tokenizers==0.23.3 datasets==5.2.0 jinja2 pytest pytest-asyncio pytest-timeout --editable .
	touch $@

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis .import_linter_cache
