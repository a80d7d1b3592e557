# A short front for meson and ninja. `make` builds the release; see README.md for the rest.

PREFIX ?= /usr/local
DESTDIR ?=
SECONDS ?= 60
BUILD ?= build
CHECK ?= build-check
MESON ?= meson

.PHONY: all quickstart check check-source check-layers check-static check-tsan bench fuzz install clean deps

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

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

# Everything that must hold; the last line is "N passed, N failed".
check: all $(CHECK)/build.ninja
	@tools/install-deps check
	@ninja -C $(CHECK) --quiet
	@tests/run --build $(CHECK) --release $(BUILD)

check-source:
	@tools/check-source

check-layers:
	@tools/check-layers

check-static: $(CHECK)/build.ninja
	@tools/check-static $(CHECK)

# The server's tests once more under the thread sanitizer.
check-tsan:
	@tools/install-deps check
	@test -f build-tsan/build.ninja || $(MESON) setup build-tsan -Dbuildtype=debug -Doptimization=1 \
		-Dtests=enabled -Db_sanitize=thread -Db_lundef=false >/dev/null
	@ninja -C build-tsan --quiet
	@tests/run --build build-tsan --only tsan

bench: all
	@tools/install-deps bench
	@bench/run $(BUILD)

# libFuzzer on each target for SECONDS seconds.
fuzz:
	@tools/install-deps check
	@tools/run-fuzz $(SECONDS)

install: all
	@$(MESON) configure $(BUILD) -Dprefix=$(PREFIX) >/dev/null
	@DESTDIR=$(DESTDIR) $(MESON) install -C $(BUILD) --quiet

clean:
	@rm -rf $(BUILD) $(CHECK) build-tsan build-fuzz build-static
