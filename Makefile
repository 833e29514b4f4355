# `make run` and `make test` do everything, from a fresh clone, on a Debian 12 with nothing but Go, git and make.
# What else they need they install themselves as root, and name in one line otherwise (scripts/needs).

# Where the Go tarball puts itself, for a PATH that does not know it yet.
export PATH := $(PATH):/usr/local/go/bin

VERSION     := $(shell scripts/version)
BUILD       := go build -trimpath -buildvcs=false
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Cross-checked systems need no C compiler; on Linux the PAM code is checked too where there is one.
CGO = CGO_ENABLED=$$(scripts/cgo)

# How long each fuzz target runs under make fuzz, and which ones; none named is all.
FUZZTIME = 10m
FUZZ     =

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run build ftpd ftpd-auth packages generate quick test check unit system fuzz fuzz-short clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: ftpd ## share the current directory on port 2121, read-only
	bin/ftpd share .

build: ## bin/ftpd and bin/ftpd-auth
	@scripts/needs build
	@$(MAKE) --no-print-directory ftpd ftpd-auth

ftpd:
	CGO_ENABLED=0 $(BUILD) -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ftpd ./cmd/ftpd

ftpd-auth:
	@if [ "$$(scripts/cgo)" = 1 ]; then \
		set -x; CGO_ENABLED=1 $(BUILD) -buildmode=pie -ldflags '-s -w -extldflags "-Wl,-z,relro,-z,now"' -o bin/ftpd-auth ./cmd/ftpd-auth; \
	else \
		rm -f bin/ftpd-auth; \
	fi

packages: build ## a deb and an rpm in dist/
	rm -rf dist
	scripts/packages dist

generate: ## what is made from the source: etc/ftpd.toml, the schema, man pages, docs/clients.md
	go test ./pkg/config ./cmd/ftpd -run IsFresh -update
	go test ./tests -run ClientsDocument -update

quick: ## while working: gofmt, vet for Linux, tests of the packages without the race detector
	@unformatted=$$(gofmt -l cmd pkg tests); [ -z "$$unformatted" ] || { echo "run gofmt -w on: $$unformatted"; exit 1; }
	$(CGO) go vet ./...
	$(CGO) go test ./cmd/... ./pkg/...

test: ## everything below but fuzz: check, unit, fuzz-short, system
	@scripts/needs test
	@$(MAKE) --no-print-directory ftpd ftpd-auth check unit fuzz-short system

check: ## gofmt, vet for Linux, Windows and macOS, staticcheck
	@unformatted=$$(gofmt -l cmd pkg tests); [ -z "$$unformatted" ] || { echo "run gofmt -w on: $$unformatted"; exit 1; }
	GOOS=linux $(CGO) go vet ./...
	GOOS=windows CGO_ENABLED=0 go vet ./...
	GOOS=darwin CGO_ENABLED=0 go vet ./...
	$(CGO) go run $(STATICCHECK) ./...

unit: ## tests of the packages, with the race detector where there is a C compiler; of pkg/vfs as other systems have it, too
	@scripts/gotest unit ./cmd/... ./pkg/...
	@scripts/gotest unit -tags=osroot ./pkg/vfs

fuzz-short: ## a second of each fuzz target
	@scripts/fuzz 1s

system: ## tests against the binaries in bin/, with real clients and, as root, real accounts
	@FTPD_BIN=$(CURDIR)/bin scripts/gotest system -count=1 -parallel=8 ./tests/...

fuzz: ## ten minutes of each fuzz target, or FUZZTIME=1h; FUZZ="FuzzInput FuzzLoad" takes these alone
	@scripts/fuzz --keep $(FUZZTIME) $(FUZZ)

clean: ## remove what make built
	rm -rf bin dist
