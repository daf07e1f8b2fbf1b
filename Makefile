# Two commands for everybody: `make screen ARGS="--dopants Mg,Zr,Ta --x 0-0.25"` and `make test`.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed

.PHONY: screen test lint clean

# torch first and alone: its pin in constraints.txt decides which build everything else is resolved against
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt torch
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $(STAMP)

# a path is always right: `screen` alone may be GNU screen, and the environment need not be active
screen: $(STAMP)
	@$(VENV)/bin/screen $(ARGS); code=$$?; \
	echo "In this folder the program is $(VENV)/bin/screen; after 'source $(VENV)/bin/activate' it is screen."; exit $$code

# a process per core, whole files to each so that what a file's tests share is made once; for a debugger, ARGS="FILE -n 0"
test: $(STAMP)
	$(VENV)/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

clean:
	rm -rf $(VENV) build dist
