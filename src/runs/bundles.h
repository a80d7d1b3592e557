/* bundles.h - code bundles: uploaded once, kept by the MD5 that the client's protocol names them
 * by.
 *
 * A client asks where it may upload (one address, good for one upload of exactly one content, for a
 * short time, also over a restart; one that breaks off may be begun again), uploads, and writes the
 * native URL into its tasks. A launcher gets the bundle with its lease. A bundle is whole or not
 * there: temporary file, fsync, rename. The MD5 is an address and finds damage; it is no defence,
 * and needs none: who may upload into a project may run code in it. Those that nothing has used for
 * long go: retention.h. Any thread. */
#ifndef RUNS_BUNDLES_H
#define RUNS_BUNDLES_H

#include "base/err.h"
#include "model/scope.h"

#include <stddef.h>
#include <stdint.h>

#define BUNDLE_MD5_LEN 16
#define BUNDLE_MAX (64ull << 20) /* bytes of one */
#define BUNDLE_URL_PREFIX "union-bundle://"
#define BUNDLE_CONFIG_KEY "bundle" /* of a task of our SDK: its bundle's native URL */
#define BUNDLE_URL_MAX 256
#define BUNDLE_FILE_MAX (2 * SCOPE_PART_MAX + 2 * BUNDLE_MD5_LEN + 16)
#define UPLOADS_WAITING_MAX 256
#define UPLOADS_OF_A_PROJECT_MAX 64 /* so that one project does not keep all others waiting */
#define UPLOAD_TOKEN_LEN 16
#define UPLOAD_TOKEN_TEXT (2 * UPLOAD_TOKEN_LEN + 1)
#define UPLOAD_SECONDS_DEFAULT 300
#define UPLOAD_SECONDS_MAX 3600

struct bundles;

MUST_CHECK enum un_err bundles_open(const char *data_dir, struct bundles **ret_bundles,
                                    struct un_detail *detail);
void bundles_close(struct bundles *bundles); /* NULL is fine */

/* What one address is good for. */
struct upload_grant {
	struct scope at;
	uint8_t md5[BUNDLE_MD5_LEN];
	uint64_t len;        /* UINT64_MAX: not said */
	int64_t deadline_ms; /* of clock_mono_ms */
};
/* UN_ERR_AGAIN: too many are waiting. */
MUST_CHECK enum un_err bundles_grant(struct bundles *bundles, const struct upload_grant *grant,
                                     char ret_token[UPLOAD_TOKEN_TEXT]);
void bundles_url(const struct upload_grant *grant, char ret_url[BUNDLE_URL_MAX]);

/* One upload. UN_ERR_DENIED: the token is not one of ours, was used, or is over. */
struct upload;
MUST_CHECK enum un_err upload_begin(struct bundles *bundles, const char *token,
                                    struct upload **ret_upload);
const uint8_t *upload_md5(const struct upload *upload); /* that it must have; BUNDLE_MD5_LEN */
uint64_t upload_len(const struct upload *upload);
/* UN_ERR_TOO_LARGE: more than was said or BUNDLE_MAX. */
MUST_CHECK enum un_err upload_push(struct upload *upload, const uint8_t *bytes, size_t len);
/* Durable afterwards. UN_ERR_NOT_AUTHENTIC: the content is not what was announced. */
MUST_CHECK enum un_err upload_end(struct upload *upload, struct un_detail *detail);
void upload_free(struct upload *upload); /* removes what was not ended; NULL is fine */

/* Opens what a native URL names. UN_ERR_INVALID: it is none of ours; UN_ERR_NOT_FOUND. */
MUST_CHECK enum un_err bundles_open_url(int bundles_fd, const char *url, int *ret_fd,
                                        uint64_t *ret_len);
/* The name of its file. UN_ERR_INVALID: it is none of ours. */
MUST_CHECK enum un_err bundles_file_of(const char *url, char ret_name[BUNDLE_FILE_MAX]);
int bundles_fd(const struct bundles *bundles);

#endif
