/* Reads foreign bytes as an entry of the audit trail. */
#include "audit/audit.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct audit_record record;
	uint8_t previous[HASH_LEN];
	enum un_err err = audit_entry_unpack(bytes, len, &record, previous);

	assert(err == UN_OK || err == UN_ERR_PROTOCOL);
	if (err == UN_OK) {
		assert(memchr(record.principal, 0, sizeof record.principal));
		assert(memchr(record.secret.name, 0, sizeof record.secret.name));
		assert(memchr(record.reason, 0, sizeof record.reason));
		assert(audit_action_text(record.action) && audit_verdict_text(record.verdict));
	}
	return 0;
}
