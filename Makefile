# DeepLab from data to report. `make help` lists the targets.
#
# Every experiment is a target, and so is each of its stages: `make voc_largefov`, `make voc_largefov.train`.
# Flags of the deeplab command go into ARGS: make voc_largefov ARGS="--gpu 0".

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAGES := data prototxt train train2 test search crf evaluate report

.DEFAULT_GOAL := help
.PHONY: help setup lint test test-newest test-oldest demo list voc_data conformance fuzz prototxt bench bench_peers bench_gpu docs vscode clean
.SUFFIXES:

help:  ## list the targets
	@grep -hE '^[a-z_-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo "  make NAME_data      build a data set in data/: $(DATA_SETS)"
	@echo "  make voc_largefov   any model on any data set, as <data set>_<model>; make list shows them"
	@echo "  stages of demo and of every model, as in make demo.train: $(STAGES)"

# -- set-up

setup: $(VENV)/.installed pydensecrf  ## make .venv and install the package with pinned dependencies

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v < (3, 15) else \
	  f"Python {v[0]}.{v[1]} is not supported: 3.10 to 3.14 is wanted; say make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# Optional: only to compare the built-in CRF with it. It has no wheels, so it needs a C++ compiler.
.PHONY: pydensecrf
pydensecrf: $(VENV)/.installed
	@$(BIN)/python -c 'import pydensecrf.densecrf' 2>/dev/null \
	  || $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt pydensecrf2 >$(VENV)/pydensecrf.log 2>&1 \
	  && $(BIN)/python -c 'import pydensecrf.densecrf' 2>/dev/null \
	  || echo "pydensecrf could not be built here (log: $(VENV)/pydensecrf.log); everything works on the built-in CRF."

lint: $(VENV)/.installed  ## check style and types (ruff, mypy)
	$(BIN)/ruff check
	$(BIN)/mypy

# A process for each processor, but four at most, for the memory; each computes with one thread. What is compiled is
# kept, because tests start Python hundreds of times.
IN_PARALLEL = -n auto --maxprocesses 4 --dist worksteal
test test-newest test-oldest: export OMP_NUM_THREADS ?= 1
test test-newest test-oldest: export PYTHONDONTWRITEBYTECODE =

test: $(VENV)/.installed  ## run the tests
	$(BIN)/pytest $(IN_PARALLEL)

# Environments of their own, beside $(VENV), with the newest and the oldest versions that pyproject.toml allows:
#   make test-newest PYTHON=python3.14 TESTS=tests/formats WITH="torch==2.13.0+cpu"
# The oldest PyTorch and numpy have wheels for Python 3.10 to 3.12.
test-newest:  ## run the tests with the newest versions of all dependencies, in .venv-newest
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/pip install --quiet --disable-pip-version-check --upgrade -e '.[dev]' $(WITH)
	.venv-newest/bin/pip list --disable-pip-version-check
	.venv-newest/bin/pytest $(IN_PARALLEL) $(TESTS)

test-oldest:  ## run the tests with the lower bounds of pyproject.toml, in .venv-oldest
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install --quiet --disable-pip-version-check tomli
	.venv-oldest/bin/python .ci/lower_bounds.py pyproject.toml > .venv-oldest/bounds.txt
	.venv-oldest/bin/pip install --quiet --disable-pip-version-check -c .venv-oldest/bounds.txt -e '.[dev]' $(WITH)
	.venv-oldest/bin/pip list --disable-pip-version-check
	.venv-oldest/bin/pytest $(IN_PARALLEL) $(TESTS)

# -- experiments

# make demo                                        the synthetic sample
# make demo DATA=datasets/camvid.toml EXP=exper/x  any data set that a TOML file describes
# make demo QUICK=1                                as short as it can be
DEMO = demo $(if $(DATA),--data "$(DATA)") $(if $(EXP),--exp "$(EXP)") $(if $(QUICK),--quick) $(ARGS)

demo: $(VENV)/.installed  ## train, refine, evaluate and report on a synthetic sample, or on DATA=<toml>
	@$(BIN)/deeplab all $(DEMO)

