/* entry.h - the bytes of one entry: packing, and the hash that the next one holds. For this folder;
 * reading is audit_entry_unpack. */
#ifndef AUDIT_ENTRY_H
#define AUDIT_ENTRY_H

#include "audit/audit.h"
#include "base/buf.h"

#define AUDIT_ENTRY_MAX 4096

void entry_hash(const uint8_t *entry, size_t len, uint8_t ret_hash[HASH_LEN]);
/* UN_ERR_TOO_LARGE: a text is over its limit. */
MUST_CHECK enum un_err entry_pack(struct buf *out, uint64_t seq, const uint8_t previous[HASH_LEN],
                                  const struct audit_event *event);
/* Where it happened; an empty scope when it is the whole plane. */
const struct scope *entry_scope(const struct audit_event *event);

#endif
