#include "runs/bundles.h"

#include "base/clock.h"
#include "base/io.h"
#include "runs/logs.h"
#include "store/testing.h"
#include "test.h"

#include <md5.h>

static const char content[] = "the code";

static struct upload_grant
grant_for(const char *text)
{
	struct upload_grant grant = {
		.at = {"p", "d"}, .len = strlen(text), .deadline_ms = clock_mono_ms() + 60000};
	MD5_CTX md5;

	MD5Init(&md5);
	MD5Update(&md5, (const uint8_t *)text, strlen(text));
	MD5Final(grant.md5, &md5);
	return grant;
}

struct fixture {
	struct scratch scratch;
	struct bundles *bundles;
};

static struct fixture
begin(void)
{
	struct fixture f = {.scratch = scratch_begin()};

	EXPECT_OK(bundles_open(f.scratch.dir, &f.bundles, NULL));
	return f;
}

static void
end(struct fixture *f)
{
	DIR *dir = fdopendir(dup(bundles_fd(f->bundles)));
	const struct dirent *entry;

	rewinddir(dir);
	while ((entry = readdir(dir)) != NULL)
		(void)unlinkat(bundles_fd(f->bundles), entry->d_name, 0);
	closedir(dir);
	(void)unlinkat(f->scratch.dir_fd, "bundles", AT_REMOVEDIR);
	bundles_close(f->bundles);
	scratch_end(&f->scratch);
}