demo.%: $(VENV)/.installed
	@$(BIN)/deeplab $* $(DEMO)

# <data set>_<model> for every data set of datasets/ (voc is voc12), and a stage of it after a dot:
#   make voc_aspp_l    make cityscapes_resnet101_aspp.train
#   make voc_largefov DATA=data/synthetic/dataset.toml    the same model on other data
OTHER = $(if $(DATA),--data "$(DATA)") $(if $(EXP),--exp "$(EXP)")
define EXPERIMENTS
$(1)_%: $(VENV)/.installed
	@$(BIN)/deeplab $$(or $$(patsubst .%,%,$$(suffix $$@)),all) $$(basename $$@) $$(OTHER) $$(ARGS)
endef
$(foreach name,voc $(patsubst datasets/%.toml,%,$(wildcard datasets/*.toml)),$(eval $(call EXPERIMENTS,$(name))))

# a data set that is not there: the command names the nearest targets
.DEFAULT:
	@case "$@" in *_*) $(BIN)/deeplab all "$(basename $@)" $(ARGS); exit;; esac; \
	  echo "make: there is no target '$@': make help lists them" >&2; exit 2

list: $(VENV)/.installed  ## show every model: parameters, field of view, published score, data sets
	@$(BIN)/deeplab list

voc_data: $(VENV)/.installed  ## fetch PASCAL VOC 2012 and SBD's labels into data/ (3.4 GB); write the lists
	@$(BIN)/deeplab dataset voc12 $(ARGS)

# make cityscapes_data: any data set that `deeplab dataset` builds
DATA_SETS := pascal_context person_part cityscapes cityscapes_half coco coco80
.PHONY: $(DATA_SETS:%=%_data)
$(DATA_SETS:%=%_data): %_data: $(VENV)/.installed
	@$(BIN)/deeplab dataset $* $(ARGS)

conformance: $(VENV)/.installed  ## compare every layer with recordings of a C++ Caffe; writes docs/conformance.md
	@PYTHONPATH=tests $(BIN)/python tests/recordings.py

docs: $(VENV)/.docs  ## write the generated pages of docs/ again, and build the documentation as a site in site/
	@$(BIN)/deeplab list --markdown docs/models.md
	@$(BIN)/deeplab ledger
	@PYTHONPATH=tests $(BIN)/python tests/lint_rules_page.py
	@PYTHONPATH=tests $(BIN)/python tests/foreign_fields_page.py
	@PYTHONPATH=tests $(BIN)/python tests/layer_types_page.py
	@$(BIN)/python docs/mkdocs/command_line_page.py
	@$(BIN)/python docs/mkdocs/python_api_page.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "site/index.html is the start page; $(BIN)/mkdocs serve shows it with search"

# not part of the set-up: it would take half as long again
$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

vscode:  ## package the extension for VS Code, editors/vscode/prototxt.vsix; needs Node.js
	@cd editors/vscode && npm ci --silent && npm run --silent package

fuzz: $(VENV)/.installed  ## read thousands of damaged files with every reader: each must be read or refused
	@$(BIN)/python tests/fuzz.py

prototxt: $(VENV)/.installed  ## write the nets in prototxt/ again (hand-edited files stay, unless FORCE=1), and all sums
	@$(BIN)/deeplab prototxt all --refresh
	@$(BIN)/deeplab list --markdown docs/models.md
	@$(BIN)/deeplab ledger

bench: $(VENV)/.installed  ## run the benchmarks against their peers, those that are installed
	@for name in load data startup editor crf python_layers forward opencv_dnn train; do echo "== $$name"; PYTHONPATH=tests $(BIN)/python bench/$$name.py || exit 1; done

bench_peers: $(VENV)/.installed  ## install onnxruntime, OpenVINO and ncnn, to be measured against
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'

bench_gpu: $(VENV)/.installed  ## all that is measured on a CUDA device, in ten minutes; figures into gpu.json
	$(BIN)/python bench/gpu.py --json gpu.json

clean:  ## remove the virtual environment and caches, not data or experiments
	rm -rf site $(VENV) .venv-newest .venv-oldest .pytest_cache .mypy_cache .ruff_cache
	find python tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
