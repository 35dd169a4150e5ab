# make demo | make test      set up what is missing, then run
# make serve                 the service and its page on the simulated world, http://127.0.0.1:8000
#
# PYTHON=python3.12          another interpreter (3.11 or later) for the virtual environment
# PIP_EXTRA="..."            further options for pip, such as an extra index.  On Linux plain pip
#                            fetches PyTorch with CUDA, gigabytes of it; to get the CPU build, point
#                            pip at PyTorch's CPU index (its address: pytorch.org, "Get Started"):
#                            make install PIP_EXTRA="--extra-index-url ADDRESS"

PYTHON ?= python3
PIP_EXTRA ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo serve test lint types clean bench-envs

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "influpath needs Python 3.11 or later; name one: make PYTHON=python3.12")'
	@# A system's Python may come without ensurepip; its own pip then puts one into the environment.
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) \
	  || { $(PYTHON) -m venv --clear --without-pip $(VENV) \
	       && $(PYTHON) -m pip --python $(BIN)/python install pip; }
	$(BIN)/python -m pip install $(PIP_EXTRA) --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/influpath demo

serve: $(STAMP)
	$(BIN)/influpath serve

# Two processes of one thread each: as fast as two cores are, and figures are reproducible.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_OPTIONS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

# The libraries that `influpath bench` compares with; they want another numpy.
ENVS := benchmarks/envs

bench-envs: $(ENVS)/rectools/.installed $(ENVS)/recbole/.installed

$(ENVS)/%/.installed: benchmarks/%.txt
	$(PYTHON) -m venv $(ENVS)/$*
	$(ENVS)/$*/bin/python -m pip install $(PIP_EXTRA) --requirement $<
	@touch $@

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