static unsigned
files(const struct fixture *f)
{
	DIR *dir = fdopendir(dup(bundles_fd(f->bundles)));
	unsigned count = 0;

	rewinddir(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count - 2;
}

TEST(bundles, what_is_uploaded_is_found_under_its_url)
{
	struct fixture f = begin();
	struct upload_grant grant = grant_for(content);
	char token[UPLOAD_TOKEN_TEXT], url[BUNDLE_URL_MAX];
	struct upload *upload;
	uint64_t len;
	int fd;

	EXPECT_OK(bundles_grant(f.bundles, &grant, token));
	bundles_url(&grant, url);
	EXPECT_ERR(UN_ERR_NOT_FOUND, bundles_open_url(bundles_fd(f.bundles), url, &fd, &len));
	EXPECT_OK(upload_begin(f.bundles, token, &upload));
	EXPECT_OK(upload_push(upload, (const uint8_t *)content, 3));
	EXPECT_OK(upload_push(upload, (const uint8_t *)content + 3, strlen(content) - 3));
	EXPECT_OK(upload_end(upload, NULL));
	upload_free(upload);
	EXPECT_OK(bundles_open_url(bundles_fd(f.bundles), url, &fd, &len));
	EXPECT_INT(strlen(content), len);
	close(fd);
	EXPECT_INT(1, files(&f));
	end(&f);
}

TEST(bundles, an_address_is_good_once_for_a_while_and_for_one_content)
{
	struct fixture f = begin();
	struct upload_grant grant = grant_for(content), late = grant_for(content);
	char token[UPLOAD_TOKEN_TEXT], other[UPLOAD_TOKEN_TEXT];
	struct upload *upload = NULL;

	EXPECT_OK(bundles_grant(f.bundles, &grant, token));
	memcpy(other, token, sizeof other);
	other[0] = other[0] == '0' ? '1' : '0';
	EXPECT_ERR(UN_ERR_DENIED, upload_begin(f.bundles, other, &upload));
	EXPECT_ERR(UN_ERR_DENIED, upload_begin(f.bundles, "../../etc/passwd", &upload));
	EXPECT_OK(upload_begin(f.bundles, token, &upload));
	EXPECT_ERR(UN_ERR_TOO_LARGE, upload_push(upload, (const uint8_t *)content, 100));
	EXPECT_OK(upload_push(upload, (const uint8_t *)"THE CODE", 8));
	EXPECT_ERR(UN_ERR_BUNDLE_REFUSED, upload_end(upload, NULL));
	upload_free(upload);
	EXPECT_INT(0, files(&f));
	upload = NULL;
	EXPECT_ERR(UN_ERR_DENIED, upload_begin(f.bundles, token, &upload));
	late.deadline_ms = clock_mono_ms() - 1;
	EXPECT_OK(bundles_grant(f.bundles, &late, token));
	EXPECT_ERR(UN_ERR_DENIED, upload_begin(f.bundles, token, &upload));
	EXPECT_NULL(upload);
	end(&f);
}

TEST(bundles, an_address_outlives_a_restart_and_an_upload_that_broke_off)
{
	struct fixture f = begin();
	struct upload_grant grant = grant_for(content), late = grant_for(content);
	char token[UPLOAD_TOKEN_TEXT], over[UPLOAD_TOKEN_TEXT];
	struct upload *upload = NULL, *other = NULL;

	EXPECT_OK(bundles_grant(f.bundles, &grant, token));
	late.deadline_ms = clock_mono_ms() - 1;
	EXPECT_OK(bundles_grant(f.bundles, &late, over));
	EXPECT_OK(upload_begin(f.bundles, token, &upload));
	EXPECT_ERR(UN_ERR_DENIED, upload_begin(f.bundles, token, &other));
	EXPECT_OK(upload_push(upload, (const uint8_t *)content, 3));
	upload_free(upload);
	EXPECT_OK(upload_begin(f.bundles, token, &upload));
	upload_free(upload);
	bundles_close(f.bundles);
	EXPECT_OK(bundles_open(f.scratch.dir, &f.bundles, NULL));
	EXPECT_INT(1, files(&f)); /* that of the other is removed */
	EXPECT_ERR(UN_ERR_DENIED, upload_begin(f.bundles, over, &other));
	EXPECT_OK(upload_begin(f.bundles, token, &upload));
	EXPECT_OK(upload_push(upload, (const uint8_t *)content, strlen(content)));
	EXPECT_OK(upload_end(upload, NULL));
	upload_free(upload);
	EXPECT_ERR(UN_ERR_DENIED, upload_begin(f.bundles, token, &other));
	bundles_close(f.bundles);
	EXPECT_OK(bundles_open(f.scratch.dir, &f.bundles, NULL));
	EXPECT_ERR(UN_ERR_DENIED, upload_begin(f.bundles, token, &other));
	EXPECT_INT(1, files(&f)); /* the bundle */
	end(&f);
}

TEST(bundles, a_url_that_is_not_ours_opens_nothing)
{
	static const char *const urls[] = {
		"",
		"/etc/passwd",
		"union-bundle://",
		"union-bundle://p/d/x.tar.gz",
		"union-bundle://p/d/00000000000000000000000000000000",
		"union-bundle://p/d/00000000000000000000000000000000.tar.gz/..",
		"union-bundle://../d/00000000000000000000000000000000.tar.gz",
		"union-bundle://-p/d/00000000000000000000000000000000.tar.gz",
		"file://p/d/00000000000000000000000000000000.tar.gz"};
	struct fixture f = begin();
	uint64_t len;
	int fd = -1;

	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
		EXPECT_ERR(UN_ERR_INVALID,
		           bundles_open_url(bundles_fd(f.bundles), urls[i], &fd, &len));
	EXPECT_INT(-1, fd);
	end(&f);
}

TEST(bundles, waiting_addresses_are_limited)
{
	struct fixture f = begin();
	struct upload_grant grant = grant_for(content);
	char token[UPLOAD_TOKEN_TEXT];

	for (int i = 0; i < UPLOADS_WAITING_MAX; i++) {
		(void)snprintf(grant.at.project, sizeof grant.at.project, "p%d",
		               i / UPLOADS_OF_A_PROJECT_MAX);
		EXPECT_OK(bundles_grant(f.bundles, &grant, token));
	}
	(void)snprintf(grant.at.project, sizeof grant.at.project, "other");
	EXPECT_ERR(UN_ERR_AGAIN, bundles_grant(f.bundles, &grant, token));
	end(&f);
}

TEST(bundles, one_project_does_not_take_the_addresses_of_all)
{
	struct fixture f = begin();
	struct upload_grant grant = grant_for(content);
	char token[UPLOAD_TOKEN_TEXT];

	for (int i = 0; i < UPLOADS_OF_A_PROJECT_MAX; i++) {
		(void)snprintf(grant.at.domain, sizeof grant.at.domain, "d%d", i);
		EXPECT_OK(bundles_grant(f.bundles, &grant, token));
	}
	EXPECT_ERR(UN_ERR_AGAIN, bundles_grant(f.bundles, &grant, token));
	(void)snprintf(grant.at.project, sizeof grant.at.project, "other");
	EXPECT_OK(bundles_grant(f.bundles, &grant, token));
	end(&f);
}

TEST(logs, a_piece_may_come_twice_and_never_goes_over_the_limit)
{
	const struct log_name name = {"r", 1, "n1-n0", 0};
	struct scratch scratch = scratch_begin();
	struct buf got;
	uint64_t len;
	int dir, fd;

	EXPECT_OK(logs_open_dir(scratch.dir, &dir, NULL));
	EXPECT_ERR(UN_ERR_NOT_FOUND, logs_open(dir, &name, &fd));
	for (int i = 0; i < 2; i++) {
		EXPECT_OK(logs_write(dir, &name,
		                     &(struct log_piece){0, (const uint8_t *)"hello ", 6, 10}, &len,
		                     NULL));
		EXPECT_OK(logs_write(dir, &name,
		                     &(struct log_piece){6, (const uint8_t *)"world", 5, 10}, &len,
		                     NULL));
		EXPECT_INT(10, len);
	}
	EXPECT_OK(logs_write(dir, &name, &(struct log_piece){50, (const uint8_t *)"x", 1, 10}, &len,
	                     NULL));
	EXPECT_OK(logs_open(dir, &name, &fd));
	buf_init(&got, 100, BUF_PLAIN);
	EXPECT_OK(io_read_all(fd, &got));
	EXPECT_STR("hello worl", buf_text(&got));
	buf_fini(&got);
	close(fd);
	(void)unlinkat(dir, "r.1/n1-n0.0.log", 0);
	(void)unlinkat(dir, "r.1", AT_REMOVEDIR);
	close(dir);
	(void)unlinkat(scratch.dir_fd, "logs", AT_REMOVEDIR);
	scratch_end(&scratch);
}

TEST_MAIN()
