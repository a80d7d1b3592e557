#include "launch/task_secrets.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum un_err
open_one(struct task_secrets *secrets, size_t index, const Union__V1__AttemptSecret *sent,
         struct box_receiver *receiver, const uint8_t attempt[ATTEMPT_ID_LEN],
         struct un_detail *detail)
{
	struct secret_request_fields fields = {.key = sent->name,
	                                       .group = sent->group,
	                                       .group_version = sent->group_version,
	                                       .env_var = sent->env_var,
	                                       .mount = (int)sent->mount};
	struct secret_id id;
	struct delivery to = {.id = &id, .version = sent->version};
	struct secbuf *dek;
	enum un_err err = secret_request_init(&secrets->requests[index], &fields, detail);

	if (err)
		return err;
	err = secret_id_init(&id, sent->project, sent->domain, sent->name, detail);
	if (err)
		return err;
	memcpy(to.attempt, attempt, ATTEMPT_ID_LEN);
	err = envelope_open_delivery(receiver, &to, sent->boxed_dek.data, sent->boxed_dek.len,
	                             &dek);
	if (err)
		return un_fail(detail, err, "the key of secret '%s' does not open", sent->name);
	err = envelope_open_value(dek, &id, sent->sealed_value.data, sent->sealed_value.len,
	                          &secrets->values[index]);
	secbuf_free(dek);
	return err ? un_fail(detail, err, "the value of secret '%s' does not open", sent->name)
	           : UN_OK;
}

enum un_err
task_secrets_open(struct task_secrets *secrets, const Union__V1__ClaimResponse *claim,
                  struct box_receiver *receiver, const uint8_t attempt[ATTEMPT_ID_LEN],
                  struct un_detail *detail)
{
	size_t count = claim->n_secrets;
	enum un_err err;

	memset(secrets, 0, sizeof *secrets);
	if (count > SECRET_REQUESTS_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "more than %d secrets for one task",
		               SECRET_REQUESTS_MAX);
	secrets->requests = mem_zalloc(count + 1, sizeof *secrets->requests);
	secrets->values = mem_zalloc(count + 1, sizeof *secrets->values);
	err = secrets->requests && secrets->values ? UN_OK : UN_ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < count; i++) {
		secrets->count = i + 1;
		err = open_one(secrets, i, claim->secrets[i], receiver, attempt, detail);
	}
	if (!err)
		err = secret_layout_init(&secrets->layout, secrets->requests, count, detail);
	if (err)
		task_secrets_close(secrets);
	return err;
}

void
task_secrets_close(struct task_secrets *secrets)
{
	for (size_t i = 0; secrets->values && i < secrets->count; i++)
		secbuf_free(secrets->values[i]);
	for (size_t i = 0; i < secrets->path_count; i++)
		mem_free(secrets->paths[i]);
	secret_layout_fini(&secrets->layout);
	mem_free(secrets->requests);
	mem_free(secrets->values);
	mem_free(secrets->paths);
	memset(secrets, 0, sizeof *secrets);
}

enum un_err
task_secrets_redaction(const struct task_secrets *secrets, struct redact_set **ret_set,
                       struct buf *unseen)
{
	struct redact_set *set;
	enum un_err err = redact_set_new(&set);

	if (err)
		return err;
	for (size_t i = 0; !err && i < secrets->count; i++) {
		bool too_short = false;

		err = redact_set_add(set, secrets->requests[i].name, secrets->values[i],
		                     &too_short);
		if (!err && too_short)
			err = buf_appendf(unseen, "%s%s", unseen->len ? ", " : "",
			                  secrets->requests[i].name);
	}
	if (!err)
		err = redact_set_compile(set);
	if (err) {
		redact_set_free(set);
		return err;
	}
	*ret_set = set;
	return UN_OK;
}

