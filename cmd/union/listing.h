/* listing.h - lists of the control plane: all pages of them, as a table for people or, with -o
 * json, as one object with one list. One thread. */
#ifndef UNION_LISTING_H
#define UNION_LISTING_H

#include "cli.h"
#include "json_out.h"
#include "table.h"

#include <protobuf-c/protobuf-c.h>

struct listing {
	struct table *table; /* one of both */
	struct json_out *json;
	size_t count; /* of what was added: whoever adds counts */
};

struct listing_plan {
	const char *name; /* of the list in JSON */
	const char *const *titles;
	size_t title_count;
	enum un_err (*fill)(struct cli *cli, void *ctx, struct listing *listing);
	const char *nothing;             /* said on stderr instead of an empty table */
	void (*advise)(struct cli *cli); /* after that; NULL: nothing to add */
	void *ctx;
};

MUST_CHECK enum un_err listing_print(struct cli *cli, const struct listing_plan *plan);

/* A method that answers page by page: request and reply have a `token`, the reply a list. */
struct listing_method {
	const char *path;
	const ProtobufCMessageDescriptor *reply;
	const char *items; /* the name of the reply's list */
};

/* Called for each item; it is lent. */
typedef enum un_err listing_each(void *arg, const void *item);

/* Asks for one page after the other. The request's token is set here and dangles afterwards. */
MUST_CHECK enum un_err listing_pages(struct cli *cli, const struct listing_method *method,
                                     ProtobufCMessage *request, listing_each *each, void *arg);

#endif
