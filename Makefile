# Two commands are the whole set-up: `make all` regenerates the default experiment, `make test` checks everything.
PYTHON ?= python3.11
CORES ?= $(shell nproc)
VENV := .venv
BIN := $(VENV)/bin
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
TEX := latexmk texlive-latex-base texlive-latex-recommended lmodern

.PHONY: all test env dev tex lint benchmark clean

all: env tex
	$(RUN) snakemake --cores $(CORES) all

test: dev tex lint
	$(RUN) OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile

env: $(VENV)/run.stamp

dev: $(VENV)/dev.stamp

# The environment: exact pins, and this package in place.
$(VENV)/run.stamp: requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing: install Python 3.11 or run 'make PYTHON=path/to/python3.11'"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(MAKE) --no-print-directory apt PACKAGES=python3.11-venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

# Tests and benchmarks need more: linters and the tools that we compare with.
$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

tex:
	@command -v latexmk >/dev/null || $(MAKE) --no-print-directory apt PACKAGES="$(TEX)"

# Debian packages, when we may install them; else say which ones.
.PHONY: apt
apt:
	@[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "error: please install: $(PACKAGES) (on Debian: sudo apt-get install $(PACKAGES))"; exit 1; }
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(PACKAGES)

lint: dev
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) snakefmt --check Snakefile workflow
	$(RUN) snakemake --lint

benchmark: dev
	for program in benchmarks/*.py; do $(BIN)/python $$program; done

clean:
	rm -rf results .snakemake
