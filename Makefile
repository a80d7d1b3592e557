# A short front for meson and ninja. `make` builds the release; see README.md for the rest.

PREFIX ?= /usr/local
DESTDIR ?=
SECONDS ?= 60
BUILD ?= build
CHECK ?= build-check
TSAN ?= build-tsan
LIMITS ?= build-limits
ROUNDS ?= 100
GIGABYTES ?= 10
FOLDERS ?= /usr
VM ?= build-vm
MESON ?= meson
SHELL := bash
.SHELLFLAGS := -o pipefail -c
# On a terminal ninja shows how far it is; elsewhere it speaks only when something is wrong.
NINJA = if [ -t 1 ]; then ninja $(1); else ninja --quiet $(1) | { grep -v '^ninja: no work' || true; }; fi

.PHONY: all quickstart check check-clients check-source check-layers check-static check-tsan check-leaks check-limits-proof check-kill check-proofs check-false-positives check-vm bench fuzz install clean deps

all: $(BUILD)/build.ninja
	@$(call NINJA,-C $(BUILD))

deps:
	@tools/install-deps build

$(BUILD)/build.ninja: | deps
	@$(MESON) setup $(BUILD) --prefix=$(PREFIX) >/dev/null

quickstart: all
	@tests/quickstart.sh $(BUILD)

$(CHECK)/build.ninja:
	@tools/install-deps check
	@$(MESON) setup $(CHECK) -Dbuildtype=debug -Doptimization=1 -Dtests=enabled -Dfaults=true \
		-Db_sanitize=address,undefined -Db_lundef=false >/dev/null

$(TSAN)/build.ninja:
	@tools/install-deps check
	@$(MESON) setup $(TSAN) -Dbuildtype=debug -Doptimization=1 -Dtests=enabled \
		-Db_sanitize=thread -Db_lundef=false >/dev/null

# Everything that must hold, under ASan and UBSan, the threaded parts once more under TSan; the last
# line is "N passed, N failed".
check: all $(CHECK)/build.ninja $(TSAN)/build.ninja
	@tools/install-deps check
	@$(call NINJA,-C $(CHECK))
	@$(call NINJA,-C $(TSAN))
	@tests/run --build $(CHECK) --tsan $(TSAN) --release $(BUILD)

# The clients that others wrote, as they come from the package index; part of `make check`.
check-clients: all
	@tools/install-deps check
	@tests/run --build $(BUILD) --only clients

check-source:
	@tools/check-source

check-layers:
	@tools/check-layers

check-static: $(CHECK)/build.ninja
	@tools/check-static $(CHECK)

check-tsan: $(TSAN)/build.ninja
	@$(call NINJA,-C $(TSAN))
	@tests/run --tsan $(TSAN)

# All the ways out for a value, as root and as a plain user; make check has one of the two.
check-leaks: $(CHECK)/build.ninja
	@$(call NINJA,-C $(CHECK))
	@tests/leaks/run --build $(CHECK)

# That the test of each limit fails when the limit is gone: builds and runs for each, a quarter of an hour.
check-limits-proof:
	@tools/install-deps check
	@tests/attack/prove_limits $(LIMITS) $(WORDS)

# Many rounds of kill -9 under load; `make check` has a few.
check-kill: all
	@ROUNDS=$(ROUNDS) UNION_BUILD=$(BUILD) tests/stories/kill.sh
	@CLAIM_ROUNDS=$(ROUNDS) UNION_BUILD=$(BUILD) tests/stories/kill_claims.sh

# What the redaction's core holds, for every order of events within larger bounds than `make check`.
check-proofs: $(CHECK)/build.ninja
	@for proof in regions automaton shorts stream; do \
		$(call NINJA,-C $(CHECK) tests/proofs/proof_$${proof}_large) && \
		$(CHECK)/tests/proofs/proof_$${proof}_large || exit 1; \
	done
	@LARGE=1 tests/proofs/cbmc.sh

# How often redaction takes away what is no value, over GIGABYTES of the files below FOLDERS.
check-false-positives: all
	@$(call NINJA,-C $(BUILD) bench/bench-false-positives)
	@$(BUILD)/bench/bench-false-positives $(GIGABYTES) $(FOLDERS)

# What one kernel and no service manager cannot show: Debian's own kernel with systemd and cgroup v2,
# in a small virtual machine; ONLY=WORD for some of it.
check-vm:
	@tools/install-deps vm
	@$(MAKE) --no-print-directory install BUILD=$(VM)/union PREFIX=/usr DESTDIR=$(CURDIR)/$(VM)/installed
	@tests/vm/run --folder $(VM) $(if $(ONLY),--only $(ONLY))

bench: all
	@tools/install-deps bench
	@bench/run $(BUILD)

# libFuzzer on each target for SECONDS seconds.
fuzz:
	@tools/install-deps check
	@tools/fuzz $(SECONDS)

install: all
	@$(MESON) configure $(BUILD) -Dprefix=$(PREFIX) >/dev/null
	@DESTDIR=$(DESTDIR) $(MESON) install -C $(BUILD) --quiet

clean:
	@rm -rf $(BUILD) $(CHECK) $(TSAN) $(LIMITS) build-fuzz build-static $(VM)
