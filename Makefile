# Everything is in launcher/, so that a machine without make can do the same: python3 -m launcher <command>
PYTHON ?= python3

.PHONY: run setup test check lint fmt docs frontend lock manage help
.DEFAULT_GOAL := help

run setup check lint fmt docs frontend lock help: ## see `make help`
	@$(PYTHON) -m launcher $@

test: ## T='tests/engine -x' runs those alone
	@$(PYTHON) -m launcher test $(T)

manage: ## C='migrate --plan'
	@$(PYTHON) -m launcher manage $(C)
