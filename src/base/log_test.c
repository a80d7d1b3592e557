#include "base/log.h"

#include "test.h"

#include <fcntl.h>
#include <unistd.h>

static int fds[2];

static void
start(enum log_level most)
{
	EXPECT_INT(0, pipe2(fds, O_CLOEXEC | O_NONBLOCK));
	log_set(fds[1], most);
}

/* What was logged since start(); without the time, which changes. */
static const char *
logged(void)
{
	static char text[16384];
	ssize_t len = read(fds[0], text, sizeof text - 1);
	const char *after_time;

	text[len > 0 ? len : 0] = '\0';
	log_set(2, LOG_LEVEL_NOTICE);
	(void)close(fds[0]);
	(void)close(fds[1]);
	after_time = strchr(text, ' ');
	return after_time ? after_time + 1 : text;
}

TEST(log, writes_one_line_of_logfmt)
{
	start(LOG_LEVEL_INFO);
	log_info("store", "migrated to schema %d", 3);
	EXPECT_STR("level=info area=store msg=\"migrated to schema 3\"\n", logged());
}

TEST(log, drops_what_is_above_its_level)
{
	start(LOG_LEVEL_WARN);
	log_notice("store", "no");
	log_debug("store", "no");
	EXPECT_STR("", logged());
}

TEST(log, a_foreign_string_cannot_forge_a_line_or_end_its_quotes)
{
	start(LOG_LEVEL_ERROR);
	log_error("rpc", "from %s", "a\"\nlevel=notice\\ \x1b[2J\x7f");
	EXPECT_STR("level=error area=rpc msg=\"from a\\\"\\x0alevel=notice\\\\ \\x1b[2J\\x7f\"\n",
	           logged());
}

TEST(log, a_long_text_is_cut_to_one_whole_line)
{
	char huge[3 * LOG_LINE_MAX];
	const char *line;

	for (int c = 1; c < 256; c += 96) {
		memset(huge, c, sizeof huge);
		huge[sizeof huge - 1] = '\0';
		start(LOG_LEVEL_ERROR);
		log_error("rpc", "%s", huge);
		line = logged();
		EXPECT(strlen(line) < LOG_LINE_MAX + 128);
		EXPECT_STR("\"\n", line + strlen(line) - 2);
		EXPECT(strchr(line, '\n') == line + strlen(line) - 1);
	}
}

TEST(log, knows_its_levels_by_name)
{
	enum log_level level = LOG_LEVEL_ERROR;

	EXPECT_OK(log_level_parse("debug", &level));
	EXPECT_INT(LOG_LEVEL_DEBUG, level);
	EXPECT_ERR(UN_ERR_INVALID, log_level_parse("DEBUG", &level));
	EXPECT_ERR(UN_ERR_INVALID, log_level_parse("", &level));
	EXPECT_INT(LOG_LEVEL_DEBUG, level);
}

TEST_MAIN()
