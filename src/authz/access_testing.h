/* access_testing.h - views of a few keys and grants, for tests. */
#ifndef AUTHZ_ACCESS_TESTING_H
#define AUTHZ_ACCESS_TESTING_H

#include "authz/directory.h"
#include "test.h"

#include <stdio.h>

#define SAMPLE_MAX 64

struct access_sample {
	struct api_key_row keys[SAMPLE_MAX];
	struct grant_row grants[SAMPLE_MAX];
	size_t key_count, grant_count;
};

static inline void
sample_key(struct access_sample *sample, const char *name)
{
	struct api_key_row *row = &sample->keys[sample->key_count++];

	*row = (struct api_key_row){.id = 100 + (int64_t)sample->key_count};
	(void)snprintf(row->name, sizeof row->name, "%s", name);
}

static inline void
sample_grant(struct access_sample *sample, const char *name, const char *role, const char *project,
             const char *domain)
{
	struct grant_row *row = &sample->grants[sample->grant_count++];

	*row = (struct grant_row){.id = (int64_t)sample->grant_count};
	(void)snprintf(row->principal, sizeof row->principal, "key:%s", name);
	(void)snprintf(row->role, sizeof row->role, "%s", role);
	EXPECT_OK(scope_init(&row->scope, project, domain, NULL));
}

static inline struct directory_view *
sample_view(const struct access_sample *sample)
{
	struct directory_view *view = NULL;

	EXPECT_OK(directory_view_new(sample->keys, sample->key_count, sample->grants,
	                             sample->grant_count, &view));
	return view;
}

#endif
