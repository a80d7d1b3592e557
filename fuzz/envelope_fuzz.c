/* Opens foreign bytes as each of the four kinds, and carries foreign values and names once around.
 */
#include "crypto/hash.h"
#include "envelope/envelope.h"

#include <assert.h>
#include <string.h>

static struct secbuf *key; /* as DEK, KEK and private key; never freed */
static struct box_receiver *receiver;
static struct box_sender *sender;

static void
start(void)
{
	uint8_t public_key[BOX_PUBLIC_LEN];
	enum un_err err = crypto_init();

	err = err ? err : secbuf_copy("fuzz fuzz fuzz fuzz fuzz fuzz 32", 32, &key);
	err = err ? err : box_receiver_new(key, &receiver);
	err = err ? err : box_public_of(key, public_key);
	err = err ? err : box_sender_new(public_key, &sender);
	assert(err == UN_OK);
}

/* Nobody can make these bytes without the keys: none may open. */
static void
open_foreign(const uint8_t *bytes, size_t len)
{
	static const struct secret_id id = {.name = "db_url", .scope.project = "fraud"};
	struct delivery to = {.id = &id, .version = 1};
	struct secbuf *plain = NULL;
	uint32_t generation;
	enum un_err err;

	err = envelope_open_value(key, &id, bytes, len, &plain);
	assert(err == UN_ERR_NOT_AUTHENTIC);
	err = envelope_open_travel(receiver, &id, bytes, len, &plain);
	assert(err == UN_ERR_NOT_AUTHENTIC);
	err = envelope_open_stored(key, &id, 1, bytes, len, &plain);
	assert(err == UN_ERR_NOT_AUTHENTIC);
	err = envelope_open_delivery(receiver, &to, bytes, len, &plain);
	assert(err == UN_ERR_NOT_AUTHENTIC);
	err = envelope_stored_generation(bytes, len, &generation);
	assert(err == UN_OK || err == UN_ERR_PROTOCOL);
	assert(!plain);
}

static void
copy_part(char *to, size_t size, const uint8_t **bytes, size_t *len)
{
	size_t used = *len < size - 1 ? *len : size - 1;

	memcpy(to, *bytes, used);
	*bytes += used;
	*len -= used;
}

/* The first bytes are an identity of any kind, the rest a value. */
static void
carry(const uint8_t *bytes, size_t len)
{
	struct secret_id id = {.org = ""};
	struct secbuf *value, *opened, *dek;
	uint8_t travel[TRAVEL_DEK_LEN];
	struct buf sealed;
	enum un_err err;

	copy_part(id.name, sizeof id.name, &bytes, &len);
	copy_part(id.scope.project, sizeof id.scope.project, &bytes, &len);
	err = secbuf_copy(bytes, len, &value);
	assert(err == UN_OK);
	buf_init(&sealed, len + SEALED_VALUE_OVERHEAD, BUF_PLAIN);
	err = envelope_seal_value(key, &id, value, &sealed);
	if (len && len <= SECRET_VALUE_MAX) {
		assert(err == UN_OK);
		err = envelope_seal_travel(sender, &id, key, travel);
		assert(err == UN_OK);
		err = envelope_open_travel(receiver, &id, travel, sizeof travel, &dek);
		assert(err == UN_OK);
		err = envelope_open_value(dek, &id, sealed.data, sealed.len, &opened);
		assert(err == UN_OK && secbuf_equal(value, opened));
		secbuf_free(dek);
		secbuf_free(opened);
	} else {
		assert(err != UN_OK);
	}
	secbuf_free(value);
	buf_fini(&sealed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (!key)
		start();
	open_foreign(bytes, len);
	carry(bytes, len);
	return 0;
}
