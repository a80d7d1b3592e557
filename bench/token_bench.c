/* token_bench.c - what it costs to know who makes a call: a token checked, and its API key found in
 * a directory of 1,000 keys.
 *
 * usage: token_bench            prints rows for bench/run */
#include "authz/directory.h"
#include "authz/token.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 1000
#define CHECKS 2000000

static void
must(enum un_err err)
{
	if (!err)
		return;
	(void)fprintf(stderr, "token_bench: %s\n", un_err_text(err));
	exit(1);
}

static struct directory_view *
view_of_many(void)
{
	struct api_key_row *rows = mem_zalloc(KEYS, sizeof *rows);
	struct directory_view *view = NULL;

	if (!rows)
		must(UN_ERR_NO_MEMORY);
	for (int i = 0; i < KEYS; i++) {
		rows[i].id = i + 1;
		rows[i].epoch = 1;
		(void)snprintf(rows[i].name, sizeof rows[i].name, "key-%04d", i);
	}
	must(directory_view_new(rows, KEYS, NULL, 0, &view));
	mem_free(rows);
	return view;
}

int
main(void)
{
	struct directory_reader reader = {.directory = NULL};
	struct directory *directory = NULL;
	struct secbuf *tokens[KEYS];
	struct token_mint *mint = NULL;
	int64_t began_us, us, found = 0;

	must(crypto_init());
	must(token_mint_new(&mint));
	must(directory_new(&directory));
	directory_show(directory, view_of_many());
	directory_reader_init(&reader, directory);
	for (int i = 0; i < KEYS; i++) {
		const struct token_facts facts = {
			.id = i + 1, .epoch = 1, .expires_ms = clock_mono_ms() + 900000};

		must(token_issue(mint, &facts, &tokens[i]));
	}
	began_us = clock_mono_us();
	for (int i = 0; i < CHECKS; i++) {
		const struct secbuf *token = tokens[i % KEYS];
		const struct directory_key *key;
		struct principal principal;
		struct token_facts facts;

		must(token_check(mint, (const char *)secbuf_peek(token), secbuf_len(token),
		                 clock_mono_ms(), &facts));
		key = directory_find_key_id(directory_peek(&reader), facts.id);
		if (key && key->epoch == facts.epoch) {
			principal_of_key(key->name, key->id, &principal);
			found += principal.kind == PRINCIPAL_API_KEY;
		}
	}
	us = clock_mono_us() - began_us;
	(void)printf("ROW a token checked, its API key found among %d | < 2 us | %.2f us\n", KEYS,
	             (double)us / CHECKS);
	for (int i = 0; i < KEYS; i++)
		secbuf_free(tokens[i]);
	directory_reader_fini(&reader);
	directory_free(directory);
	token_mint_free(mint);
	return found == CHECKS ? 0 : 1;
}
