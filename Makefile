# Everything runs in .venv, which the first command makes. CPU build of PyTorch: see README.
PYTHON ?= python3
BIN := .venv/bin

# Of `make weights`: the release recipe takes one H100, 16 cores and half an hour.
RECIPE ?= release
TIME ?= 25m
INIT ?= # weights to go on from, instead of ImageNet's
UNLABELLED ?= # images without outlines to learn from as well, with INIT
DEVICE ?= cuda
RUN ?= runs/$(basename $(notdir $(RECIPE)))
WEIGHTS ?= src/irnet/weights/irnet.safetensors

.PHONY: demo test check docs dist pictures weights viewer clean

demo: .venv/installed
	$(BIN)/irnet demo -o demo

test: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_page.py

docs: .venv/installed-dev # build/site/index.html; a broken link or anchor is an error
	$(BIN)/python -m sphinx -q -W --keep-going -c docs -d build/doctrees . build/site

dist: .venv/installed-dev # what docs/releasing.md publishes, checked
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*
	.ci/check-dist $(BIN)/python dist

pictures: .venv/installed-dev # docs/images, after a change in what they show; needs Chromium
	$(BIN)/python benchmarks/pictures.py

weights: .venv/installed # needs the extra imagenet; where it was stopped, it goes on
	$(BIN)/python -m irnet train generated -o $(RUN) --recipe $(RECIPE) --time $(TIME) --device $(DEVICE) $(if $(INIT),--init $(INIT)) $(if $(UNLABELLED),--unlabelled $(UNLABELLED)) --resume
	$(BIN)/python -m irnet.verbs.release $(RUN) $(RECIPE) $(WEIGHTS)

viewer: # the built page is committed: this needs Node.js only where viewer/ was changed
	cd viewer && npm ci --ignore-scripts --no-audit --no-fund && npm run check && npm run build

clean:
	rm -rf .venv demo build dist viewer/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("irnet needs Python 3.11 or newer") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv .venv || { echo "The venv module is missing: apt-get install python3-venv"; exit 1; }

.venv/installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@
