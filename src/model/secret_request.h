/* secret_request.h - what a task asked for, and under which names it will see it. Pure rules.
 *
 *   mount     env_var  environment                    files below the secrets folder
 *   ANY       -        -                              KEY and key, GROUP/KEY and group/key, ...
 *   ANY       X        X, _UNION_[GROUP_][VERSION_]KEY  -
 *   ENV_VAR   -        _UNION_[GROUP_][VERSION_]KEY     -
 *   ENV_VAR   X        X, _UNION_[GROUP_][VERSION_]KEY  -
 *   FILE      -        -                              as for ANY
 *   FILE      X        X = path of the first file     as for ANY
 *
 * Existing readers disagree on case and on whether a group is part of the name, so every spelling
 * exists. The full ones are claims: two requests that claim one for different bytes collide. The
 * short ones (without group and version) are a service: where two requests would share one, neither
 * has it.
 *
 * docs/formats/task-secrets.md has the rules for people. Any thread. */
#ifndef MODEL_SECRET_REQUEST_H
#define MODEL_SECRET_REQUEST_H

#include "base/err.h"
#include "flyteidl/core/security.pb-c.h"
#include "model/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_REQUESTS_MAX 100 /* of one task */
#define SECRET_ENV_PREFIX "_UNION_"
#define SECRET_VERSION_TEXT_MAX 10
#define SECRET_PATH_MAX (2 * SECRET_NAME_MAX + SECRET_VERSION_TEXT_MAX + 3)
#define SECRET_ENV_MAX (sizeof SECRET_ENV_PREFIX + SECRET_PATH_MAX)
#define SECRET_ENV_STRING_MAX 131071 /* bytes of NAME=VALUE: the kernel's limit for one string */

enum secret_mount { /* as on the wire */
	SECRET_MOUNT_ANY = 0,
	SECRET_MOUNT_ENV_VAR = 1,
	SECRET_MOUNT_FILE = 2,
};

struct secret_request {
	char name[SECRET_NAME_MAX + 1];  /* of the secret to look for */
	char group[SECRET_NAME_MAX + 1]; /* "" if none */
	uint32_t version;                /* 0: the newest */
	char env_var[ENV_NAME_MAX + 1];  /* "" if none */
	enum secret_mount mount;
};

/* The fields of a request as they come over the wire; NULL reads as "". */
struct secret_request_fields {
	const char *key, *group, *group_version, *env_var;
	int mount;
};
/* Checks and copies. Without a key the group is the name, as existing SDKs write it.
 * UN_ERR_BAD_NAME for key or group; UN_ERR_INVALID for a version that is no number from 1, an
 * env_var that cannot be one, or an unknown mount. */
MUST_CHECK enum un_err secret_request_init(struct secret_request *request,
                                           const struct secret_request_fields *fields,
                                           struct un_detail *detail);
MUST_CHECK enum un_err secret_request_unpack(struct secret_request *request,
                                             const Flyteidl__Core__Secret *message,
                                             struct un_detail *detail);

struct secret_env {
	char name[SECRET_ENV_MAX];
	size_t request; /* index: whose value it holds */
	bool is_path;   /* it holds the path of files[file], not the value */
	size_t file;
};
struct secret_file {
	char path[SECRET_PATH_MAX]; /* relative: "key", "group/key", "group/version/key" */
	size_t request;
};

/* Every name under which a task sees its secrets. No two entries are the same, and no path is a
 * folder of another. */
struct secret_layout {
	struct secret_env *env;
	size_t env_count;
	struct secret_file *files;
	size_t file_count;
};
/* UN_ERR_MOUNT_COLLISION names both requests and what they collide on. UN_ERR_TOO_LARGE over
 * SECRET_REQUESTS_MAX. */
MUST_CHECK enum un_err secret_layout_init(struct secret_layout *layout,
                                          const struct secret_request *requests, size_t count,
                                          struct un_detail *detail);
void secret_layout_fini(struct secret_layout *layout);
/* Whether the value itself goes into the environment. */
bool secret_request_is_env(const struct secret_request *request);

/* Whether `value` can be the value of the variable `env_name`. UN_ERR_NOT_FOR_ENVIRONMENT names the
 * secret and the reason. Never quotes a byte of the value. */
MUST_CHECK enum un_err secret_env_check_value(const char *env_name, const char *secret_name,
                                              const void *value, size_t len,
                                              struct un_detail *detail);

#endif
