#include "model/secret_request.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* A name that a request would like to have. `wish`: only if nobody else has it. */
struct claim {
	char text[SECRET_ENV_MAX];
	size_t request;
	bool is_path;
	bool wish;
	bool dropped;
	const struct claim *same; /* the claim to the same bytes that it was dropped for, or NULL */
	size_t entry;             /* of the layout, once it stands there */
};

struct claims {
	struct claim *all;
	size_t count;
};

#define CLAIMS_PER_REQUEST                                                                         \
	8 /* files: 3 spellings, each as given and in lower case; or 3 variables */

static enum un_err
check_group(const char *group, struct un_detail *detail)
{
	enum un_err err;

	if (!*group)
		return UN_OK;
	err = name_check_secret(group, detail);
	if (err)
		un_hint(detail, "the group of a secret request is made of a-z A-Z 0-9 _ -");
	return err;
}

static enum un_err
parse_version(const char *text, const char *name, uint32_t *ret_version, struct un_detail *detail)
{
	uint64_t number = 0;

	*ret_version = 0;
	if (!*text)
		return UN_OK;
	if (strnlen(text, SECRET_VERSION_TEXT_MAX + 1) <= SECRET_VERSION_TEXT_MAX &&
	    *text != '0' && text_parse_u64(text, &number) == UN_OK && number <= UINT32_MAX) {
		*ret_version = (uint32_t)number;
		return UN_OK;
	}
	un_hint(detail, "group_version pins a version: a number from 1, as `union get secret %s` "
	                "shows it",
	        name);
	return un_fail(detail, UN_ERR_INVALID,
	               "the request for secret '%s' has a group_version that is no version", name);
}

static const char *
or_empty(const char *text)
{
	return text ? text : "";
}

enum un_err
secret_request_init(struct secret_request *request, const struct secret_request_fields *fields,
                    struct un_detail *detail)
{
	const char *key = or_empty(fields->key), *group = or_empty(fields->group);
	const char *env_var = or_empty(fields->env_var);
	struct secret_request made = {.mount = SECRET_MOUNT_ANY};
	enum un_err err;

	if (!*key) {
		key = group;
		group = "";
	}
	err = name_check_secret(key, detail);
	if (err)
		return err;
	err = check_group(group, detail);
	if (err)
		return err;
	err = parse_version(or_empty(fields->group_version), key, &made.version, detail);
	if (err)
		return err;
	if (*env_var) {
		err = name_check_env_var(env_var, detail);
		if (err)
			return err;
	}
	if (fields->mount < SECRET_MOUNT_ANY || fields->mount > SECRET_MOUNT_FILE)
		return un_fail(detail, UN_ERR_INVALID,
		               "the request for secret '%s' has an unknown mount_requirement (%d)",
		               key, fields->mount);
	memcpy(made.name, key, strlen(key) + 1);
	memcpy(made.group, group, strlen(group) + 1);
	memcpy(made.env_var, env_var, strlen(env_var) + 1);
	made.mount = (enum secret_mount)fields->mount;
	*request = made;
	return UN_OK;
}

enum un_err
secret_request_unpack(struct secret_request *request, const Flyteidl__Core__Secret *message,
                      struct un_detail *detail)
{
	struct secret_request_fields fields = {
	        .key = message->key,
	        .group = message->group,
	        .group_version = message->group_version,
	        .env_var = message->env_var,
	        .mount = (int)message->mount_requirement,
	};

	return secret_request_init(request, &fields, detail);
}

bool
secret_request_is_env(const struct secret_request *request)
{
	return request->mount == SECRET_MOUNT_ENV_VAR ||
	       (request->mount == SECRET_MOUNT_ANY && request->env_var[0]);
}

/* "group" SEP "version" SEP "name", without the parts that a request does not have. */
static void
join(const struct secret_request *request, char separator, bool with_version, char *text,
     size_t size)
{
	char version[SECRET_VERSION_TEXT_MAX + 2] = "";
	char group[SECRET_NAME_MAX + 2] = "";

	if (request->group[0])
		(void)snprintf(group, sizeof group, "%s%c", request->group, separator);
	if (with_version && request->version)
		(void)snprintf(version, sizeof version, "%u%c", request->version, separator);
	(void)snprintf(text, size, "%s%s%s", group, version, request->name);
}

static void
change_case(char *text, char first, char last)
{
	for (; *text; text++) {
		if (*text >= first && *text <= last)
			*text ^= 0x20;
	}
}

