/* secrets_testing.h - secrets with made-up sealed bytes, for the tests of this folder. */
#ifndef STORE_SECRETS_TESTING_H
#define STORE_SECRETS_TESTING_H

#include "base/clock.h"
#include "store/secrets.h"
#include "store/testing.h"

#include <string.h>

struct sample {
	struct secret_id id;
	uint8_t stored_dek[STORED_DEK_LEN];
	uint8_t *sealed;
	struct secret_write write;
	struct scope_novelty novelty;
	struct secret_head head;
};

/* Marks the sealed bytes with `mark`, so that it can be told whose they are. */
static inline void
sample_init(struct sample *sample, const char *project, const char *domain, const char *name,
            int mark)
{
	memset(sample, 0, sizeof *sample);
	if (secret_id_init(&sample->id, project, domain, name, NULL) != UN_OK)
		abort();
	memset(sample->stored_dek, mark, sizeof sample->stored_dek);
	sample->stored_dek[0] = ENVELOPE_VERSION;
	memcpy(sample->stored_dek + 1, (const uint8_t[]){0, 0, 0, 1}, 4); /* generation 1 */
	sample->sealed = malloc(SECRET_SEALED_MAX + 1);
	memset(sample->sealed, mark, SECRET_SEALED_MAX + 1);
	sample->write = (struct secret_write){
		.id = &sample->id,
		.version = 1,
		.sealed_value = sample->sealed,
		.sealed_value_len = 100,
		.stored_dek = sample->stored_dek,
		.at_us = clock_wall_us(),
	};
}

static inline void
sample_fini(struct sample *sample)
{
	free(sample->sealed);
}

static enum un_err
sample_insert_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct sample *sample = ctx;

	return secret_insert(txn, &sample->write, &sample->novelty, detail);
}

static enum un_err
sample_update_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct sample *sample = ctx;

	return secret_add_version(txn, &sample->write, detail);
}

static enum un_err
sample_delete_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct sample *sample = ctx;

	return secret_delete(txn, &sample->id, &sample->head, detail);
}

static inline enum un_err
sample_insert(struct store *store, struct sample *sample, struct un_detail *detail)
{
	return store_write_wait(store, sample_insert_apply, sample, detail);
}

static inline enum un_err
sample_update(struct store *store, struct sample *sample, struct un_detail *detail)
{
	return store_write_wait(store, sample_update_apply, sample, detail);
}

static inline enum un_err
sample_delete(struct store *store, struct sample *sample, struct un_detail *detail)
{
	return store_write_wait(store, sample_delete_apply, sample, detail);
}

static inline void
sample_put(struct store *store, const char *project, const char *domain, const char *name, int mark)
{
	struct sample sample;

	sample_init(&sample, project, domain, name, mark);
	if (sample_insert(store, &sample, NULL) != UN_OK)
		abort();
	sample_fini(&sample);
}

#endif
