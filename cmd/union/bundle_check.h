/* bundle_check.h - no credentials in the code that is sent: .env files, private keys, tokens. */
#ifndef UNION_BUNDLE_CHECK_H
#define UNION_BUNDLE_CHECK_H

#include "cli.h"

/* Reads the packed bundle at `path`. UN_ERR_BUNDLE_HAS_SECRET names files and lines, never what is
 * there; files that --allow-secrets-in-bundle fits are passed over. */
MUST_CHECK enum un_err bundle_check(struct cli *cli, const char *path);

#endif
