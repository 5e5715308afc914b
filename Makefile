# Two commands to know: `make demo` and `make test`. Each line is one a person could type.
# Needed beforehand: Rust (rustup), Node.js 20 or later, and apt where Chromium has to be installed for the tests.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test build sdk page lint rust-tests foreign-tests sdk-tests readme-tests browser-tests load-test

BIN := target/debug/countersign
LISTEN ?= 127.0.0.1:8080

help:
	@echo "make demo   build everything, start the server, print the address of the demo page"
	@echo "make test   check and test everything, in real Chromium too"

demo: build page
	$(BIN) --listen $(LISTEN) --web-root web-demo/dist

test: lint build rust-tests foreign-tests sdk-tests readme-tests browser-tests load-test
	@echo "all tests passed"

build:
	cargo build -p countersign-server --bin countersign

sdk:
	sdk-wasm/build.sh

page: sdk
	web-demo/build.sh

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	scripts/check-dependencies.sh

rust-tests:
	cargo test --workspace

foreign-tests: build
	node --test tests/foreign/

sdk-tests: sdk
	npm test --prefix sdk-wasm

readme-tests: build sdk
	node --test tests/readme/

browser-tests: build page
	scripts/ensure-chromium.sh
	npm ci --prefix tests/browser --no-audit --no-fund
	npm test --prefix tests/browser

load-test: build
	cargo build -p countersign-tests --bin load
	target/debug/load --idle 5000 --wallets 1000 --backends 64 --seconds 10
