/* meta.h - single facts by key: the plane's id, public key and fingerprint, which schema steps ran.
 *
 * Keys are words with dots, "plane.public_key"; those that begin with "schema." belong to the
 * store. */
#ifndef STORE_META_H
#define STORE_META_H

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

#define META_VALUE_MAX 65536

/* Replaces the contents of `out`. UN_ERR_NOT_FOUND. */
MUST_CHECK enum un_err meta_get(struct store_view *view, const char *key, struct buf *out,
                                struct un_detail *detail);
MUST_CHECK enum un_err meta_set(struct store_txn *txn, const char *key, const void *bytes,
                                size_t len, struct un_detail *detail);
/* UN_ERR_NOT_FOUND when there was none. */
MUST_CHECK enum un_err meta_delete(struct store_txn *txn, const char *key,
                                   struct un_detail *detail);

/* For migrations, which have no transaction object. */
MUST_CHECK enum un_err meta_set_view(struct store_view *view, const char *key, const void *bytes,
                                     size_t len, struct un_detail *detail);

#endif
