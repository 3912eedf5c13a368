# What a user or contributor runs; `make` alone lists it.

SWIFT ?= swift
CC ?= cc
RELEASE := .build/release/mmu
PLUGINS := build/plugins
PLUGIN_SOURCES := $(wildcard Plugins/*/*.c)
PLUGIN_OBJECTS := $(foreach source,$(PLUGIN_SOURCES),$(PLUGINS)/$(notdir $(basename $(source))).so)
SCENARIO := $(wildcard Examples/showcase.yaml)
IMAGE := Examples/images/showcase.core
# The kernel's version banner in the image.
BANNER := 0xffffffff872001a0
SWIFT_FILES = git ls-files -z -- '*.swift'

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: install-deps release plugins ## Build for release and run the showcase
	$(RELEASE) walk $(IMAGE) $(BANNER)
ifneq ($(SCENARIO),)
	$(RELEASE) run $(SCENARIO) $(addprefix --plugin ,$(PLUGIN_OBJECTS))
endif

.PHONY: release
release: install-deps ## Build `mmu` for release
	$(SWIFT) build -c release --product mmu

.PHONY: plugins
plugins: $(PLUGIN_OBJECTS) ## Build the example plugins into build/plugins

define plugin_rule
$(PLUGINS)/$(notdir $(basename $(1))).so: $(1) Plugins/include/mmu_plugin.h | install-deps
	@mkdir -p $$(@D)
	$$(CC) -std=c11 -O2 -Wall -Wextra -Werror -fPIC -fvisibility=hidden -shared \
	  -IPlugins/include -o $$@ $$<
endef
$(foreach source,$(PLUGIN_SOURCES),$(eval $(call plugin_rule,$(source))))

.PHONY: test
test: lint plugins ## Lint, build and run every test; what CI runs
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --disable-xctest

.PHONY: test-release
test-release: install-deps plugins ## Run every test as optimised code
	$(SWIFT) test -c release --disable-xctest

.PHONY: lint
lint: install-deps ## Check the format of every tracked Swift file
	$(SWIFT_FILES) | xargs -0 $(SWIFT) format lint --strict --parallel

.PHONY: format
format: ## Format every tracked Swift file in place
	$(SWIFT_FILES) | xargs -0 $(SWIFT) format format --in-place --parallel

.PHONY: bench
bench: install-deps ## Measure the walks beside a C twin; BENCH="NAME… --json" selects
	$(SWIFT) run -c release mmu-bench $(BENCH)

.PHONY: consumer-check
consumer-check: install-deps ## Build a package that depends on a tagged copy of this one
	Scripts/consumer-check

.PHONY: install-deps
install-deps: ## Install what the build needs and this machine lacks
	@Scripts/install-deps

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf .build build
