/* secrets_rows.h - what the files about secrets share. Not for others. */
#ifndef STORE_SECRETS_ROWS_H
#define STORE_SECRETS_ROWS_H

#include "store/secrets.h"
#include "store/sql.h"

#define VERSION_BITS 20 /* versions.id = secrets.id << VERSION_BITS | version */
#define INLINE_SEALED_MAX 1024

/* The columns every query for heads begins with, and how to read them. */
#define HEAD_COLUMNS                                                                               \
	"s.org, s.project, s.domain, s.name, s.type, s.version, s.created_at, s.updated_at"
#define HEAD_COUNT 8
void secret_head_read(const struct sql *sql, struct secret_head *ret_head);

void secret_bind_id(struct sql *sql,
                    const struct secret_id *id); /* ?1 org ?2 name ?3 project ?4 domain */
/* Head and row number. UN_ERR_SECRET_NOT_FOUND. */
MUST_CHECK enum un_err secret_find(struct store_view *view, const struct secret_id *id,
                                   struct secret_head *ret_head, int64_t *ret_row,
                                   struct un_detail *detail);

#endif
