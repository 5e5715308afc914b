# Four commands to know: `make demo`, `make cluster`, `make test` and `make bench`. Each line is one a person could type.
# Needed beforehand: Rust (rustup), Node.js 20 or later, and apt where browsers have to be installed for the tests.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo demo-server cluster cluster-programs test build tested-build sdk page lint lint-js rust-tests postgres-tests proxy-tests observing-tests otlp-tests backend-tests simulation foreign-tests sdk-tests client-tests-ts client-tests-python example-tests packaging-tests readme-tests openapi-tests openapi-fuzz generator-tests browser-tests cluster-browser-tests engine-tests sdk-bench-tests load-test reload-test outage-test chaos cluster-tests short-cluster-tests fuzz accepts deb deb-tests package-tests image image-tests manifest-tests release release-tests advisories bench sdk-bench sdk-bench-programs

BIN := target/debug/countersign
LISTEN ?= 127.0.0.1:8080
export CHROMIUM_BIN ?= /usr/bin/chromium
# What `make bench` does: everything, unless told otherwise, as in BENCH="--peers countersign,verify --seconds 3 --rounds 2".
BENCH ?= --write tests/bench
# Which surfaces `make fuzz` tries, and for how long each.
FUZZ ?= frames http websocket rows
FUZZ_SECONDS ?= 600
# And `make sdk-bench`, as in SDK_BENCH="--rounds 3 --milliseconds 100".
SDK_BENCH ?= --write

# Tools that run for seconds are built in less time than the best code would take.
TOOL_INSTALL := CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 cargo install --locked

# Packages of npm, unless they are there as the lock file has them.
define npm_ci
cd $(1) && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund; }
endef

help:
	@echo "make demo   build everything, start the server, print the address of the demo page"
	@echo "make cluster  the same with three servers on one PostgreSQL, behind a balancer"
	@echo "make test   check and test everything, in real browsers too"
	@echo "make bench  measure the server against what people would use instead; needs two idle cores"
	@echo "make sdk-bench  measure the npm package beside other libraries"

demo: demo-server page
	$(BIN) --listen $(LISTEN) --web-root web-demo/dist --data-dir target/demo-data --demo

# Nothing of it is a service of the system, and nothing is left when it ends. Looked for before anything is built.
cluster: cluster-programs page
	cargo build -p countersign-server -p countersign-tests --bin countersign --bin demo_cluster
	target/debug/demo_cluster --listen $(LISTEN)

cluster-programs:
	@PATH=$$PATH:/usr/local/bin; ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 && command -v caddy >/dev/null || \
		{ echo "make cluster needs PostgreSQL and Caddy: apt-get install postgresql caddy" >&2; exit 1; }

test: lint tested-build rust-tests postgres-tests proxy-tests observing-tests backend-tests simulation foreign-tests sdk-tests client-tests-ts client-tests-python example-tests packaging-tests readme-tests openapi-tests generator-tests browser-tests cluster-browser-tests engine-tests sdk-bench-tests load-test reload-test outage-test chaos short-cluster-tests deb-tests image-tests manifest-tests release-tests accepts
	@echo "all tests passed"

# The program as it is by default.
build:
	cargo build -p countersign-server --bin countersign

# The same without PostgreSQL, which the demo does not use: sixteen crates less. Beside it the tool that the page's build needs, unless there is one.
demo-server:
	cargo build -p countersign-server --no-default-features --features http --bin countersign \
		$$(sdk-wasm/build.sh --has-bindgen || echo -p countersign-bindgen --bin countersign-bindgen)

# The same selection of packages as the tests', so that nothing is compiled twice for other features.
tested-build:
	cargo build --workspace --exclude countersign-bench --bins

sdk:
	sdk-wasm/build.sh

page: sdk
	web-demo/build.sh

lint: lint-js
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	for features in "" postgres http; do cargo clippy -p countersign-server --no-default-features --features "$$features" -- -D warnings || exit; done
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	scripts/check-dependencies.sh
	if command -v cargo-deny >/dev/null; then cargo deny check licenses bans sources; fi

