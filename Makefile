# Thin on purpose: every target is one npm or rosh command.
.PHONY: help fix check test up down logs migrate seed chaos webhook-demo sync-demo demo obs-up obs-down dbt-run dbt-test dbt-docs console
.DEFAULT_GOAL := help

ORDER ?= ML-12345
SIMULATOR ?= paris-mock
TIMES ?= 20

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

fix: ## format the sources
	npm run format

check: ## format, lint, types, boundaries, unused code, generated files
	npm run check

test: ## all tests
	npm test

up: ## start what the configuration asks for; Ctrl-C or `make down` stops it
	node bin/rosh.js up

down: ## stop the hub of this home and everything it started; the data stays
	node bin/rosh.js down

logs: ## follow the log of the embedded PostgreSQL (the hub's own log stands in its terminal)
	tail -n 50 -f "$${ROSH_HOME:-.rosh}/postgres/postgres.log"

migrate: ## bring the database schema up to date
	node bin/rosh.js migrate

seed: ## fill the simulators of a running demo
	node bin/rosh.js seed

chaos: ## make a simulator answer its next orders with 503: SIMULATOR=paris-mock TIMES=20
	node bin/rosh.js chaos add $(SIMULATOR) status --path order --times $(TIMES)

webhook-demo: ## 500 webhooks at once, most of them copies, at a running demo
	node bin/rosh.js traffic --burst 500

sync-demo: ## why an order did not appear, its cause taken away at the simulator, and its repair: ORDER=ML-12345
	node bin/rosh.js diagnose $(ORDER)
	curl --fail --silent --show-error -X DELETE http://127.0.0.1:$${MELI_SIM_PORT:-9200}/admin/refuse-references -H 'x-admin-key: change-me'
	node bin/rosh.js retry $(ORDER)
	node bin/rosh.js trace $(ORDER)

demo: ## npm start: everything embedded, with a seeded Monday
	npm start

obs-up obs-down dbt-run dbt-test dbt-docs console:
	@echo "make $@: not part of this version (see docs/from-python.md)"; exit 1
