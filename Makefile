# Builds, tests, demonstrates and installs schemagate. `make help` lists the targets.
#
# Everything that is built goes to $(BUILD). Three variants of it exist, each in a folder of its own:
#   release    build/        what is installed
#   test       build/test/   the same with failpoints, and the test programs
#   sanitize   build/asan/   the test variant under AddressSanitizer and UndefinedBehaviorSanitizer
#
# While parts of the tree do not compile, work on the others in a folder of your own:
#   make BUILD=build/mine FOLDERS="base core" objects
#   make BUILD=build/mine FOLDERS="base core" build/mine/tests/unit/core_gate

VERSION := 0.1.0

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
BINDIR = $(PREFIX)/bin
UNITDIR = $(PREFIX)/lib/systemd/system
DOCDIR = $(PREFIX)/share/doc/schemagate

empty :=
space := $(empty) $(empty)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += --jobs=$(shell nproc)
endif

# ---- Packages -------------------------------------------------------------------------------------
# One list for each purpose; `make deps` installs what is missing of all three. To build and nothing else:
# make deps PACKAGES_TEST= PACKAGES_LINT=

PACKAGES_BUILD := gcc libc6-dev pkg-config libpq-dev libevent-dev libmicrohttpd-dev libgnutls28-dev libjansson-dev \
    libpg-query-dev libprotobuf-c-dev libcurl4-openssl-dev libini-config-dev libssl-dev \
    libsystemd-dev uthash-dev
PACKAGES_TEST := libcmocka-dev spin postgresql pgbouncer libfaketime curl procps util-linux systemd \
    python3-django alembic python3-psycopg2
# What `make check-drivers` needs besides. node-pg is used where it is there: it refuses to be installed beside a Node.js
# that is not Debian's.
PACKAGES_DRIVERS := python3-psycopg python3-psycopg-pool python3-psycopg2 python3-sqlalchemy python3-django \
    python3-asyncpg ruby-pg ruby-activerecord
PACKAGES_LINT := clang cppcheck shellcheck

PKG_CONFIG_NAMES := libpq libevent_core libmicrohttpd gnutls jansson libprotobuf-c libcurl ini_config \
    libcrypto libsystemd

# Asked once, and only when something is compiled: `make deps` has to work without pkg-config.
PACKAGE_CFLAGS = $(eval PACKAGE_CFLAGS := $$(shell pkg-config --cflags $(PKG_CONFIG_NAMES)))$(PACKAGE_CFLAGS)
PACKAGE_LIBS = $(eval PACKAGE_LIBS := $$(shell pkg-config --libs $(PKG_CONFIG_NAMES)) -lpg_query -lm -pthread)$(PACKAGE_LIBS)

# ---- Variants -------------------------------------------------------------------------------------

VARIANT ?= release
BUILD_release := build
BUILD_test := build/test
BUILD_sanitize := build/asan
BUILD ?= $(BUILD_$(VARIANT))

CPPFLAGS_release := -D_FORTIFY_SOURCE=2
CPPFLAGS_test := -D_FORTIFY_SOURCE=2 -DSCHEMAGATE_FAILPOINTS
CPPFLAGS_sanitize := -DSCHEMAGATE_FAILPOINTS
CFLAGS_release := -O2 -g
CFLAGS_test := -O1 -g
# gcc itself calls warnings about ranges unreliable in code that it has instrumented.
CFLAGS_sanitize := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all \
    -Wno-format-truncation -Wno-maybe-uninitialized -Wno-stringop-overflow

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
CPPFLAGS_ALL = -Iinclude -D_GNU_SOURCE -DSCHEMAGATE_VERSION=\"$(VERSION)\" $(CPPFLAGS_$(VARIANT)) $(CPPFLAGS)
CFLAGS_ALL = -std=gnu11 $(WARNINGS) $(CFLAGS_$(VARIANT)) -fPIE -fstack-protector-strong $(CFLAGS)
LDFLAGS_ALL = $(CFLAGS_$(VARIANT)) -pie -Wl,--as-needed,-z,relro,-z,now $(LDFLAGS)

# ---- Sources, found by where they lie -------------------------------------------------------------

