/* grant_show.h - grants as JSON. One thread. */
#ifndef UNION_GRANT_SHOW_H
#define UNION_GRANT_SHOW_H

#include "json_out.h"
#include "proto-all.h"

/* An object of a list (`key` NULL) or a member; its times are left out where there are none. */
void grant_json(struct json_out *json, const char *key, const Union__V1__Grant *grant);

#endif