# `scripts/lint/node_modules/.bin/biome check --write` puts right what it can. The types are those of the built package, and of what
# the tests use.
lint-js: sdk
	clients/typescript/build.sh
	$(call npm_ci,scripts/lint)
	scripts/lint/node_modules/.bin/biome check --error-on-warnings
	for tests in browser engines manifests openapi packaging sdk-bench bench/peers; do ( $(call npm_ci,tests/$$tests) ) || exit; done
	$(call npm_ci,web-demo)
	for example in agent; do ( $(call npm_ci,examples/$$example) ) || exit; done
	for project in web-demo tests sdk-wasm/tests clients/typescript/tests examples/tests examples/agent; do sdk-wasm/node_modules/.bin/tsc -p $$project || exit; done

rust-tests: tested-build
	cargo test --workspace --exclude countersign-bench

# Both stores pass the same tests; those on PostgreSQL have one of their own, which is gone afterwards.
postgres-tests: tested-build
	scripts/ensure-program.sh pg_ctlcluster postgresql
	scripts/ensure-program.sh pgbouncer pgbouncer
	target/debug/with_postgres cargo test --workspace --exclude countersign-bench --lib postgres -- --ignored
	target/debug/with_postgres cargo test --workspace --exclude countersign-bench --test durable --test webhooks
	cargo test --workspace --exclude countersign-bench --test admin --test database_tokens --test postgres --test restore --test upgrade -- --ignored --skip servers_that_run_on
	target/debug/with_postgres cargo test --workspace --exclude countersign-bench --test cluster -- --ignored
	target/debug/outage --rounds 30 --database postgres

# The documented configurations of proxies in front of the real server.
proxy-tests: tested-build
	scripts/ensure-program.sh nginx nginx
	scripts/ensure-program.sh caddy caddy
	scripts/ensure-program.sh pg_ctlcluster postgresql
	scripts/ensure-program.sh jq jq
	cargo test --workspace --exclude countersign-bench --test proxies --test operating -- --ignored

# Metrics, alert rules and the dashboard, as Prometheus itself takes them, with both stores.
observing-tests: tested-build
	scripts/ensure-program.sh prometheus prometheus
	scripts/ensure-program.sh pg_ctlcluster postgresql
	cargo test --workspace --exclude countersign-bench --test observing -- --ignored
	target/debug/with_postgres cargo test --workspace --exclude countersign-bench --test observing -- --include-ignored

# A server with traces in a folder of its own, so that no other build compiles what that takes; and a collector of another project, from PyPI. Some
# minutes the first time, and no part of `make test`.
OTLP := target/otlp
otlp-tests: tested-build
	cargo clippy -p countersign-server --features otlp --all-targets --target-dir $(OTLP) -- -D warnings
	cargo test -p countersign-server --features otlp --lib --target-dir $(OTLP) traces
	cargo build -p countersign-server --features otlp --bins --target-dir $(OTLP)
	[ -x $(OTLP)/collector/bin/python ] || python3 -m venv $(OTLP)/collector
	$(OTLP)/collector/bin/pip install --quiet --require-virtualenv rotel==0.0.1a15
	COUNTERSIGN_OTLP_BIN=$(CURDIR)/$(OTLP)/debug/countersign \
	COUNTERSIGN_COLLECTOR=$$($(OTLP)/collector/bin/python -c 'import rotel, pathlib; print(pathlib.Path(rotel.__file__).parent / "rotel-agent")') \
	cargo test --workspace --exclude countersign-bench --test otlp -- --ignored

# `scripts/compare-backends.sh 1000000` takes longer and finds more.
backend-tests:
	scripts/compare-backends.sh

# Prints the command that runs a seed again where one has broken a promise. `make simulation SEEDS=100000` finds more.
SEEDS ?= 10000
simulation: tested-build
	target/debug/simulate --seeds $(SEEDS)

foreign-tests: tested-build
	node --test tests/foreign/

sdk-tests: tested-build sdk
	scripts/ensure-program.sh openssl openssl
	scripts/ensure-program.sh ssh-keygen openssh-client
	npm test --prefix sdk-wasm