FOLDERS ?= $(notdir $(patsubst %/,%,$(wildcard daemon/*/)))
SOURCES := $(foreach folder,$(FOLDERS),$(wildcard daemon/$(folder)/*.c))
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
LIBRARY := $(BUILD)/libschemagate.a
BINARY := $(BUILD)/schemagate

SUPPORT_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/support/*.c))
SUPPORT_LIBRARY := $(BUILD)/libsupport.a

# Every .c file in these folders (and in tests/demo, tests/bench) is a program of its own; scripts there
# (*.sh) are run as they are.
TEST_FOLDERS := unit golden integration e2e
programs = $(patsubst %.c,$(BUILD)/%,$(wildcard $(1:%=tests/%/*.c)))

# Files that are part of the program (base/embed.h), and the sources that take them in.
EMBEDDED := $(shell find daemon -type f ! -name '*.[ch]' ! -name '.*')
EMBEDDING := $(shell grep -rl '^EMBED' daemon tests 2>/dev/null --include='*.c')

# ---- Compiling ------------------------------------------------------------------------------------

.PHONY: all objects tests
all: $(BINARY)

objects: $(OBJECTS)

tests: $(BINARY) $(call programs,$(TEST_FOLDERS))

# What was used last time: other flags compile everything anew, other files make the libraries anew.
$(BUILD)/flags: CONTENT = $(CC) $(CPPFLAGS_ALL) $(PACKAGE_CFLAGS) $(CFLAGS_ALL)
$(BUILD)/members: CONTENT = $(OBJECTS) $(SUPPORT_OBJECTS)
$(BUILD)/flags $(BUILD)/members: always
	@mkdir -p $(@D)
	@echo '$(CONTENT)' | cmp -s - $@ || echo '$(CONTENT)' >$@
.PHONY: always
always:

$(BUILD)/obj/daemon/%.o: daemon/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(CPPFLAGS_ALL) $(PACKAGE_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(BUILD)/obj/tests/%.o: tests/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) -Itests $(CPPFLAGS_ALL) $(PACKAGE_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(EMBEDDING:%.c=$(BUILD)/obj/%.o): $(EMBEDDED)

$(LIBRARY): $(OBJECTS)
$(SUPPORT_LIBRARY): $(SUPPORT_OBJECTS)
$(LIBRARY) $(SUPPORT_LIBRARY): $(BUILD)/members
	@rm -f $@
	@ar rcs $@ $(filter %.o,$^)

$(BINARY): $(BUILD)/obj/daemon/main.o $(LIBRARY)
	@echo "  LINK $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PACKAGE_LIBS)

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(SUPPORT_LIBRARY) $(LIBRARY)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PACKAGE_LIBS) -lcmocka

.SECONDARY:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# ---- Testing --------------------------------------------------------------------------------------

# What scripts and test programs have to know; the argument is a folder under tests/, whose programs
# they use.
environment = SCHEMAGATE_BINARY=$(abspath $(BINARY)) SCHEMAGATE_VARIANT=$(VARIANT) \
    SCHEMAGATE_PROGRAMS=$(abspath $(BUILD)/tests/$(1)) SCHEMAGATE_TEMPLATES=$(abspath $(BUILD)/clusters)

.PHONY: check check-sanitize check-drivers run-drivers run-tests golden demo run-demo bench run-bench
check: | deps
	@$(MAKE) all
	@$(MAKE) VARIANT=test run-tests

check-sanitize: | deps
	@$(MAKE) VARIANT=sanitize run-tests

# TESTS="tests/unit/base_config.c tests/golden/golden.sh" runs just these.
TESTS ?= $(foreach folder,$(TEST_FOLDERS),$(wildcard tests/$(folder)/*.c tests/$(folder)/*.sh)) tests/sim/sim.c
SANITIZER_OPTIONS_sanitize = ASAN_OPTIONS=detect_leaks=$$(.ci/leak-check $(CC)) \
    UBSAN_OPTIONS=print_stacktrace=1
run-tests: $(BINARY) $(call programs,golden demo) $(patsubst %.c,$(BUILD)/%,$(filter %.c,$(TESTS)))
	@$(call environment,golden) $(SANITIZER_OPTIONS_$(VARIANT)) tests/run $(BUILD)/log \
	    $(filter-out %/golden/print,$(TESTS:tests/%.c=$(BUILD)/tests/%))

# The connect hooks of `schemagate pin-sql`, in the drivers that they are for.
check-drivers:
	@$(MAKE) deps PACKAGES_TEST="$(PACKAGES_TEST) $(PACKAGES_DRIVERS)"
	@$(MAKE) VARIANT=test run-drivers

run-drivers: $(BINARY) $(call programs,drivers)
	@$(call environment,drivers) $(BUILD)/tests/drivers/pins

# Writes the generated files anew: tests/golden/golden.sh has their table.
golden: $(BINARY) $(call programs,golden)
	@$(call environment,golden) tests/golden/golden.sh --write

demo: | deps
	@$(MAKE) run-demo

run-demo: $(BINARY) $(call programs,demo)
	@$(call environment,demo) KEEP=$(KEEP) tests/demo/demo

bench: | deps
	@$(MAKE) run-bench

# BENCH="plan stalls" runs just these.
BENCH ?=
run-bench: $(BINARY) $(call programs,bench)
	@$(call environment,bench) tests/bench/run $(BENCH)

include tests/fuzz/Makefile
include tests/sim/Makefile
include tests/mutate/Makefile
include tests/model/Makefile
include tests/versions/Makefile

# ---- Lint -----------------------------------------------------------------------------------------

# What each folder may include of the others: dependencies point one way (docs/architecture.md).
MAY_USE_base := base
MAY_USE_core := core
MAY_USE_plan := plan
MAY_USE_coordinator := coordinator core plan base
MAY_USE_db := db coordinator core base
MAY_USE_http := http coordinator core plan base
MAY_USE_service := service http db coordinator core plan base cli
MAY_USE_cli := cli plan base
# What the pure folders may include besides: the C library, their parser and uthash.
PURE_HEADERS := assert ctype errno inttypes limits math std[a-z]* string strings uthash utlist utarray pg_query[a-z_./-]*

C_FILES = $(shell find daemon include tests -name '*.[ch]')
C_SOURCES = $(filter %.c,$(C_FILES))
SHELL_FILES = $(shell grep -rlE '^\#!/bin/(ba)?sh' .ci tests)
SYNTAX_FLAGS = -Itests $(CPPFLAGS_ALL) $(PACKAGE_CFLAGS) -std=gnu11 $(WARNINGS) -fsyntax-only

.PHONY: lint lint-compilers lint-cppcheck lint-shell lint-includes lint-text lint-golden
lint: | deps
	@$(MAKE) lint-compilers lint-cppcheck lint-shell lint-includes lint-text lint-golden
	@echo "lint: clean"

lint-compilers:
	@for compiler in gcc clang; do \
	    check="xargs -P $$(nproc) -n 8 $$compiler $(SYNTAX_FLAGS)"; \
	    printf '%s\n' $(filter daemon/%,$(C_SOURCES)) | $$check; \
	    printf '%s\n' $(C_SOURCES) | $$check -DSCHEMAGATE_FAILPOINTS; \
	done

# varFuncNullUB: NULL is a pointer on every system that this runs on. uninitvar: it does not see through
# the loops of uthash; gcc and the sanitizers look for the same.
lint-cppcheck:
	@cppcheck -q -j "$$(nproc)" --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --suppress=missingIncludeSystem --suppress=varFuncNullUB --suppress=uninitvar \
	    --error-exitcode=1 -Iinclude -Itests -D_GNU_SOURCE -DSCHEMAGATE_FAILPOINTS daemon tests

lint-shell:
	@shellcheck -x $(SHELL_FILES)

lint-includes:
	@status=0; \
	$(foreach folder,$(notdir $(patsubst %/,%,$(wildcard daemon/*/))), \
	    files="$(wildcard daemon/$(folder)/*.[ch] include/schemagate/$(folder)/*.h)"; \
	    if [ -n "$$files" ] && grep -nE '#include <schemagate/' $$files /dev/null | \
	        grep -vE '<schemagate/($(subst $(space),|,$(strip $(MAY_USE_$(folder)))))/'; then \
	        echo "daemon/$(folder) may include only: $(MAY_USE_$(folder))"; status=1; fi;) \
	if grep -nE '#include <' $(wildcard daemon/core/*.[ch] daemon/plan/*.[ch]) /dev/null | \
	    grep -vE '<(schemagate/.*|$(subst $(space),|,$(PURE_HEADERS)))(\.h)?>'; then \
	    echo "core and plan are pure: the C library, libpg_query and uthash only"; status=1; fi; \
	exit $$status

lint-text:
	@awk '/\t/ { print FILENAME ":" FNR ": has a tab"; bad = 1 } \
	    /[ ]$$/ { print FILENAME ":" FNR ": ends in a blank"; bad = 1 } \
	    FNR == 1 && !/^\/\*/ { print FILENAME ": does not begin by saying what it is for"; bad = 1 } \
	    FNR == 701 { print FILENAME ": is longer than 700 lines"; bad = 1 } \
	    /TODO|FIXME/ { print FILENAME ":" FNR ": is not finished"; bad = 1 } \
	    END { exit bad }' $(C_FILES)
	@! LC_ALL=C.UTF-8 grep -nE '^.{111}' $(C_FILES) || { echo "lines end before column 110"; exit 1; }

lint-golden: $(BINARY) $(call programs,golden)
	@$(call environment,golden) tests/golden/golden.sh >$(BUILD)/golden.log || { cat $(BUILD)/golden.log; exit 1; }

# ---- Packages, installation -----------------------------------------------------------------------

.PHONY: deps install clean help
install: $(BINARY)
	install -D -m 0755 $(BINARY) $(DESTDIR)$(BINDIR)/schemagate
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSCONFDIR)/schemagate
	install -d $(DESTDIR)$(DOCDIR) $(DESTDIR)$(DOCDIR)/config $(DESTDIR)$(DOCDIR)/docs
	for unit in schemagate.service schemagate.socket; do \
	    sed -e 's,/usr/bin/schemagate,$(BINDIR)/schemagate,' -e 's,/usr/share/doc/schemagate,$(DOCDIR),' \
	        systemd/$$unit >$(DESTDIR)$(UNITDIR)/$$unit; \
	    chmod 0644 $(DESTDIR)$(UNITDIR)/$$unit; \
	done
	install -m 0644 LICENSE README.md $(DESTDIR)$(DOCDIR)
	install -m 0644 docs/* $(DESTDIR)$(DOCDIR)/docs
	install -m 0644 config/* $(DESTDIR)$(DOCDIR)/config
	test -e $(DESTDIR)$(SYSCONFDIR)/schemagate/schemagate.ini || \
	    install -m 0644 config/schemagate.ini $(DESTDIR)$(SYSCONFDIR)/schemagate/schemagate.ini

deps:
	@missing=$$(for package in $(PACKAGES_BUILD) $(PACKAGES_TEST) $(PACKAGES_LINT); do \
	    dpkg-query -W -f '$${Status}' "$$package" 2>/dev/null | grep -q ' installed$$' || echo "$$package"; done); \
	if [ -z "$$missing" ]; then echo "make deps: every package is there"; exit 0; fi; \
	echo "These packages are missing and will be installed with apt-get:"; \
	printf '  %s\n' $$missing; \
	if [ "$$(id -u)" = 0 ]; then as_root=; \
	elif command -v sudo >/dev/null; then as_root=sudo; \
	else echo "make deps: neither root nor sudo; as root, type: apt-get install" $$missing >&2; exit 1; fi; \
	$$as_root apt-get update -q; \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing

clean:
	rm -rf build

help:
	@echo "make                     build/schemagate"
	@echo "make deps                install the Debian packages that are missing (says which)"
	@echo "make check               all tests"
	@echo "make check-sanitize      all tests under AddressSanitizer and UndefinedBehaviorSanitizer"
	@echo "make check-versions      against PostgreSQL 13 to 18, which it fetches (VERSIONS=\"13 18\": only these)"
	@echo "make check-drivers       the hooks of pin-sql in real drivers, which it installs"
	@echo "make lint                compilers, cppcheck, shellcheck, include direction, generated files"
	@echo "make demo [KEEP=1]       a rolling deployment that drops a column, for real"
	@echo "make bench               measurements (docs/benchmarks.md; BENCH=\"plan stalls\": only these)"
	@echo "make fuzz                random bytes for what reads foreign text (FUZZ_SECONDS=60)"
	@echo "make sim                 coordinators against a simulated world (SEEDS=n; SEED=n: one, with a trace)"
	@echo "make mutate              every rule, taken away in turn, has to be missed by a test"
	@echo "make model               Spin models of admission, fence, takeover and session pins, and broken variants"
	@echo "make golden              write the generated files anew"
	@echo "make install             DESTDIR= PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR)"
	@echo "make clean"
