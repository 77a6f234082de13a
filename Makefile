# Every target installs and builds what it needs first. `make check` is what CI runs; the rest is a part of it or a tool.
SHELL := /bin/sh
BIN := node_modules/.bin
ENSURE := test/support/ensure-debian.sh

NODE_TEST := node --enable-source-maps --test --test-reporter=spec
# A file that hangs fails by name, long before CI gives up on the whole.
TIMEOUT := --test-timeout=300000
# Tests of parts share the processors; those of the whole have real servers and time limits: one after the other.
TEST_PARTS := $(NODE_TEST) $(TIMEOUT) --test-concurrency=2
TEST_WHOLE := $(NODE_TEST) $(TIMEOUT) --test-concurrency=1
# Node 20 takes no patterns, and a folder named test would run the helpers as tests: hence lists of files.
PARTS := find dist/test -name '*.test.js' -not -path '*/e2e/*'
WHOLE := find dist/test -name '*.test.js' -path '*/e2e/*'
PROPERTIES := find dist/test -name '*.prop.test.js'
# A copy of the lock file beside what was installed from it: its content says whether that is still right.
INSTALLED := node_modules/.installed-lock.json

# AssemblyScript, from the file of the same name in src/lineprotocol/wasm.
WASM := dist/src/lineprotocol/plain-lines.wasm

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install deps servers build lint format test fuzz torture bench demo check coverage run pack clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: ## exact dependencies from the lock file, anew
	npm ci --no-audit --no-fund
	@cp package-lock.json $(INSTALLED)

# A linked node_modules belongs to another checkout, which keeps it up to date.
deps:
	@[ -L node_modules ] || cmp -s package-lock.json $(INSTALLED) || $(MAKE) --no-print-directory install

servers:
	@sh $(ENSURE) influxdb influxdb-client python3-influxdb ruby ruby-influxdb curl

build: deps $(WASM) ## compile src and test into dist
	$(BIN)/tsc -p tsconfig.json

$(WASM): src/lineprotocol/wasm/plain-lines.ts
	$(BIN)/asc $< --outFile $@ --runtime stub --enable simd --optimizeLevel 3 --noAssert --initialMemory 8

lint: deps ## types, rules, format; changes nothing
	$(BIN)/eslint -c .eslint.config.js --max-warnings 0 src test
	$(BIN)/prettier --check src test bin/influx-proxy .eslint.config.js

format: deps ## rewrite in the house format
	$(BIN)/prettier --write src test bin/influx-proxy .eslint.config.js

test: build servers ## all tests: parts, then the whole against real servers; ONLY=path/part runs some
	@find dist/test -name '*.test.js' | grep -q -e '$(ONLY)' || { echo 'no test has $(ONLY) in its path'; exit 1; }
	@files=$$($(PARTS) | grep -e '$(ONLY)' | sort); [ -z "$$files" ] || $(TEST_PARTS) $$files
	@files=$$($(WHOLE) | grep -e '$(ONLY)' | sort); [ -z "$$files" ] || $(TEST_WHOLE) $$files

fuzz: build ## property tests with many more runs; FUZZ_RUNS=100000
	@files=$$($(PROPERTIES) | sort); [ -n "$$files" ] || { echo 'there are no property tests'; exit 1; }; \
	FUZZ_RUNS=$(or $(FUZZ_RUNS),100000) $(NODE_TEST) $$files

bench: build servers ## speed and cost beside nginx and bare Node, on this machine, in five minutes; BENCH_ONLY=a,c
	@sh $(ENSURE) nginx-light wrk
	@node --enable-source-maps dist/test/bench/bench.js

demo: build servers ## two InfluxDB servers, one killed and brought back: nothing is lost, no query sees a hole
	@node --enable-source-maps dist/test/demo/demo.js

check: clean lint test pack ## all that must pass before a merge

coverage: build servers ## lines and branches that the tests reach; fails under the floor
	$(BIN)/c8 --all --include 'dist/src/**' --reporter text --reporter html \
	  --check-coverage --lines 90 --branches 85 \
	  $(TEST_WHOLE) $$(find dist/test -name '*.test.js' | sort)

run: build ## the proxy with config.example.json
	node bin/influx-proxy --config=config.example.json

pack: deps ## the package as npm would publish it, unpacked and started
	npm pack --loglevel=error
	@sh test/support/check-package.sh influx-proxy-$$(node -p 'require("./package.json").version').tgz

torture: build servers ## thousands of seeded faults, 200 kills; TORTURE_SCHEDULES=2000 CRASH_KILLS=200
	TORTURE_SCHEDULES=$(or $(TORTURE_SCHEDULES),2000) $(NODE_TEST) dist/test/torture/simulation.test.js
	CRASH_KILLS=$(or $(CRASH_KILLS),200) $(NODE_TEST) dist/test/e2e/crash.test.js

clean: ## remove what was built, stale compiled tests included
	rm -rf dist coverage *.tgz