# The client for backends: against the real server, and against servers that lie; packed, installed, and run wherever it claims to run.
client-tests-ts: tested-build
	$(call npm_ci,tests/packaging)
	clients/typescript/build.sh
	npm test --prefix clients/typescript

# Python's client for backends: linted, type-checked, against the real server and servers that lie; packed, installed, and its README run.
client-tests-python: tested-build
	scripts/ensure-program.sh python3 python3
	clients/python/test.sh

# Each example as its README runs it, with the packed clients.
example-tests: tested-build
	scripts/ensure-program.sh python3 python3
	clients/typescript/build.sh
	for example in agent; do ( $(call npm_ci,examples/$$example) ) || exit; done
	node --test examples/*/*.test.mjs
	examples/tests/test.sh

# The packed package, run wherever it claims to run. `node tests/packaging/run.mjs Next Deno` runs these two.
packaging-tests: tested-build page
	scripts/ensure-program.sh $(CHROMIUM_BIN) chromium fonts-dejavu-core
	$(call npm_ci,tests/browser)
	$(call npm_ci,tests/packaging)
	node tests/packaging/run.mjs

readme-tests: tested-build sdk
	node --test tests/readme/

# The description of the API, and a request's events as other projects' followers understand them.
OPENAPI_PYTHON := target/openapi/bin
openapi-tests: tested-build openapi-python
	$(call npm_ci,tests/openapi)
	COUNTERSIGN_PYTHON=$(CURDIR)/$(OPENAPI_PYTHON)/python npm test --prefix tests/openapi

# The same by chance, and more of it: `make openapi-fuzz SCHEMATHESIS="--max-examples 1000 --seed 7"`.
SCHEMATHESIS ?= --max-examples 500 --seed $$RANDOM
openapi-fuzz: tested-build openapi-python
	COUNTERSIGN_PYTHON=$(CURDIR)/$(OPENAPI_PYTHON)/python SCHEMATHESIS="$(SCHEMATHESIS)" npm run fuzz --prefix tests/openapi

.PHONY: openapi-python
openapi-python:
	scripts/ensure-program.sh python3 python3
	[ -x $(OPENAPI_PYTHON)/pip ] || python3 -m venv target/openapi || { scripts/ensure-package.sh python3-venv && python3 -m venv --clear target/openapi; }
	$(OPENAPI_PYTHON)/pip install --quiet --disable-pip-version-check -r tests/openapi/requirements.txt

# Clients are generated from the description, compiled, and ask with it.
GENERATORS := target/generators/venv
generator-tests: tested-build
	scripts/ensure-program.sh java default-jdk-headless
	scripts/ensure-program.sh javac default-jdk-headless
	scripts/ensure-program.sh go golang-go
	scripts/ensure-program.sh mcs mono-mcs
	scripts/ensure-program.sh mono mono-runtime
	scripts/ensure-package.sh golang-gopkg-validator.v2-dev libjakarta-annotation-api-java libnewtonsoft-json5.0-cil \
		libmono-system-net-http4.0-cil libmono-system-componentmodel-dataannotations4.0-cil libmono-system-web4.0-cil
	[ -x $(GENERATORS)/bin/pip ] || python3 -m venv $(GENERATORS) || { scripts/ensure-package.sh python3-venv && python3 -m venv --clear $(GENERATORS); }
	$(GENERATORS)/bin/pip install --quiet --disable-pip-version-check -r tests/openapi/programs/requirements.txt
	$(call npm_ci,tests/openapi)
	npm run generators --prefix tests/openapi

browser-tests: tested-build page
	scripts/ensure-program.sh $(CHROMIUM_BIN) chromium fonts-dejavu-core
	$(call npm_ci,tests/browser)
	npm test --prefix tests/browser

# The page behind the balancer, and its servers killed. Other faults of several servers need no browser, and are tested elsewhere.
cluster-browser-tests: tested-build page
	scripts/ensure-program.sh $(CHROMIUM_BIN) chromium fonts-dejavu-core
	scripts/ensure-program.sh pg_ctlcluster postgresql
	scripts/ensure-program.sh caddy caddy
	$(call npm_ci,tests/browser)
	cargo test --workspace --exclude countersign-bench --test demo_cluster -- --ignored
	COUNTERSIGN_CLUSTER_BIN=$(CURDIR)/target/debug/demo_cluster node --test tests/browser/cluster.test.mjs

# One table of cases in Chromium, Firefox and WebKitGTK: what a human was shown, and how the backend's requests ended.
engine-tests: tested-build sdk
	scripts/ensure-program.sh $(CHROMIUM_BIN) chromium
	scripts/ensure-program.sh chromedriver chromium-driver
	scripts/ensure-program.sh firefox-esr firefox-esr
	scripts/ensure-program.sh WebKitWebDriver webkit2gtk-driver python3-gi gir1.2-webkit2-4.1
	scripts/ensure-program.sh Xvfb xvfb
	$(call npm_ci,tests/browser)
	$(call npm_ci,tests/engines)
	npm test --prefix tests/engines

# What is compared does the same work; how fast is for `make sdk-bench`.
sdk-bench-tests: sdk sdk-bench-programs
	npm test --prefix tests/sdk-bench

reload-test: tested-build
	target/debug/reload --calls 1000

load-test: tested-build
	target/debug/load --idle 5000 --wallets 1000 --backends 64 --seconds 10

outage-test: tested-build
	target/debug/outage --rounds 100

# The real server in a bad world: a table of faults, and what honest wallets and backends noticed of each.
chaos: tested-build
	scripts/ensure-program.sh nginx nginx
	scripts/ensure-program.sh caddy caddy
	target/debug/chaos

# Three real servers on a real PostgreSQL, and what becomes of requests when any of them fails; `target/debug/cluster --help` explains the table.
cluster-tests: tested-build
	scripts/ensure-program.sh pg_ctlcluster postgresql
	target/debug/cluster

# The same, as far as it takes seconds.
short-cluster-tests: tested-build
	scripts/ensure-program.sh pg_ctlcluster postgresql
	target/debug/cluster --short

# What comes over a wire or lies on a disk, as libFuzzer finds it; `make test` has some inputs of its own. Needs nightly Rust and cargo-fuzz.
fuzz:
	cargo run -q -p countersign-tests --bin fuzz_seeds
	for target in $(FUZZ); do ( cd tests/fuzz && cargo +nightly fuzz run --fuzz-dir . $$target -- -max_total_time=$(FUZZ_SECONDS) ) || exit; done

# A figure, no test: how many share one fsync depends on the disk.
accepts: tested-build
	target/debug/accepts

# In target/debian. Built for this kind of processor and for the C library of this machine, or later ones.
deb: cargo-deb
	cargo deb -p countersign-server

.PHONY: cargo-deb
cargo-deb:
	command -v cargo-deb >/dev/null || $(TOOL_INSTALL) cargo-deb

# The package, with the program as it is tested, in a Debian of its own: installed, run, removed. Needs root.
DEBIAN_ROOT := target/debian-root.tar
deb-tests: tested-build
	scripts/ensure-program.sh lintian lintian
	scripts/ensure-program.sh mmdebstrap mmdebstrap
	scripts/ensure-program.sh systemd-analyze systemd
	$(MAKE) --jobs=2 cargo-deb $(DEBIAN_ROOT)
	install -D $(BIN) target/deb-tests/release/countersign
	CARGO_TARGET_DIR=target/deb-tests cargo deb -p countersign-server --no-build --fast -o target/deb-tests/countersign_tested.deb
	lintian --fail-on error,warning target/deb-tests/countersign_tested.deb
	COUNTERSIGN_DEB=$(CURDIR)/target/deb-tests/countersign_tested.deb COUNTERSIGN_DEBIAN_ROOT=$(CURDIR)/$(DEBIAN_ROOT) \
		cargo test --workspace --exclude countersign-bench --test debian -- --ignored

$(DEBIAN_ROOT):
	mmdebstrap --quiet --format=tar --variant=minbase --include=adduser,ca-certificates,systemd bookworm $@.part && mv $@.part $@

# In target/image, for any engine. Without shared libraries, so it needs no system around it.
MUSL := x86_64-unknown-linux-musl
image: image-programs
	cargo build --release --target $(MUSL) -p countersign-server --bin countersign
	scripts/build-image.sh target/$(MUSL)/release/countersign target/image/countersign.tar

.PHONY: image-programs
image-programs:
	scripts/ensure-program.sh musl-gcc musl-tools
	scripts/ensure-program.sh buildah buildah
	scripts/ensure-program.sh jq jq
	scripts/ensure-program.sh update-ca-certificates ca-certificates
	[ -d "$$(rustc --print sysroot)/lib/rustlib/$(MUSL)/lib" ] || rustup target add $(MUSL)

# The same without optimisation: what is in it, and its program served from it as an engine would. Needs root, and no engine.
image-tests: tested-build image-programs
	cargo build --target $(MUSL) -p countersign-server --bin countersign
	scripts/build-image.sh target/$(MUSL)/debug/countersign target/image-tests/countersign.tar
	COUNTERSIGN_IMAGE=$(CURDIR)/target/image-tests/countersign.tar \
		cargo test --workspace --exclude countersign-bench --test image -- --ignored

# The files for Compose and Kubernetes: by their schemas, by the programs that read them, and by the servers that are started with them.
KUBERNETES_VALIDATE := target/kubernetes-validate
manifest-tests: tested-build
	scripts/ensure-program.sh pg_ctlcluster postgresql
	scripts/ensure-program.sh caddy caddy
	scripts/ensure-program.sh promtool prometheus
	$(call npm_ci,tests/manifests)
	[ -x $(KUBERNETES_VALIDATE)/bin/kubernetes-validate ] || { python3 -m venv $(KUBERNETES_VALIDATE) && \
		$(KUBERNETES_VALIDATE)/bin/pip install --quiet --disable-pip-version-check kubernetes-validate==1.37.0; }
	target/debug/with_postgres npm test --prefix tests/manifests

# What crates.io would get, built alone, and `cargo install` as documented.
package-tests: tested-build
	cargo test --workspace --exclude countersign-bench --test packages -- --ignored

# All that a release consists of, in target/release-VERSION; CONTRIBUTING.md has the steps before and after.
release: image-programs cargo-deb
	command -v cargo-cyclonedx >/dev/null || $(TOOL_INSTALL) cargo-cyclonedx
	python3 -c 'import ensurepip, venv' 2>/dev/null || scripts/ensure-package.sh python3 python3-venv
	scripts/release.sh

# What it is made by, as far as that takes seconds.
release-tests: tested-build
	scripts/ensure-program.sh git git
	scripts/ensure-program.sh jq jq
	cargo test --workspace --exclude countersign-bench --test release -- --include-ignored

# No part of `make test`: the list of known vulnerabilities is on GitHub, and changes by itself.
advisories:
	command -v cargo-deny >/dev/null || $(TOOL_INSTALL) cargo-deny
	cargo deny check advisories

# The server is built by itself, as its users build it: together with others it would get their features too.
bench:
	scripts/ensure-program.sh nats-server nats-server
	$(call npm_ci,tests/bench/peers)
	cargo build --release -p countersign-server --bin countersign
	cargo build --release -p countersign-bench
	RUSTFLAGS= cargo build --release -p countersign-bench --target-dir target/plainly
	cargo test --release -p countersign-bench --quiet
	cargo run --release -p countersign-bench --bin countersign-bench -- $(BENCH)

# The size and speed of the npm package beside other libraries; wants an idle machine too.
sdk-bench: sdk sdk-bench-programs
	node tests/sdk-bench/run.mjs $(SDK_BENCH)

sdk-bench-programs:
	scripts/ensure-program.sh $(CHROMIUM_BIN) chromium fonts-dejavu-core
	$(call npm_ci,tests/browser)
	$(call npm_ci,tests/sdk-bench)
