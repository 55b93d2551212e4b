# What a newcomer types. Everything else is in CONTRIBUTING.md.

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
BINARY := $(TARGET)/release/shieldops
DATA   ?= ./data
LISTEN ?= 127.0.0.1:8420
NODE   := $(shell command -v node)

.PHONY: help build dashboard run test e2e prove fuzz soak

help:
	@echo "make run     set up, build, and serve the demo on http://$(LISTEN)"
	@echo "make test    set up, and run every test"
	@echo "make build   the dashboard and the release binary: $(BINARY)"
	@echo "make e2e     the browser's journey through the demo"
	@echo "make prove   the detection engine against its oracle, and every capability against its own undo"
	@echo "make fuzz    every fuzz target, MIN minutes each (2)"
	@echo "make soak    SECONDS of steady load (300), with memory sampled"

build: dashboard
	cargo build --release --locked -p shieldops
	@ls -lh $(BINARY)

ifeq ($(NODE),)
dashboard:
	@echo "No node here: the binary is built without the dashboard. Install Node 20.19 or newer and npm 11 for it."
else
dashboard: dashboard/dist/index.html

dashboard/dist/index.html: $(shell find dashboard/src dashboard/public dashboard/scripts -type f) $(wildcard dashboard/*.json dashboard/*.ts dashboard/index.html)
	scripts/npm-ci
	cd dashboard && npm run --silent build
endif

run:
	scripts/setup run
	$(MAKE) build
	$(BINARY) serve --data-dir $(DATA) --listen $(LISTEN) --demo

# The dashboard first: the binary embeds it, so building it later would build the binary twice.
test:
	scripts/setup test
	$(MAKE) dashboard
	scripts/test

e2e: dashboard
	cargo build --locked -p shieldops
	scripts/e2e $(TARGET)/debug/shieldops

# The long form of what `make test` does in short: every event of every recorded data set, the first 100,000 of each stream, and a million pairs; every capability in
# 10,000 random states, and KILLS processes killed for each.
KILLS ?= 500
prove:
	SHIELDOPS_PROVE=1 cargo test --release --locked -p shieldops-detect --test oracle -- --nocapture
	cargo build --release --locked -p shieldops
	$(BINARY) action prove --kills $(KILLS)

MIN ?= 2
fuzz:
	scripts/fuzz $(MIN) $(TARGETS)

SECONDS ?= 300
soak:
	cargo build --release --locked -p shieldops
	$(BINARY) bench soak --seconds $(SECONDS) --output json
