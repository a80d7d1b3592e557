/* Foreign bytes as a ticket: they may be read, and are never genuine. */
#include "keeper/ticket.h"

#include <assert.h>

static struct secbuf *key; /* never freed */

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct ticket_view view;
	struct secret_id id = {.name = "db_url"};
	enum un_err err = UN_OK;

	if (!key) {
		err = crypto_init();
		err = err ? err : secbuf_new(32, &key);
		assert(err == UN_OK);
		random_bytes(secbuf_edit(key), 32);
	}
	err = ticket_verify(key, bytes, len, 0, &view);
	assert(err == UN_ERR_BAD_TICKET);
	if (ticket_unpack(bytes, len, &view) == UN_OK) {
		assert(view.count <= TICKET_NAMES_MAX);
		(void)ticket_reaches(&view, &id);
	}
	return 0;
}
