# SPDX-License-Identifier: GPL-2.0-or-later
# `make` lists the targets. DESTDIR= installs into another root, as packages do.

SWIFT ?= swift
# Swift's library is linked statically; equal functions are kept once, and relocations packed, which
# glibc 2.36 and later know (Debian 12, Fedora 37).
LINKING = -Xswiftc -use-ld=lld -Xlinker --icf=safe
LINKING += -Xlinker -z -Xlinker pack-relative-relocs
# No path of its own: libraries are those of the system.
SWIFT_FLAGS ?= -c release --static-swift-stdlib --disable-local-rpath $(LINKING)
SWIFT_EXTRA ?=
# Where the Swift packages are, when they come with the source: `make vendor`.
export SWIFT_VENDOR ?= $(if $(wildcard vendor/swift-system),vendor)
# Where the built programs are; `make build` fills it.
PROGRAMS ?= .build/release

BINDIR ?= /usr/bin
LIBEXECDIR ?= /usr/libexec/qubes
RPCDIR ?= /etc/qubes-rpc
POLICYDIR ?= /etc/qubes/policy.d
UNITDIR ?= /usr/lib/systemd/system
LOGROTATEDIR ?= /etc/logrotate.d
PRESETDIR ?= /usr/lib/systemd/system-preset
DOCDIR ?= /usr/share/doc/qubes-btrfs
LICENSEDIR ?= /usr/share/licenses/qubes-btrfs
MANDIR ?= /usr/share/man
BASHCOMPLETIONDIR ?= /usr/share/bash-completion/completions
ZSHCOMPLETIONDIR ?= /usr/share/zsh/site-functions
FISHCOMPLETIONDIR ?= /usr/share/fish/vendor_completions.d

