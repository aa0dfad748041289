# What a person types. Everything can be repeated; only the first time takes long.
.PHONY: help setup setup-dev env run demo test lint check bench chaos
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 16

setup: ## a .venv with the pinned packages; installs again only when requirements.txt has changed
	@$(call install,requirements.txt)
	@$(call compile,tasks_app/csv_files/scan_block)

setup-dev: setup ## the same with what tests and checks need
	@$(call install,requirements-dev.txt)

env: setup ## the variables of this installation as KEY=VALUE lines (migrates the database)
	@$(BIN)/python manage.py print_environment

run: setup ## web, worker and beat in the foreground; Ctrl-C ends them
	@exec $(BIN)/python manage.py serve --end-with-parent

demo: setup ## 10,000 real rows through a server of its own, in under a minute
	@exec $(BIN)/python manage.py demo

test: setup-dev ## all tests: on the embedded default, and on real servers wherever they are found
	@exec $(BIN)/python -m tests.matrix

lint: setup-dev ## format, lint, types, imports, migrations, Django's checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check --fail-level WARNING

check: lint test ## what a commit has to pass: lint and all tests

bench: setup-dev ## the benchmarks
	@exec $(BIN)/python -m benchmarks

chaos: setup-dev ## breaks everything that can break, then reconciles every row; writes docs/reliability.md's table
	@exec $(BIN)/python -m tests.acceptance.chaos --write

# $(call install,FILE): the packages of FILE into .venv, unless they are there. What is said goes to
# stderr, so that `make -s env` can be read by a program.
define install
	if [ ! -x $(BIN)/python ] || ! cmp -s $(1) .venv/$(1); then \
		{ $(usable_python) && $(working_venv) \
		&& echo "Installing $(1) into .venv; the first time takes about a minute" \
		&& $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(1) \
		&& cp $(1) .venv/$(1); } >&2 || exit 1; \
	fi
endef

# $(call compile,NAME): the library NAME.so from NAME.c, where there is a C compiler; it is not needed,
# but uploads are scanned at a tenth of the speed without it.
define compile
	if [ ! $(1).so -nt $(1).c ]; then \
		{ command -v $(CC) >/dev/null && $(CC) -O3 -shared -fPIC -o $(1).new $(1).c && mv $(1).new $(1).so; } >&2 \
		|| [ -e .venv/uncompiled ] || { touch .venv/uncompiled; \
			echo "No C compiler ($(CC)) that works: uploads are scanned at a tenth of the speed. docs/deploying.md says more" >&2; }; \
	fi
endef

define usable_python
	{ $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Piston Tasks needs Python 3.11 or newer as $(PYTHON). Another one: make setup PYTHON=python3.12"; false; }; }
endef

define working_venv
	{ $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv \
		|| { echo "Python's venv module does not work. On Debian and Ubuntu: apt-get install python3-venv"; false; }; }
endef
