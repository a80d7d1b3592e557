#include "client/sealing.h"

void
sealed_init(struct sealed *sealed)
{
	*sealed = (struct sealed){0};
	buf_init(&sealed->value, SECRET_VALUE_MAX + SEALED_VALUE_OVERHEAD, BUF_PLAIN);
}

void
sealed_fini(struct sealed *sealed)
{
	buf_fini(&sealed->value);
}

enum un_err
seal_for_plane(const uint8_t plane_key[BOX_PUBLIC_LEN], const struct secret_id *id,
               const struct secbuf *value, struct sealed *ret_sealed)
{
	struct box_sender *sender = NULL;
	struct secbuf *dek = NULL;
	enum un_err err = dek_new(&dek);

	if (err)
		return err;
	err = envelope_seal_value(dek, id, value, &ret_sealed->value);
	if (err)
		goto out;
	err = box_sender_new(plane_key, &sender);
	if (err)
		goto out;
	err = envelope_seal_travel(sender, id, dek, ret_sealed->dek);
out:
	box_sender_free(sender);
	secbuf_free(dek);
	return err;
}
