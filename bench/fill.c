/* fill.c - a data directory with many secrets, for measuring starts and lookups.
 *
 * usage: fill DATA_DIR COUNT
 *
 * The rows are as long as real ones; their sealed bytes are random, since nothing opens them. */
#include "crypto/hash.h"
#include "store/secrets.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH 1000
#define VALUE_LEN 256

struct batch {
	unsigned long first, count;
};

static enum un_err
insert_batch(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct batch *batch = ctx;
	uint8_t value[VALUE_LEN], dek[STORED_DEK_LEN];

	for (unsigned long i = batch->first; i < batch->first + batch->count; i++) {
		struct scope_novelty novelty;
		struct secret_id id;
		struct secret_write write = {.id = &id,
		                             .version = 1,
		                             .sealed_value = value,
		                             .sealed_value_len = sizeof value,
		                             .stored_dek = dek,
		                             .at_us = 1};
		char name[64], project[32];
		enum un_err err;

		random_bytes(value, sizeof value);
		random_bytes(dek, sizeof dek);
		dek[0] = ENVELOPE_VERSION;
		dek[1] = dek[2] = dek[3] = 0;
		dek[4] = 1;
		(void)snprintf(name, sizeof name, "secret_%lu", i);
		(void)snprintf(project, sizeof project, "project-%lu", i % 100);
		err = secret_id_init(&id, project, i % 2 ? "production" : "development", name,
		                     detail);
		if (!err)
			err = secret_insert(txn, &write, &novelty, detail);
		if (err)
			return err;
	}
	return UN_OK;
}

int
main(int argc, char **argv)
{
	struct store_options options = {.create = true};
	struct un_detail detail = {0};
	struct store *store = NULL;
	unsigned long count;
	enum un_err err;

	if (argc != 3 || crypto_init() != UN_OK)
		return 2;
	options.dir = argv[1];
	count = strtoul(argv[2], NULL, 10);
	err = store_open(&options, &store, &detail);
	for (unsigned long i = 0; i < count && !err; i += BATCH) {
		struct batch batch = {i, count - i < BATCH ? count - i : BATCH};

		err = store_write_wait(store, insert_batch, &batch, &detail);
	}
	store_close(store);
	if (err)
		fprintf(stderr, "fill: %s\n", un_message(err, &detail));
	return err ? 1 : 0;
}
