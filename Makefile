# SPDX-License-Identifier: Apache-2.0
# Thin over meson: every target is one script or one tool. `make` alone explains them.
BUILD ?= build
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup build demo demo-stop check check-asan check-tsan check-valgrind check-soak check-boto3 check-oracle check-long check-boot check-reproduce image prove test tidy format clean

help: ## explain the targets
	@echo "Cloister: Ethereum keys that live and sign only inside an AWS Nitro Enclave."
	@echo
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1#\2/p' Makefile | sed ':a;s/^\(.\{,22\}\)#/\1 #/;ta;s/#//'
	@echo
	@echo "Start with 'make demo'. Everything is built in $(BUILD)*/; nothing is installed elsewhere."

setup: ## install the Debian and npm packages that the other targets need (does nothing twice)
	@scripts/setup

build: setup ## build every program into build/
	@tools/check --only build-gcc --build $(BUILD) --quiet

demo: setup ## start the whole platform on this machine, sign and send one transaction, leave it running
	@scripts/demo

demo-stop: ## end what 'make demo' left running
	@scripts/demo-stop

check: setup ## everything: two compilers, all tests, tidy, static analysis, sanitizers, system tests
	@tools/check

check-long: setup ## fuzz all parsers for BUDGET_S seconds in all (600), seed SEED (1)
	@tools/fuzz --budget $(or $(BUDGET_S),600) --seed $(or $(SEED),1)

image: build ## the enclave's image, the same bytes on every machine, into build-release/ (first time: minutes)
	@image/build $(BUILD)/src/cli/cloister build-release

check-boot: build ## boot the enclave's image in QEMU, from Debian 13, and use it; with a second kernel
	@image/build $(BUILD)/src/cli/cloister build-release --module
	@tools/check --only boot --build $(BUILD)

check-reproduce: build ## build the image twice under other circumstances, and compare
	@tools/check --only reproduce --build $(BUILD)

prove: setup ## prove the innermost readers and writers with CBMC, which is fetched from Debian 13
	@tools/check --only prove

test: setup ## only build with gcc and run unit tests and fuzz corpora
	@tools/check --only build-gcc,unit --build $(BUILD)

check-asan: setup ## only unit tests and fuzz corpora under ASan and UBSan
	@tools/check --only asan

check-tsan: setup ## only what has threads, under ThreadSanitizer
	@tools/check --only tsan

check-valgrind: build ## vault and front under memcheck and helgrind (minutes)
	@tools/check --only valgrind --build $(BUILD)

check-soak: build ## the long suite: a million requests, a crash at every system call (minutes)
	@tools/check --only soak --build $(BUILD)

check-boto3: build ## boto3, from PyPI into .cache/, runs unchanged against the emulated KMS
	@CLOISTER_BUILD=$(BUILD) test/interop/python test/interop/boto3_kms.py

check-oracle: build ## documents, signatures, envelopes and policies, checked by other people's code
	@CLOISTER_BUILD=$(BUILD) test/interop/python test/interop/oracle.py

tidy: setup ## only the rules of tools/tidy (STYLE.md, tools/deps, PROTOCOL.md, size budgets)
	@tools/check --only build-gcc --build $(BUILD) --quiet
	@tools/tidy --build $(BUILD) --figures .

format: setup ## let clang-format rewrite every C file
	@git ls-files -z -- '*.c' '*.h' | xargs -0 clang-format -i

clean: ## remove build directories and caches; a running demo is ended first
	@scripts/demo-stop --quiet
	@rm -rf build build-clang build-asan build-tsan build-fuzzing build-release .cache .demo
