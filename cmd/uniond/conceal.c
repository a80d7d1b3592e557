#include "conceal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum un_err
add(struct buf *list, const char *path, struct un_detail *detail)
{
	if (strchr(path, ':'))
		return un_fail(detail, UN_ERR_BAD_CONFIG, "the path '%s' must have no colon", path);
	return buf_appendf(list, "%s%s", list->len ? ":" : "", path);
}

static bool
is_within(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* A file is covered as what it is now: one that replaces it, as renewed certificates do, would be
 * seen. So it is its folder, where that is for nobody else; but never a whole home. */
static enum un_err
add_file(struct buf *list, const char *path, const char *home, struct un_detail *detail)
{
	char real[PATH_MAX], folder[PATH_MAX];
	struct stat facts;
	char *slash;

	if (!path[0] || !realpath(path, real))
		return UN_OK;
	memcpy(folder, real, sizeof folder);
	slash = strrchr(folder, '/');
	*slash = '\0';
	if (slash == folder || stat(folder, &facts) != 0 || facts.st_mode & S_IXOTH ||
	    (home && is_within(home, folder)))
		return add(list, real, detail);
	return add(list, folder, detail);
}

static enum un_err
add_own(struct buf *list, const char *home)
{
	static const char *const names[] = {".config/union", ".local/state/union",
	                                    ".union",        ".unionai",
	                                    ".uctl",         ".flyte",
	                                    ".ssh",          ".gnupg"};
	enum un_err err = UN_OK;

	for (size_t i = 0; i < sizeof names / sizeof *names && !err; i++)
		err = buf_appendf(list, "%s%s/%s", list->len ? ":" : "", home, names[i]);
	return err;
}

/* A service user's home may be "/", /usr/sbin or /nonexistent: those are not its own. */
static bool
is_own_home(const char *home)
{
	struct stat facts;

	if (stat(home, &facts) != 0 || !S_ISDIR(facts.st_mode) || facts.st_uid != geteuid())
		return false;
	return geteuid() != 0 || strcmp(home, "/root") == 0 || strncmp(home, "/home/", 6) == 0 ||
	       !(facts.st_mode & S_IXOTH);
}

enum un_err
conceal_list(const struct config *config, const char *home, struct buf *list,
             struct un_detail *detail)
{
	const char *const files[] = {config->file, config->tls_certificate, config->tls_key,
	                             config->tls_client_ca, config->passphrase_file};
	char real[PATH_MAX];
	enum un_err err = UN_OK;

	if (!home || home[0] != '/' || strchr(home, ':') || !realpath(home, real) ||
	    strcmp(real, "/") == 0)
		home = NULL;
	else
		home = real;
	for (size_t i = 0; i < sizeof files / sizeof *files && !err; i++)
		err = add_file(list, files[i], home, detail);
	if (!err && home && config->embedded)
		err = add_own(list, home);
	else if (!err && home && is_own_home(home))
		err = add(list, home, detail);
	if (!err && config->tasks_hide[0])
		err = buf_appendf(list, "%s%s", list->len ? ":" : "", config->tasks_hide);
	return err;
}