static struct claim *
add(struct claims *claims, size_t request, bool wish, const char *prefix, const char *text)
{
	struct claim *claim = &claims->all[claims->count++];

	*claim = (struct claim){.request = request, .wish = wish};
	(void)snprintf(claim->text, sizeof claim->text, "%s%s", prefix, text);
	return claim;
}

static void
claim_variables(struct claims *claims, const struct secret_request *request, size_t index)
{
	char text[SECRET_PATH_MAX];
	bool is_env = secret_request_is_env(request);

	if (request->env_var[0])
		add(claims, index, false, "", request->env_var)->is_path = !is_env;
	if (!is_env)
		return;
	join(request, '_', true, text, sizeof text);
	change_case(text, 'a', 'z');
	(void)add(claims, index, false, SECRET_ENV_PREFIX, text);
	join(request, '_', false, text, sizeof text);
	change_case(text, 'a', 'z');
	(void)add(claims, index, true, SECRET_ENV_PREFIX, text);
	(void)snprintf(text, sizeof text, "%s", request->name);
	change_case(text, 'a', 'z');
	(void)add(claims, index, true, SECRET_ENV_PREFIX, text);
}

static void
claim_files(struct claims *claims, const struct secret_request *request, size_t index)
{
	char texts[3][SECRET_PATH_MAX];

	if (secret_request_is_env(request))
		return;
	join(request, '/', true, texts[0], sizeof texts[0]);
	join(request, '/', false, texts[1], sizeof texts[1]);
	(void)snprintf(texts[2], sizeof texts[2], "%s", request->name);
	for (size_t i = 0; i < 3; i++) {
		(void)add(claims, index, i > 0, "", texts[i]);
		change_case(texts[i], 'A', 'Z');
		(void)add(claims, index, i > 0, "", texts[i]);
	}
}

/* Whether one of the two paths is a folder that the other lies in. */
static bool
is_nested(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b), shorter = a_len < b_len ? a_len : b_len;

	if (a_len == b_len || strncmp(a, b, shorter) != 0)
		return false;
	return (a_len < b_len ? b : a)[shorter] == '/';
}

/* One secret in one version: whoever asks for it gets the same bytes. */
static bool
same_bytes(const struct secret_request *a, const struct secret_request *b)
{
	return a->version == b->version && strcmp(a->name, b->name) == 0;
}

/* What the claims are about, and who made them. */
struct contest {
	const struct secret_request *requests;
	bool are_paths;
	struct un_detail *detail;
};

static enum un_err
fail_collision(const struct contest *contest, const struct claim *a, const struct claim *b)
{
	char full[2][SECRET_PATH_MAX];

	join(&contest->requests[a->request], '/', true, full[0], sizeof full[0]);
	join(&contest->requests[b->request], '/', true, full[1], sizeof full[1]);
	un_hint(contest->detail, "%s",
	        contest->are_paths ? "give one of them a group, or an env_var"
	                           : "give one of them another env_var, or mount one as a file: "
	                             "mount_requirement=union.Secret.MountType.FILE");
	return un_fail(contest->detail, UN_ERR_MOUNT_COLLISION,
	               "the requests for secrets '%s' and '%s' collide on the %s '%s'", full[0],
	               full[1], contest->are_paths ? "file" : "environment variable", b->text);
}

/* Settles two claims that cannot both stand: claims to the same bytes become one, a wish gives way,
 * and all else is a collision. A wish that was dropped goes on to keep other wishes off its name:
 * an ambiguous name must not depend on the order of the requests. */
static enum un_err
settle(const struct contest *contest, struct claim *a, struct claim *b)
{
	if (strcmp(a->text, b->text) == 0 && a->is_path == b->is_path &&
	    same_bytes(&contest->requests[a->request], &contest->requests[b->request])) {
		struct claim *loser = a->wish && !b->wish ? a : b;

		loser->dropped = true;
		loser->same = loser == a ? b : a;
	} else if (a->wish || b->wish) {
		a->dropped |= a->wish;
		b->dropped |= b->wish;
	} else {
		return fail_collision(contest, a, b);
	}
	return UN_OK;
}

