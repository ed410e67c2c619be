# Needs Python 3.11 or newer and make; everything else goes into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
BIN := .venv/bin
# Options for every test run, such as PYTEST="-x -k plans".
PYTEST ?= -n auto --dist worksteal
# make lock UPGRADE=--upgrade takes the newest versions; without it, pins stay where they fit.
UPGRADE ?=
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command 'make lock' $(UPGRADE)
TEMPLATES = find templates -name '*.html' -print0
NEED_PYTHON = test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and none is on PATH." \
	"Name one: make PYTHON=/path/to/python3 …" >&2; exit 1; }
export PYTHONUNBUFFERED := 1
# Images of containers often forbid these caches; then each process compiles all it imports again,
# which is a third of what a short test run costs.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := check
.PHONY: setup setup-demo lock demo demo-stop demo-reset test test-sqlite test-postgres e2e quick fuzz \
	check bench bench-push bench-sweep bench-pages bench-jobs bench-rest \
	bench-faults fix clean

setup:  ## .venv with everything that development needs
	@$(NEED_PYTHON)
	@"$(PYTHON)" deploy/demo/bootstrap.py dev

setup-demo:  ## .venv with what `make demo` needs; keeps a development .venv as it is
	@$(NEED_PYTHON)
	@"$(PYTHON)" deploy/demo/bootstrap.py demo

lock: setup  ## pins and hashes from pyproject.toml
	$(COMPILE) pyproject.toml --group dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml --group demo -c requirements/dev.txt -o requirements/demo.txt
	$(COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/base.txt
	$(COMPILE) requirements/uv.in -o requirements/uv.txt

demo: setup-demo  ## the whole stack with sample data; Ctrl-C stops it
	@exec $(BIN)/python -m deploy.demo up

demo-stop: setup-demo  ## stop a demo that runs elsewhere, or what a killed one left
	@$(BIN)/python -m deploy.demo stop

demo-reset: setup-demo  ## stop it and delete its data
	@$(BIN)/python -m deploy.demo reset

test: setup  ## everything: all three parts run, the names of what failed come last
	@$(BIN)/python -m tests.run_parts "$(MAKE)" test-sqlite test-postgres e2e

quick: setup  ## what needs no server, while you work
	$(BIN)/pytest --quick -rfE $(PYTEST)

fuzz: setup  ## fuzz tests alone, at large: 10,000 mutations of what each reader reads
	$(BIN)/pytest --fuzz --override-ini faulthandler_timeout=7200 --timeout=3600 $(PYTEST)

test-sqlite: setup
	$(BIN)/pytest $(PYTEST)

test-postgres: setup  ## the tests that use the database, on PostgreSQL
	$(BIN)/python -m tests.with_postgres $(BIN)/pytest --only-database --reuse-db $(PYTEST)

e2e: setup  ## browser tests
	@browser=$$($(BIN)/python -m tests.e2e.browser) && \
	CHROMIUM="$$browser" $(BIN)/pytest --override-ini addopts='-ra --strict-markers' \
		--override-ini faulthandler_timeout=1200 --timeout=900 tests/e2e

check: setup  ## format, lint, types, layers, templates, migrations, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(TEMPLATES) | xargs -0 -r $(BIN)/djade --check
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/python manage.py check
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/pytest tests/architecture

bench: bench-push bench-sweep bench-pages bench-jobs bench-rest bench-faults  ## every figure, one JSON line each

bench-push bench-sweep bench-pages bench-jobs bench-rest bench-faults: setup
	@$(BIN)/python -m tests.bench $(@:bench-%=%)

fix: setup  ## what the tools can mend by themselves
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(TEMPLATES) | xargs -0 -r $(BIN)/djade

clean:  ## caches and build products; not .venv, not the demo's data
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov \
		staticfiles screenshots bench-results
	find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 -r rm -rf
