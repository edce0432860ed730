# make demo   builds, boots a throwaway Debian, installs the package and shows it at work
# make test   everything that must pass, on Debian 12 and 13
#
# What these need is installed when run by root, and named otherwise (Tests/machine/requirements).

# A package is built with what is installed; a checkout has a scratch directory of its own.
SCRATCH ?= .build
# Arguments for the machines' runner, e.g. make machines RUN='--suite 13 --only smoke'
RUN ?=
# Rules for make broken-rules; Tests/broken-rules/run --list prints them.
RULES ?=
FROM ?= $(shell date +%s)000

swift = swift
swift_flags = --scratch-path $(SCRATCH)

.PHONY: all deb repo demo test check format lint-scripts texts build unit simulate broken-rules launch-tests machines lintian bench \
	clean install-git-hooks requirements

all: deb

deb: requirements
	packaging/build-deb

# A signed apt repository of dist/*.deb in dist/repo; KEY=… signs with a key of yours.
repo: deb
	packaging/apt-repo $(if $(KEY),--key $(KEY))

demo: deb
	Tests/machine/demo

test: requirements
	Tests/machine/everything

check: format lint-scripts texts build unit

format:
	$(swift) format lint --strict --recursive Sources Tests Package.swift

# Warnings are errors: Package.swift says so for every target of ours.
build:
	$(swift) build $(swift_flags) --build-tests

unit:
	@mkdir -p dist
	$(swift) test $(swift_flags) --skip-build --xunit-output dist/unit.xml

# The simulation with worlds that no run has seen, until it is stopped or one breaks; FROM=… begins with a known one.
simulate:
	SIMULATION_FROM=$(FROM) $(swift) test $(swift_flags) --filter noWorldBreaksAnInvariant

# Whether the simulation notices it when a rule of the shared code is broken; RULES=… names some of them.
broken-rules:
	Tests/broken-rules/run $(RULES)

lint-scripts:
	Tests/machine/lint-scripts

# Names that stand in two places, references, words that docs/words.md has replaced, the listing in CONTRIBUTING.
texts:
	packaging/check-names
	packaging/check-references
	packaging/check-words
	packaging/list-interface --check

lintian: deb
	lintian --fail-on error,warning --tag-display-limit 0 dist/*.changes

# The packaged pod-launch, as root, in a mount namespace of its own.
launch-tests: deb
	Tests/launch/run .build-deb/scratch/package/pod-launch

machines: deb
	Tests/machine/run $(RUN)

bench: deb
	Tests/machine/bench

requirements:
	@Tests/machine/requirements

install-git-hooks:
	printf '#!/bin/sh\nexec make -s format lint-scripts texts\n' > "$$(git rev-parse --git-path hooks)/pre-commit"
	chmod +x "$$(git rev-parse --git-path hooks)/pre-commit"

clean:
	rm -rf dist .build-deb $(SCRATCH)
