# What a user or contributor runs; `make` alone lists it.

SWIFT ?= swift
RELEASE := .build/release/mmu
SCENARIO := Examples/showcase.yaml
PREFIX ?= /usr/local
# Put before PREFIX when files are copied, and nowhere else.
DESTDIR ?=
INSTALL ?= install
ABI = $(shell sed -n 's/^\#define MMU_PLUGIN_ABI_VERSION \([0-9]*\)u$$/\1/p' Plugins/include/mmu_plugin.h)
# Runs of `make property`, and the first one's seed.
MIGRATIONS ?= 1000
STRESSES ?= 60
SEED = $${MMU_PROPERTY_SEED:-$$(date +%s)}
SWIFT_FILES = git ls-files -z -- '*.swift'

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: install-deps release plugins ## Build for release, run the showcase, show what its plugin does
	$(RELEASE) run $(SCENARIO)
	@echo
	@echo "The same without the plugin (<) and with it (>), where they differ:"
	@$(RELEASE) run $(SCENARIO) --without-plugins >build/without.txt
	@$(RELEASE) run $(SCENARIO) >build/with.txt
	@diff build/without.txt build/with.txt || test $$? -eq 1

.PHONY: release
release: install-deps ## Build `mmu` for release
	$(SWIFT) build -c release --product mmu

.PHONY: plugins
plugins: install-deps ## Build the example plugins into build/plugins
	$(MAKE) --no-print-directory -C Plugins

.PHONY: install
install: release plugins install-plugin-header ## Install mmu, its plugins and their header under PREFIX
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/mmu/plugins
	$(INSTALL) -m 755 $(RELEASE) $(DESTDIR)$(PREFIX)/bin/mmu
	$(INSTALL) -m 644 build/plugins/*.so $(DESTDIR)$(PREFIX)/lib/mmu/plugins

.PHONY: install-plugin-header
install-plugin-header: ## Install what plugins are built with: mmu_plugin.h, its like in Rust, their pkg-config file
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	$(INSTALL) -m 644 Plugins/include/mmu_plugin.h Plugins/include/mmu_plugin.rs $(DESTDIR)$(PREFIX)/include
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@ABI@|$(ABI)|' Plugins/mmu-plugin.pc.in \
	  >$(DESTDIR)$(PREFIX)/lib/pkgconfig/mmu-plugin.pc

.PHONY: test
test: lint plugins ## Lint, build and run every test; what CI runs
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --disable-xctest

.PHONY: property
property: install-deps ## Run random guests, migrations and stress, optimised; MMU_PROPERTY_SEED repeats
	$(SWIFT) build -c release --product PropertyRunner
	$(SWIFT) build -c release --product ParallelRunner
	.build/release/PropertyRunner
	.build/release/ParallelRunner $(MIGRATIONS) $(STRESSES) $(SEED)

.PHONY: tsan
tsan: install-deps ## Run some migrations and stress under ThreadSanitizer
	$(SWIFT) build -c release --sanitize=thread --scratch-path .build-tsan --product ParallelRunner
	TSAN_OPTIONS=suppressions=Tests/ParallelRunner/threads.supp \
	  .build-tsan/release/ParallelRunner 64 24 $(SEED)

.PHONY: races
races: release ## Run the small races of the MMU's threads in every order, to the end of each
	$(RELEASE) races

.PHONY: test-release
# Some tests look inside their target, which release builds allow on request alone.
test-release: install-deps plugins ## Run every test as optimised code
	$(SWIFT) test -c release -Xswiftc -enable-testing --disable-xctest

.PHONY: lint
lint: install-deps ## Check the format of every tracked Swift file
	$(SWIFT_FILES) | xargs -0 $(SWIFT) format lint --strict --parallel

.PHONY: format
format: ## Format every tracked Swift file in place
	$(SWIFT_FILES) | xargs -0 $(SWIFT) format format --in-place --parallel

.PHONY: bench
bench: release plugins ## Measure the hot paths beside a C twin; BENCH="NAME… --json" selects
	$(RELEASE) bench $(BENCH)

.PHONY: docs
docs: install-deps ## Build articles, tutorial and reference with DocC into build/docs
	$(SWIFT) build
	Scripts/docs .build/debug/Modules build/docs

.PHONY: consumer-check
consumer-check: install-deps ## Build a package that depends on a tagged copy of this one
	Scripts/consumer-check

.PHONY: install-deps
install-deps: ## Install what the build needs and this machine lacks
	@Scripts/install-deps

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf .build build