static enum un_err
settle_all(const struct contest *contest, struct claims *claims)
{
	for (size_t i = 0; i < claims->count; i++) {
		for (size_t j = i + 1; j < claims->count; j++) {
			struct claim *a = &claims->all[i], *b = &claims->all[j];
			enum un_err err;

			if (strcmp(a->text, b->text) != 0 &&
			    !(contest->are_paths && is_nested(a->text, b->text)))
				continue;
			err = settle(contest, a, b);
			if (err)
				return err;
		}
	}
	return UN_OK;
}

/* The layout's entry of the first file of `request`: its own, or the one it shares. */
static size_t
first_file(const struct claims *files, size_t request)
{
	const struct claim *claim = files->all;

	while (claim->request != request)
		claim++;
	while (claim->dropped)
		claim = claim->same;
	return claim->entry;
}

static enum un_err
take_files(struct secret_layout *layout, struct claims *claims)
{
	layout->files = mem_zalloc(claims->count, sizeof *layout->files);
	if (!layout->files)
		return UN_ERR_NO_MEMORY;
	for (size_t i = 0; i < claims->count; i++) {
		struct claim *claim = &claims->all[i];
		struct secret_file *file = &layout->files[layout->file_count];

		if (claim->dropped)
			continue;
		memcpy(file->path, claim->text, sizeof file->path);
		file->request = claim->request;
		claim->entry = layout->file_count++;
	}
	return UN_OK;
}

/* After take_files. */
static enum un_err
take_variables(struct secret_layout *layout, const struct claims *claims,
               const struct claims *files)
{
	layout->env = mem_zalloc(claims->count, sizeof *layout->env);
	if (!layout->env)
		return UN_ERR_NO_MEMORY;
	for (size_t i = 0; i < claims->count; i++) {
		const struct claim *claim = &claims->all[i];
		struct secret_env *env = &layout->env[layout->env_count];

		if (claim->dropped)
			continue;
		memcpy(env->name, claim->text, sizeof env->name);
		env->request = claim->request;
		env->is_path = claim->is_path;
		env->file = claim->is_path ? first_file(files, claim->request) : 0;
		layout->env_count++;
	}
	return UN_OK;
}

enum un_err
secret_layout_init(struct secret_layout *layout, const struct secret_request *requests,
                   size_t count, struct un_detail *detail)
{
	struct secret_layout made = {.env = NULL};
	struct claims env = {.all = NULL}, files = {.all = NULL};
	struct contest over_env = {requests, false, detail}, over_files = {requests, true, detail};
	enum un_err err = UN_ERR_NO_MEMORY;

	if (count > SECRET_REQUESTS_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE,
		               "%zu secret requests; at most %d are possible for one task", count,
		               SECRET_REQUESTS_MAX);
	env.all = mem_zalloc(count * CLAIMS_PER_REQUEST, sizeof *env.all);
	files.all = mem_zalloc(count * CLAIMS_PER_REQUEST, sizeof *files.all);
	if (!env.all || !files.all)
		goto out;
	for (size_t i = 0; i < count; i++) {
		claim_variables(&env, &requests[i], i);
		claim_files(&files, &requests[i], i);
	}
	err = settle_all(&over_env, &env);
	if (!err)
		err = settle_all(&over_files, &files);
	if (!err)
		err = take_files(&made, &files);
	if (!err)
		err = take_variables(&made, &env, &files);
	if (err)
		secret_layout_fini(&made);
	else
		*layout = made;
out:
	mem_free(env.all);
	mem_free(files.all);
	return err;
}

void
secret_layout_fini(struct secret_layout *layout)
{
	mem_free(layout->env);
	mem_free(layout->files);
	*layout = (struct secret_layout){.env = NULL};
}

enum un_err
secret_env_check_value(const char *env_name, const char *secret_name, const void *value,
                       size_t len, struct un_detail *detail)
{
	size_t name_len = strlen(env_name);

	if (memchr(value, 0, len))
		return un_fail(detail, UN_ERR_NOT_FOR_ENVIRONMENT,
		               "the value of secret '%s' cannot be the environment variable '%s': "
		               "it holds a NUL byte",
		               secret_name, env_name);
	if (len > SECRET_ENV_STRING_MAX || name_len + 1 + len > SECRET_ENV_STRING_MAX)
		return un_fail(detail, UN_ERR_NOT_FOR_ENVIRONMENT,
		               "the value of secret '%s' cannot be the environment variable '%s': "
		               "name and value are longer than %d bytes",
		               secret_name, env_name, SECRET_ENV_STRING_MAX);
	return UN_OK;
}
