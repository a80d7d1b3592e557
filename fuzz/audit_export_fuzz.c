/* Foreign bytes as an export of the audit trail, in pieces; and as the keeper's journal. */
#include "audit/export.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
as_export(const uint8_t *bytes, size_t len, size_t piece)
{
	struct export_check *check;
	struct un_detail detail = {0};
	enum un_err err = export_check_new(&check);

	if (err)
		return;
	for (size_t at = 0; at < len && !err; at += piece)
		err = export_check_feed(check, bytes + at, len - at < piece ? len - at : piece,
		                        &detail);
	if (!err)
		err = export_check_end(check, &detail);
	assert(err == UN_OK || err == UN_ERR_NOT_AUTHENTIC || err == UN_ERR_TOO_LARGE);
	assert(export_check_report(check)->bad <= export_check_report(check)->entries + 1);
	export_check_free(check);
}

static void
as_journal(const uint8_t *bytes, size_t len)
{
	struct journal_position position;
	struct journal_entry entry;
	size_t used;

	if (journal_header_unpack(bytes, len, &position) != UN_OK)
		return;
	for (size_t at = JOURNAL_HEADER_LEN; at < len; at += used) {
		uint64_t before = position.count;

		if (journal_entry_unpack(bytes + at, len - at, &position, &entry, &used) != UN_OK ||
		    !used)
			return;
		assert(entry.number == before + 1 && used <= JOURNAL_ENTRY_MAX);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len > 1u << 20)
		return 0;
	as_export(bytes, len, len % 97 + 1);
	as_journal(bytes, len);
	return 0;
}
