# graphjobs: everything that is run by hand or by CI. A fresh machine needs Python >= 3.11 and nothing else
# (Node 20 or newer for synth and deploy-local).
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3

# Bytecode is kept: where this is set, each of the many processes below would compile all its modules anew.
unexport PYTHONDONTWRITEBYTECODE

# uv, where there is none: in a folder of the project's own.
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
RUN := $(UV) run --no-sync --quiet

.PHONY: help
help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.tools/bin/uv:
	@echo "==> Installing uv into .tools (once)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "graphjobs needs Python 3.11 or newer; set PYTHON=...")'
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"

# Only after a change of the lock, and without removing anything: the packages of a project stay (`make install PROJECT=`).
.venv/installed: uv.lock pyproject.toml | $(if $(findstring .tools,$(UV)),.tools/bin/uv)
	@echo "==> Installing the packages of uv.lock into .venv (a minute the first time)"
	@$(UV) sync --frozen --inexact --quiet
	@touch $@
	@echo "==> Installed"

.PHONY: install
install: .venv/installed ## install everything from the lock file (PROJECT=: a project's packages too, for `graphjobs local`)
	@$(if $(PROJECT),$(RUN) graphjobs install $(PROJECT))

.PHONY: demo
demo: install ## an answer followed live, cut, resumed; a person asked; no cloud, no key
	@$(RUN) python -m graphjobs.cli.demo

# Twice as many processes as a small machine has cores: those that have instances of their own mostly wait for them.
.PHONY: test
test: install ## all tests that CI runs
	@echo "==> Running the tests"
	@$(RUN) pytest -n 4 --dist worksteal -m 'not chaos and not browser and not deployed and not variants' $(TESTS)

# In an environment of its own. Where there is no such interpreter, and uv can get none, it says so and passes.
.PHONY: test-deployed-python
test-deployed-python: install ## the unit tests on the Python that Lambda runs
	@$(RUN) python -m tests.deployed_python $(TESTS)

.PHONY: chaos
chaos: install ## 200 jobs while every process is killed, stopped and woken at random (JOBS=, SEED=)
	@GRAPHJOBS_CHAOS_JOBS=$(or $(JOBS),200) GRAPHJOBS_CHAOS_SEED=$(or $(SEED),0) $(RUN) pytest -s -m chaos tests/chaos
	@GRAPHJOBS_APPROVALS=100 $(RUN) pytest tests/e2e/test_conversations.py

.PHONY: mutants
mutants: install ## the test of the tests: the model must find each defect that is put into the code
	@$(RUN) pytest -n 2 -m mutants tests/model

.PHONY: browser
browser: install ## the README's browser snippet in Chromium (which must be installed)
	@$(UV) sync --frozen --inexact --quiet --group browser
	@$(RUN) pytest -m browser tests/browser

.PHONY: compat
compat: install ## public LangGraph projects, run as they are, their models played here (PROJECTS=: checkouts; NAMES=)
	@$(RUN) python -m compat $(if $(PROJECTS),--from $(PROJECTS)) $(NAMES)

.PHONY: lint
lint: install ## ruff, format check, mypy strict
	@echo "==> ruff check"
	@$(RUN) ruff check .
	@echo "==> ruff format --check"
	@$(RUN) ruff format --check .
	@echo "==> mypy --strict"
	@$(RUN) mypy

node_modules/.bin/cdk: package-lock.json
	@echo "==> Installing the CDK command line (needs Node 20 or newer)"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: synth
synth: install node_modules/.bin/cdk ## the CloudFormation template, with real bundles, checked by cdk-nag and cfn-lint
	@echo "==> cdk synth"
	@$(RUN) node_modules/.bin/cdk synth --quiet --no-notices
	@echo "==> cfn-lint"
	@$(RUN) cfn-lint --ignore-checks W3005 --non-zero-exit-code error cdk.out/*.template.json
	@echo "==> Every kind of deployment"
	@$(RUN) pytest -m variants tests/infra/test_variants.py
	@echo "==> The template is in cdk.out"

.PHONY: deploy-local
deploy-local: install ## cdk deploy to an emulator on this machine, acceptance tests there, cdk destroy
	@$(RUN) pytest -s -m deployed tests/deployed

.PHONY: smoke
smoke: install ## the acceptance tests against a deployed stack: make smoke STACK=graphjobs-dev
	@$(RUN) python -m deploy.smoke $(STACK)

BENCHMARKS := imports cold_start overhead fan_out latency replay cost streams
.PHONY: bench
bench: install ## what is measured, side by side: make bench, or make bench BENCHMARKS=replay
	@for name in $(BENCHMARKS); do $(RUN) python -m benchmarks.$$name || exit 1; done

.PHONY: local
local: install ## keep everything running on this machine
	@$(RUN) graphjobs local --config examples/starter/langgraph.json
