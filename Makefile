# The two commands of this project, and a few shorter ones. `make` alone lists them.

CARGO ?= cargo
# KEEP=1: the demo's pages stay open until Ctrl-C.
KEEP ?=
# Further options of the demo, as in: make demo ARGS='--json'
ARGS ?=

SETUP := loadtest/stage/install-servers.sh
# Cargo itself reads CARGO_TARGET_DIR.
LOADTEST := $(or $(CARGO_TARGET_DIR),target)/release/doorbuster-loadtest

# An engine with crash points and planted bugs, beside the one that is shipped.
# Of the whole workspace, as tests are: dependencies have the same features then, and are built once for all.
PACKAGES := --release --workspace --exclude doorbuster-benches
DRILL_ENGINE_FEATURES := --features doorbuster-engine/crash-points,doorbuster-engine/planted-bugs
DRILL_ENGINE := $(CARGO) build $(PACKAGES) $(DRILL_ENGINE_FEATURES) --bin doorbuster-engine-drill
# And a back-office with crash points. Each is a build of its own, so that features of one do not reach the other.
DRILL_BACKOFFICE_FEATURES := --features doorbuster-backoffice/crash-points
DRILL_BACKOFFICE := $(CARGO) build $(PACKAGES) $(DRILL_BACKOFFICE_FEATURES) --bin doorbuster-backoffice-drill
# Tests build the back-office unoptimised, which saves minutes of compiling; everything else is built as it is shipped.
TESTS := --config 'profile.release.package.doorbuster-backoffice.opt-level=0'
# Most tests wait, for processes and for time to pass, so one more than this machine has cores run at once.
export RUST_TEST_THREADS ?= $(shell expr $$(nproc) + 1)

.DEFAULT_GOAL := help
.PHONY: help demo test bench drill drill-long drill-programs build setup fmt lint

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup build ## install what is missing, build, start private servers, sell to a rush, audit, write a report; KEEP=1 leaves the pages open
	$(LOADTEST) demo $(if $(KEEP),--keep) $(ARGS)

test: ## install what is missing, then format, lints and all tests; leaves nothing behind
	$(SETUP) fmt clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	$(CARGO) clippy --release --workspace $(DRILL_ENGINE_FEATURES) $(DRILL_BACKOFFICE_FEATURES) --bins -- -D warnings
	$(CARGO) test $(PACKAGES) $(TESTS) --no-run
	$(DRILL_ENGINE) $(TESTS)
	$(DRILL_BACKOFFICE) $(TESTS)
	$(CARGO) test $(PACKAGES) $(TESTS)

bench: setup build ## the parts (times, then instructions if valgrind is there), the goals, and the other ways to sell; half an hour
	$(CARGO) bench --workspace --bench path
	engine/benches/count.sh
	$(LOADTEST) bench $(ARGS)

drill: setup drill-programs ## break real processes under load, one fault after the other, then several at once; twenty minutes
	$(LOADTEST) drill --all $(ARGS)

drill-long: setup drill-programs ## as many kills, power cuts and acknowledgements as RELIABILITY.md tells of; an hour and a half
	$(LOADTEST) drill --documented --json $(ARGS)

drill-programs: build ## build what drills need beside the three programs: an engine and a back-office with crash points, and planted bugs
	$(DRILL_ENGINE)
	$(DRILL_BACKOFFICE)

build: ## build the three programs into target/release
	$(CARGO) build $(PACKAGES) --bins

setup: ## install redis-server and mariadb-server where they are missing
	$(SETUP)

fmt: ## format all Rust code
	$(CARGO) fmt --all

lint: ## what `make test` checks before it compiles the tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
