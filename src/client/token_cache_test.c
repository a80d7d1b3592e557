#include "client/token_cache.h"

#include "crypto/hash.h"

#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW INT64_C(1000000000)

static char folder[64];
static struct secbuf *secret, *token;
static struct token_place place;

static void
set_up(void)
{
	EXPECT_OK(crypto_init());
	memcpy(folder, "/tmp/tokens-test-XXXXXX", 24);
	assert_non_null(mkdtemp(folder));
	assert_int_equal(rmdir(folder), 0);
	EXPECT_OK(secbuf_copy("secret", 6, &secret));
	EXPECT_OK(secbuf_copy("token", 5, &token));
	place = (struct token_place){folder, "https://h:443", "ci", secret};
}

/* The one file in the folder. */
static const char *
file(void)
{
	static char path[400];
	DIR *dir = opendir(folder);
	struct dirent *entry;

	assert_non_null(dir);
	path[0] = '\0';
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			(void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
	(void)closedir(dir);
	return path;
}

static void
tear_down(void)
{
	(void)chmod(folder, 0700);
	if (file()[0])
		(void)unlink(file());
	assert_int_equal(rmdir(folder), 0);
	secbuf_free(secret);
	secbuf_free(token);
}

static enum un_err
get(int64_t now_us)
{
	struct secbuf *got = NULL;
	int64_t until_us;
	enum un_err err = token_cache_get(&place, now_us, &got, &until_us, NULL);

	if (!err) {
		EXPECT(secbuf_equal(got, token));
		EXPECT_INT(NOW + 5, until_us);
	}
	secbuf_free(got);
	return err;
}

TEST(token_cache, keeps_a_token_until_its_time_is_over)
{
	struct stat st;

	set_up();
	EXPECT_ERR(UN_ERR_NOT_FOUND, get(NOW));
	EXPECT_OK(token_cache_put(&place, token, NOW + 5, NULL));
	EXPECT_OK(get(NOW));
	EXPECT_ERR(UN_ERR_NOT_FOUND, get(NOW + 5));
	assert_int_equal(stat(folder, &st), 0);
	EXPECT_INT(0700, st.st_mode & 0777);
	assert_int_equal(stat(file(), &st), 0);
	EXPECT_INT(0600, st.st_mode & 0777);
	token_cache_drop(&place);
	EXPECT_ERR(UN_ERR_NOT_FOUND, get(NOW));
	tear_down();
}

TEST(token_cache, keeps_a_token_for_one_endpoint_one_client_and_one_secret)
{
	struct secbuf *other = NULL;

	set_up();
	EXPECT_OK(token_cache_put(&place, token, NOW + 5, NULL));
	place.url = "https://h:444";
	EXPECT_ERR(UN_ERR_NOT_FOUND, get(NOW));
	place.url = "https://h:443";
	place.client = "cj";
	EXPECT_ERR(UN_ERR_NOT_FOUND, get(NOW));
	place.client = "ci";
	EXPECT_OK(secbuf_copy("secreT", 6, &other));
	place.secret = other;
	EXPECT_ERR(UN_ERR_NOT_FOUND, get(NOW));
	secbuf_free(other);
	place.secret = secret;
	EXPECT_OK(get(NOW));
	tear_down();
}

TEST(token_cache, refuses_what_is_open_to_others)
{
	set_up();
	EXPECT_OK(token_cache_put(&place, token, NOW + 5, NULL));
	assert_int_equal(chmod(file(), 0640), 0);
	EXPECT_ERR(UN_ERR_DENIED, get(NOW));
	assert_int_equal(chmod(file(), 0600), 0);
	assert_int_equal(chmod(folder, 0750), 0);
	EXPECT_ERR(UN_ERR_DENIED, get(NOW));
	EXPECT_ERR(UN_ERR_DENIED, token_cache_put(&place, token, NOW + 5, NULL));
	assert_int_equal(chmod(folder, 0700), 0);
	EXPECT_OK(get(NOW));
	tear_down();
}

TEST(token_cache, does_not_follow_a_link)
{
	char path[400];

	set_up();
	EXPECT_OK(token_cache_put(&place, token, NOW + 5, NULL));
	(void)snprintf(path, sizeof path, "%s", file());
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	EXPECT_ERR(UN_ERR_DENIED, get(NOW));
	tear_down();
}

TEST(token_cache, forgets_tokens_that_nobody_has_used_for_a_day)
{
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	char path[400];

	set_up();
	EXPECT_OK(token_cache_put(&place, token, NOW + 5, NULL));
	(void)snprintf(path, sizeof path, "%s", file());
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	place.client = "cj";
	EXPECT_OK(token_cache_put(&place, token, NOW + 5, NULL));
	EXPECT_OK(get(NOW));
	assert_int_equal(access(path, F_OK), -1);
	tear_down();
}

TEST(token_cache, passes_over_a_file_that_is_not_one_of_its_own)
{
	static const char *const bad[] = {
		"",
		"union token 1 ",
		"union token 1 \n",
		"union token 1 1000000005\n",
		"union token 2 1000000005\ntoken",
		"union token 1 x000000005\ntoken",
		"union token 1 99999999999999999999999\ntoken",
		"union token 1 18446744073709551615\ntoken",
		"token",
	};

	set_up();
	EXPECT_OK(token_cache_put(&place, token, NOW + 5, NULL));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int fd = open(file(), O_WRONLY | O_TRUNC);

		assert_int_equal(write(fd, bad[i], strlen(bad[i])), strlen(bad[i]));
		assert_int_equal(close(fd), 0);
		EXPECT_ERR(UN_ERR_NOT_FOUND, get(NOW));
	}
	tear_down();
}

TEST_MAIN()
