/* sealing_key.h - the plane's public key as each worker knows it, and sealing to it.
 *
 * The key never changes while a plane has its ring, so a worker asks the keeper once. Entry `index`
 * belongs to the worker of that index; the set itself to nobody after its making. */
#ifndef SERVICES_SEALING_KEY_H
#define SERVICES_SEALING_KEY_H

#include "crypto/box.h"
#include "envelope/envelope.h"
#include "services/plane.h"

struct sealing_keys;

struct sealing_key {
	uint8_t public_key[BOX_PUBLIC_LEN];
	struct box_sender *sender; /* of this worker */
};

MUST_CHECK enum un_err sealing_keys_new(struct sealing_keys **ret_keys);
void sealing_keys_free(struct sealing_keys *keys); /* after the workers have ended; NULL is fine */

/* `key` is lent while `keys` lives; NULL with an error (UN_ERR_SEALED: there is no key yet). */
typedef void sealing_key_done(void *context, const struct sealing_key *key, enum un_err err,
                              const struct un_detail *detail);

/* Calls `done` on the worker's thread, once, now or later. `wait` is the caller's until then. */
struct sealing_key_wait {
	sealing_key_done *done;
	void *context;
	struct sealing_key *entry; /* the rest is not the caller's */
};
void sealing_key_get(struct sealing_keys *keys, struct plane_worker *worker,
                     struct sealing_key_wait *wait);

#endif
