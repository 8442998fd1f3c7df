# Thin on purpose: every target is one npm or rosh command.
.PHONY: help fix check test up migrate seed demo
.DEFAULT_GOAL := help

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

fix: ## format the sources
	npm run format

check: ## format, lint, types, boundaries, unused code, generated files
	npm run check

test: ## all tests
	npm test

up: ## start what the configuration asks for; Ctrl-C stops it
	node bin/rosh.js up

migrate: ## bring the database schema up to date
	node bin/rosh.js migrate

seed: ## fill the simulators of a running demo
	node bin/rosh.js seed

demo: ## npm start: everything embedded, with a seeded Monday
	npm start