INSTALL ?= install
# As they lie here: they link to each other.
DOCUMENTS = README.md CHANGELOG.md CONTRIBUTING.md
DOCUMENTS_BELOW = $(wildcard docs/*.md docs/*.png) LICENSE \
	Benchmarks/results/dedupe.svg Benchmarks/results/latest.json

.PHONY: help build test abuse test-fresh test-faults test-snapshots fuzz demo check format
.PHONY: test-kernels test-mutations test-sanitizers coverage torture
.PHONY: build-vm vendor deb rpm test-packages
.PHONY: manual completion
.PHONY: packages bench bench-disk bench-guests bench-pacing bench-pieces bench-scale bench-third
.PHONY: clean
.PHONY: install install-files install-programs install-documents install-client-files install-vm

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

packages: ## Install what the build and the tests need (Debian, root), or say what is missing.
	scripts/install-packages

build: ## Build the programs for release; they need no Swift runtime where they run.
	$(SWIFT) build $(SWIFT_FLAGS) $(SWIFT_EXTRA) --product qubes-btrfsd
	$(SWIFT) build $(SWIFT_FLAGS) $(SWIFT_EXTRA) --product qvm-btrfs
	ln -sf qubes-btrfsd $(PROGRAMS)/qubes-btrfs-worker

build-vm: ## Build what an admin qube needs.
	$(SWIFT) build $(SWIFT_FLAGS) $(SWIFT_EXTRA) --product qvm-btrfs

vendor: ## Gather the Swift packages into packages/qubes-btrfs-vendor-VERSION.tar.gz.
	scripts/vendor

deb: ## Build the Debian packages into packages/.
	scripts/package deb

rpm: ## Build the RPM packages into packages/.
	scripts/package rpm

test-packages: ## Try what make deb and make rpm have made, in roots of their own (root).
	scripts/test-packages

test: ## Run every test, those on real Btrfs too when root.
	scripts/test

abuse: ## Flood the daemon for two minutes each way, plant 65,536 guesses (root).
	FLOOD_SECONDS=120 FLOOD_ANSWER_SECONDS=2 GUESSES=65536 REQUIRE_REAL_BTRFS=1 \
		$(SWIFT) test --filter 'FloodTests|TwoWorldsTests'

test-snapshots: ## Run the tests with many snapshots with 500 to 2,000 of them (root).
	MANY_SNAPSHOTS=1 scripts/test --filter ManySnapshotsTests

test-sends: ## Start 300 sends in mid-job, and say how many the kernel refused (root).
	SENDS=300 scripts/test --filter BesideSendsTests

test-faults: ## Run the tests on faulty devices with every case of theirs, five minutes (root).
	FAULTS=all scripts/test --filter 'BadSectorTests|RefusedWriteTests|PowerCutTests|DamagedTreeTests'

test-mutations: ## Break each law in the code, and see that the tests see it (root, an hour).
	scripts/test-mutations

test-sanitizers: ## Run the tests under the sanitizers of threads and of addresses (root, hours).
	scripts/test-sanitizers

coverage: ## Say how much of each library the tests go through (root).
	scripts/test-coverage

test-kernels: ## Run tests under KERNELS="6.1 6.12" in qemu (root).
	scripts/test-kernels $(KERNELS)

torture: ## Everything at once, by chance: MINUTES=3 SEED=5 ROUNDS="races full" (root).
	TORTURE_MINUTES=$(or $(MINUTES),3) TORTURE_SEED=$(SEED) TORTURE_ROUNDS="$(ROUNDS)" \
		REQUIRE_REAL_BTRFS=1 scripts/test --filter TortureTests

test-fresh: ## Run demo and tests in a root that has nothing but Debian and Swift (root).
	scripts/test-fresh

bench: ## Compare with other tools, SIZE=small|default|large (root).
	scripts/bench

demo: ## Show on a scratch file system what it does.
	scripts/demo

bench-pacing: ## Measure how a job gives way to others, and how soon it obeys (root).
	scripts/bench-pacing

bench-disk: ## Measure weeks of a disk with 300 GiB of packed content (root, 40 GB, half an hour).
	scripts/bench-disk

bench-guests: ## Measure what fstrim, e4defrag and zeroes in qubes bring, SIZE=small|default (root).
	scripts/bench-guests

bench-third: ## Measure what photos and films cost the third optimize (root).
	scripts/bench-third

bench-pieces: ## Measure what optimize costs in pieces of --for, SIZE=small|default|large (root).
	scripts/bench-pieces

bench-scale: ## Plan 1 TiB of made-up extents in 256 MiB, match 16 TiB, report on 10 million (root).
	$(SWIFT) build -c release --product bench-scale
	.build/release/bench-scale 1
	.build/release/bench-scale 16
	.build/release/bench-scale report 10
	for kind in ordinary same shared scattered; do \
		.build/release/bench-scale plan $$kind 1 || exit 1; \
	done
	scripts/with-memory 256 .build/release/bench-scale plan packed 8

fuzz: ## Fuzz every reader of what comes from outside, SECONDS=10 each.
	scripts/fuzz $(or $(SECONDS),10)

check: ## Check the format of the sources.
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests Fuzzing man

format: ## Format the sources.
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests Fuzzing man

manual: ## Make the manual pages again, from the client's parser and docs/.
	$(SWIFT) run make-manual manual

completion: ## Make the shells' completions again, from the client's parser.
	$(SWIFT) run make-manual completion

clean: ## Remove what was built.
	$(SWIFT) package clean

install: install-files install-programs ## Install into dom0 (or DESTDIR) what `make build` built.

install-files: install-client-files ## Install all but the programs.
	$(INSTALL) -d $(DESTDIR)$(RPCDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(PRESETDIR)
	$(INSTALL) -d -m 0775 $(DESTDIR)$(POLICYDIR) $(DESTDIR)$(POLICYDIR)/include
	cp -P -f qubes-rpc/btrfs.* $(DESTDIR)$(RPCDIR)/
	$(INSTALL) -m 0664 policy/80-btrfs.policy $(DESTDIR)$(POLICYDIR)/
	# The includes hold the administrator's own lines: never replaced.
	for file in btrfs-ro btrfs-rwx; do \
		test -e $(DESTDIR)$(POLICYDIR)/include/$$file || \
		$(INSTALL) -m 0664 policy/include/$$file $(DESTDIR)$(POLICYDIR)/include/ || exit 1; \
	done
	$(INSTALL) -m 0644 systemd/*.socket systemd/*.service systemd/*.timer $(DESTDIR)$(UNITDIR)/
	$(INSTALL) -m 0644 systemd/*.preset $(DESTDIR)$(PRESETDIR)/
	$(INSTALL) -d $(DESTDIR)$(LOGROTATEDIR)
	$(INSTALL) -m 0644 logrotate/qubes-btrfs $(DESTDIR)$(LOGROTATEDIR)/
	$(INSTALL) -d $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 0644 man/*.8 $(DESTDIR)$(MANDIR)/man8/

install-programs: # One file under three names.
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR)
	$(INSTALL) -m 0755 $(PROGRAMS)/qubes-btrfsd $(DESTDIR)$(LIBEXECDIR)/
	ln -sf qubes-btrfsd $(DESTDIR)$(LIBEXECDIR)/qubes-btrfs-worker
	ln -sf ../..$(LIBEXECDIR)/qubes-btrfsd $(DESTDIR)$(BINDIR)/qvm-btrfs

install-documents:
	$(INSTALL) -d $(DESTDIR)$(DOCDIR) $(DESTDIR)$(LICENSEDIR)
	$(INSTALL) -m 0644 $(DOCUMENTS) $(DESTDIR)$(DOCDIR)/
	for file in $(DOCUMENTS_BELOW); do \
		$(INSTALL) -D -m 0644 $$file $(DESTDIR)$(DOCDIR)/$$file || exit 1; \
	done
	$(INSTALL) -m 0644 LICENSE $(DESTDIR)$(LICENSEDIR)/

# What the client has in dom0 and in an admin qube: its pages, and what shells complete.
install-client-files: install-documents
	$(INSTALL) -d $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man7
	$(INSTALL) -m 0644 man/*.1 $(DESTDIR)$(MANDIR)/man1/
	$(INSTALL) -m 0644 man/*.7 $(DESTDIR)$(MANDIR)/man7/
	$(INSTALL) -d $(DESTDIR)$(BASHCOMPLETIONDIR) $(DESTDIR)$(ZSHCOMPLETIONDIR)
	$(INSTALL) -d $(DESTDIR)$(FISHCOMPLETIONDIR)
	$(INSTALL) -m 0644 completion/qvm-btrfs.bash $(DESTDIR)$(BASHCOMPLETIONDIR)/qvm-btrfs
	$(INSTALL) -m 0644 completion/_qvm-btrfs $(DESTDIR)$(ZSHCOMPLETIONDIR)/
	$(INSTALL) -m 0644 completion/qvm-btrfs.fish $(DESTDIR)$(FISHCOMPLETIONDIR)/

install-vm: install-client-files ## Install into an admin qube: the client alone.
	$(INSTALL) -d $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 0755 $(PROGRAMS)/qvm-btrfs $(DESTDIR)$(BINDIR)/
