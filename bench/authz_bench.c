/* authz_bench.c - what a decision costs.
 *
 * usage: authz_bench
 *
 * Directories of different sizes, one key with many grants and many keys with one each; decisions
 * that are allowed by the widest grant, by the narrowest one, and refused; what a worker does at
 * the beginning of each: looking whether there is a newer view. Prints rows for bench/run. */
#include "authz/directory.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 2000000u

static struct directory_view *
fill(size_t key_count, size_t grants_each)
{
	struct api_key_row *keys = mem_zalloc(key_count, sizeof *keys);
	struct grant_row *grants = mem_zalloc(key_count * grants_each, sizeof *grants);
	struct directory_view *view = NULL;

	if (!keys || !grants)
		abort();
	for (size_t i = 0; i < key_count; i++) {
		keys[i].id = (int64_t)i + 1;
		(void)snprintf(keys[i].name, sizeof keys[i].name, "key-%zu", i);
		for (size_t g = 0; g < grants_each; g++) {
			struct grant_row *row = &grants[i * grants_each + g];

			(void)snprintf(row->principal, sizeof row->principal, "key:key-%zu", i);
			(void)snprintf(row->role, sizeof row->role, "%s",
			               authz_role_text(g % AUTHZ_ROLES));
			(void)snprintf(row->scope.project, sizeof row->scope.project,
			               "project-%zu", g);
			(void)snprintf(row->scope.domain, sizeof row->scope.domain, "production");
		}
	}
	if (directory_view_new(keys, key_count, grants, key_count * grants_each, &view))
		abort();
	mem_free(keys);
	mem_free(grants);
	return view;
}

/* The middle of five. */
static double
measure(struct directory_reader *reader, const struct principal *who, enum authz_action action,
        const struct scope *scope)
{
	const struct authz_target target = {.scope = scope};
	double runs[5];
	unsigned allowed = 0;

	for (size_t run = 0; run < 5; run++) {
		int64_t start = clock_mono_us();
		double ns;
		size_t at = run;

		for (unsigned i = 0; i < ROUNDS; i++) {
			struct authz_decision decision;

			authz_decide(who, directory_peek(reader), action, &target, &decision);
			allowed += decision.allowed;
		}
		ns = (double)(clock_mono_us() - start) * 1000 / ROUNDS;
		for (; at > 0 && runs[at - 1] > ns; at--)
			runs[at] = runs[at - 1];
		runs[at] = ns;
	}
	if (allowed != 0 && allowed != 5 * ROUNDS)
		abort();
	return runs[2];
}

static void
report(const char *what, size_t keys, size_t grants, const char *project, enum authz_action action)
{
	struct directory *directory;
	struct directory_reader reader;
	struct principal key, user;
	struct scope scope = {.domain = "production"};

	if (directory_new(&directory))
		abort();
	directory_show(directory, fill(keys, grants));
	directory_reader_init(&reader, directory);
	principal_of_key("key-0", 1, &key);
	principal_of_uid(1000, 1000, &user);
	(void)snprintf(scope.project, sizeof scope.project, "%s", project);
	(void)printf("ROW may she? %zu keys with %zu grants, %s | < 1 us | %.0f ns\n", keys, grants,
	             what,
	             measure(&reader, strcmp(what, "local user") == 0 ? &user : &key, action,
	                     &scope));
	directory_reader_fini(&reader);
	directory_free(directory);
}

int
main(void)
{
	if (crypto_init())
		return 1;
	report("local user", 1, 1, "project-0", AUTHZ_SECRET_READ);
	report("allowed, narrowest scope", 1, 1, "project-0", AUTHZ_SECRET_READ);
	report("allowed, narrowest scope", 1, 1000, "project-2", AUTHZ_SECRET_READ);
	report("allowed, narrowest scope", 1000, 100, "project-2", AUTHZ_SECRET_READ);
	report("refused, other scope", 1, 1000, "project-9999", AUTHZ_SECRET_READ);
	report("refused, other role", 1, 1000, "project-2", AUTHZ_PLANE_STOP);
	return 0;
}
