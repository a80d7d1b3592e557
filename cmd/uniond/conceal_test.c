#include "conceal.h"

#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char home[64], open[96], shut[96], key[128], config[128];
};

static void
make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	EXPECT(fd >= 0);
	(void)close(fd);
}

/* A key in a folder for everybody, and a configuration in one for nobody else. */
static void
place_init(struct place *place, struct config *config)
{
	(void)snprintf(place->home, sizeof place->home, "/tmp/union-conceal-XXXXXX");
	EXPECT(mkdtemp(place->home) != NULL);
	(void)snprintf(place->open, sizeof place->open, "%s/open", place->home);
	(void)snprintf(place->shut, sizeof place->shut, "%s/shut", place->home);
	EXPECT_INT(0, mkdir(place->open, 0755));
	EXPECT_INT(0, mkdir(place->shut, 0700));
	(void)snprintf(place->key, sizeof place->key, "%s/tls.key", place->open);
	(void)snprintf(place->config, sizeof place->config, "%s/uniond.yaml", place->shut);
	make_file(place->key);
	make_file(place->config);
	config_init(config);
	(void)snprintf(config->tls_key, sizeof config->tls_key, "%s", place->key);
	(void)snprintf(config->file, sizeof config->file, "%s", place->config);
}

static void
place_fini(const struct place *place)
{
	EXPECT_INT(0, unlink(place->key));
	EXPECT_INT(0, unlink(place->config));
	EXPECT_INT(0, rmdir(place->open));
	EXPECT_INT(0, rmdir(place->shut));
	EXPECT_INT(0, rmdir(place->home));
}

static void
expect_list(const struct config *config, const char *home, const char *wanted)
{
	struct buf list;

	buf_init(&list, CONCEAL_LIST_MAX, BUF_PLAIN);
	EXPECT_OK(conceal_list(config, home, &list, NULL));
	EXPECT_STR(wanted, buf_text(&list));
	buf_fini(&list);
}

TEST(conceal, names_files_or_their_folder_where_others_cannot_pass_it)
{
	struct place place;
	struct config config;
	char wanted[400];

	place_init(&place, &config);
	(void)snprintf(wanted, sizeof wanted, "%s:%s", place.shut, place.key);
	expect_list(&config, NULL, wanted);
	(void)snprintf(config.tasks_hide, sizeof config.tasks_hide, "/a:/b");
	(void)snprintf(wanted, sizeof wanted, "%s:%s:/a:/b", place.shut, place.key);
	expect_list(&config, NULL, wanted);
	place_fini(&place);
}

TEST(conceal, never_hides_a_whole_home_for_a_file_in_it)
{
	struct place place;
	struct config config;
	char wanted[900];

	place_init(&place, &config);
	config.embedded = true;
	(void)snprintf(wanted, sizeof wanted,
	               "%s:%s:%s/.config/union:%s/.local/state/union:%s/.union:%s/.unionai:"
	               "%s/.uctl:%s/.flyte:%s/.ssh:%s/.gnupg",
	               place.config, place.key, place.shut, place.shut, place.shut, place.shut,
	               place.shut, place.shut, place.shut, place.shut);
	expect_list(&config, place.shut, wanted);
	place_fini(&place);
}

TEST(conceal, hides_the_home_of_a_servers_user_if_it_is_one)
{
	struct place place;
	struct config config;
	char wanted[400];

	place_init(&place, &config);
	(void)snprintf(wanted, sizeof wanted, "%s:%s:%s", place.shut, place.key, place.home);
	expect_list(&config, place.home, wanted);
	(void)snprintf(wanted, sizeof wanted, "%s:%s", place.shut, place.key);
	expect_list(&config, "/", wanted);
	expect_list(&config, "/usr/sbin", wanted);
	expect_list(&config, "/nonexistent", wanted);
	place_fini(&place);
}

TEST(conceal, refuses_what_a_list_with_colons_cannot_hold)
{
	struct config config;
	struct un_detail detail = {0};
	struct buf list;
	char path[] = "/tmp/union:conceal-XXXXXX";
	int fd = mkstemp(path);

	EXPECT(fd >= 0);
	(void)close(fd);
	config_init(&config);
	(void)snprintf(config.passphrase_file, sizeof config.passphrase_file, "%s", path);
	buf_init(&list, CONCEAL_LIST_MAX, BUF_PLAIN);
	EXPECT_ERR(UN_ERR_BAD_CONFIG, conceal_list(&config, NULL, &list, &detail));
	buf_fini(&list);
	(void)unlink(path);
}

TEST_MAIN()
