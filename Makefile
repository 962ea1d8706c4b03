# Two commands: `make run` answers calls, `make test` proves it.
.PHONY: run setup setup-dev test quick coverage lint explore bench demo drawings wheel

VENV := .venv/bin

run: setup
	$(VENV)/ivr up

setup:
	@tools/setup.sh

setup-dev:
	@tools/setup.sh dev

test: lint
	$(VENV)/python -m pytest -n 3 --dist loadfile

# For who changes the code: an answer within a minute, at the first fault; examples made up by Hypothesis are for `make test`.
quick: lint
	$(VENV)/python -m pytest -n 2 --dist loadfile -x -q --durations 0 --durations-min 5 -m "not slow and not hypothesis" tests/unit tests/wire

# Which lines no test of a decision, a wire or a database runs; the tests with a real Asterisk run the engine in processes of its own.
coverage: setup-dev
	$(VENV)/python -m pytest -n 2 --dist loadfile -q --durations 0 --durations-min 30 --cov --cov-report=term tests/unit tests/wire tests/store

lint: setup-dev
	$(VENV)/ruff format --check --quiet .
	$(VENV)/ruff check --quiet .
	$(VENV)/mypy --no-error-summary
	$(VENV)/lint-imports >/dev/null || $(VENV)/lint-imports
	$(VENV)/python -m tools.lint.chinese_punctuation

explore: setup-dev
	$(VENV)/python -m pytest -n 2 --hypothesis-profile explore tests/unit tests/store tests/wire

bench: setup-dev
	$(VENV)/python -m tools.bench

demo: setup-dev
	$(VENV)/python -m tools.demo

# What documents show of the code, drawn from it again: states, events, the house, the schemas of the files.
drawings: setup-dev
	$(VENV)/python -m tools.draw_states
	$(VENV)/python -m tools.event_catalogue
	$(VENV)/python -m tools.architecture
	$(VENV)/python -m tools.config_schema

# All a city needs to install without a checkout: the wheel, made from the source distribution, and the lock of what it needs.
wheel: setup-dev
	rm -rf dist
	$(VENV)/python -m build --no-isolation --outdir dist .
	cp requirements.lock dist/
