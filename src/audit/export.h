/* export.h - a trail on its own, with the keeper's journal and heads, and the one place that checks
 * a whole trail. docs/formats/audit.md.
 *
 * An export is a stream, and it is the same whether it comes over the wire or out of a file: the
 * checker takes it piece by piece and remembers little. Pure; one thread each. */
#ifndef AUDIT_EXPORT_H
#define AUDIT_EXPORT_H

#include "audit/audit.h"
#include "audit/journal.h"
#include "base/buf.h"

#define EXPORT_HEADER_LEN (20 + 32 + SIGN_PUBLIC_LEN + 8)
#define EXPORT_FRAME_MAX 8192 /* with its head */
#define EXPORT_PENDING_US (10ll * 1000000) /* a release so young may still get its entry */
#define EXPORT_FINDINGS_MAX 32

struct export_header {
	uint8_t plane_public[32];
	uint8_t audit_public[SIGN_PUBLIC_LEN];
	int64_t created_us;
};

enum export_kind {
	EXPORT_ENTRY = 1,          /* of the trail, and its hash */
	EXPORT_JOURNAL_HEADER = 2, /* the journal's; before its entries */
	EXPORT_JOURNAL_ENTRY = 3,
	EXPORT_END = 4, /* a signed head over all entries before: nothing was cut off */
};

MUST_CHECK enum un_err export_header_pack(struct buf *out, const struct export_header *header);
MUST_CHECK enum un_err export_header_unpack(const uint8_t *bytes, size_t len,
                                            struct export_header *ret_header);
MUST_CHECK enum un_err export_frame_pack(struct buf *out, enum export_kind kind, const void *bytes,
                                         size_t len);

/* Something that should not be. What the chain shows ends a check; the rest is gathered. */
struct export_finding {
	uint64_t seq; /* of the entry; 0: none */
	char text[240];
};

/* What the checker was told to look for, of an earlier check. */
enum export_past {
	EXPORT_PAST_NONE,   /* nothing */
	EXPORT_PAST_KEPT,   /* it is there */
	EXPORT_PAST_SHORT,  /* the trail ends before it */
	EXPORT_PAST_FORKED, /* another record is there */
};

struct export_report {
	struct export_header header;
	uint64_t entries;  /* that are good */
	uint64_t heads;
	uint64_t releases; /* in the journal */
	uint64_t pending;  /* releases of the last seconds without an entry yet */
	uint64_t found;    /* releases whose entry was made from the journal */
	int64_t signed_us; /* time of the last head */
	uint8_t newest[HASH_LEN]; /* of the last good entry */
	enum export_past past;
	uint64_t restore_seq; /* of the last entry that tells of a restore; 0: none */
	int64_t restore_us;
	uint64_t bad;      /* the first entry that is wrong or missing; 0: none */
	size_t finding_count; /* of all, also those that are not kept */
	struct export_finding findings[EXPORT_FINDINGS_MAX];
};

struct export_check;

MUST_CHECK enum un_err export_check_new(struct export_check **ret_check);
void export_check_free(struct export_check *check); /* NULL is fine */
/* Before anything is fed: entry `count` (not 0) had this hash when the trail was checked before.
 * What became of it is in the report, and no finding: a trail may be taken back for a reason. */
void export_check_expect(struct export_check *check, uint64_t count, const uint8_t hash[HASH_LEN]);
/* The header, once it was fed: whose key it is the caller decides. NULL: not yet. */
const struct export_header *export_check_header(const struct export_check *check);
/* UN_ERR_NOT_AUTHENTIC: an entry is wrong or missing, its number is in the report and the detail.
 * UN_ERR_PROTOCOL: this is no export. */
MUST_CHECK enum un_err export_check_feed(struct export_check *check, const uint8_t *bytes,
                                         size_t len, struct un_detail *detail);
/* After the last byte. UN_ERR_NOT_AUTHENTIC also when anything was found. */
MUST_CHECK enum un_err export_check_end(struct export_check *check, struct un_detail *detail);
/* At any time. */
const struct export_report *export_check_report(const struct export_check *check);

#endif
