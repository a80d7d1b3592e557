/* get_secret.h - the parts of `union get secret` that ask the audit trail. */
#ifndef UNION_GET_SECRET_H
#define UNION_GET_SECRET_H

#include "cli.h"

MUST_CHECK enum un_err get_secret_used_by(struct cli *cli);
MUST_CHECK enum un_err get_secret_unused(struct cli *cli);

#endif