/* Makes the folders above the last part of `path`. */
static enum un_err
make_parents(int dir_fd, const char *path)
{
	char partial[SECRET_PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof partial)
		return UN_ERR_TOO_LARGE;
	memcpy(partial, path, len + 1);
	for (char *at = partial; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdirat(dir_fd, partial, 0700) != 0 && errno != EEXIST)
			return un_err_from_errno(errno);
		*at = '/';
	}
	return UN_OK;
}

static enum un_err
write_file(int dir_fd, const char *path, const struct secbuf *value)
{
	int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	enum un_err err;

	if (fd < 0)
		return un_err_from_errno(errno);
	err = io_write_all(fd, secbuf_peek(value), secbuf_len(value));
	(void)close(fd);
	return err;
}

enum un_err
task_secrets_write(const struct task_secrets *secrets, int dir_fd, struct un_detail *detail)
{
	const char *first[SECRET_REQUESTS_MAX] = {0};

	for (size_t i = 0; i < secrets->layout.file_count; i++) {
		const struct secret_file *file = &secrets->layout.files[i];
		enum un_err err = make_parents(dir_fd, file->path);

		if (!err && !first[file->request])
			err = write_file(dir_fd, file->path, secrets->values[file->request]);
		else if (!err && linkat(dir_fd, first[file->request], dir_fd, file->path, 0) != 0)
			err = un_err_from_errno(errno);
		if (err)
			return un_fail(detail, err, "cannot make the file of secret '%s': %s",
			               secrets->requests[file->request].name, un_err_text(err));
		if (!first[file->request])
			first[file->request] = file->path;
	}
	return UN_OK;
}

static enum un_err
set_path(struct task_secrets *secrets, const struct secret_env *env, const char *folder,
         struct environment *environment)
{
	char path[PATH_MAX];
	int len =
		snprintf(path, sizeof path, "%s/%s", folder, secrets->layout.files[env->file].path);
	char *text;

	if (len < 0 || (size_t)len >= sizeof path)
		return UN_ERR_TOO_LARGE;
	text = mem_strdup(path);
	if (!text)
		return UN_ERR_NO_MEMORY;
	secrets->paths[secrets->path_count++] = text;
	return environment_set(environment, env->name, text);
}

/* Which variables will hold values: for the SDK, which hides them from other processes. */
static enum un_err
set_names(struct task_secrets *secrets, struct environment *environment)
{
	struct buf names;
	enum un_err err = UN_OK;
	char *text = NULL;

	if (secrets->count == 0)
		return UN_OK;
	buf_init(&names, ENVIRONMENT_STRING_MAX / 2, BUF_PLAIN);
	for (size_t i = 0; !err && i < secrets->layout.env_count; i++)
		if (!secrets->layout.env[i].is_path)
			err = buf_appendf(&names, "%s%s", names.len ? "," : "",
			                  secrets->layout.env[i].name);
	if (!err)
		text = mem_strdup(buf_text(&names));
	buf_fini(&names);
	if (err || !text)
		return err ? err : UN_ERR_NO_MEMORY;
	secrets->paths[secrets->path_count++] = text;
	return environment_set(environment, SECRET_NAMES_VARIABLE, text);
}

enum un_err
task_secrets_set(struct task_secrets *secrets, const char *folder, struct environment *environment,
                 struct un_detail *detail)
{
	enum un_err failed;

	secrets->paths = mem_zalloc(secrets->layout.env_count + 2, sizeof *secrets->paths);
	if (!secrets->paths)
		return UN_ERR_NO_MEMORY;
	failed = set_names(secrets, environment);
	if (failed)
		return failed;
	for (size_t i = 0; i < secrets->layout.env_count; i++) {
		const struct secret_env *env = &secrets->layout.env[i];
		const struct secbuf *value = secrets->values[env->request];
		enum un_err err;

		if (env->is_path) {
			err = set_path(secrets, env, folder, environment);
		} else {
			err = secret_env_check_value(env->name,
			                             secrets->requests[env->request].name,
			                             secbuf_peek(value), secbuf_len(value), detail);
			if (!err)
				err = environment_set_value(environment, env->name, value);
		}
		if (err)
			return err;
	}
	return UN_OK;
}
