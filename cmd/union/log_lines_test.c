#include "log_lines.h"

#include "test.h"

#include <stdlib.h>

struct fixture {
	char *text;
	size_t len;
	FILE *out;
	struct log_lines *lines;
};

static void
begin(struct fixture *f, bool terminal)
{
	*f = (struct fixture){0};
	f->out = open_memstream(&f->text, &f->len);
	EXPECT_OK(log_lines_new(f->out, terminal, &f->lines));
}

static void
push(struct fixture *f, const char *node, uint32_t attempt, const char *text)
{
	EXPECT_OK(log_lines_push(f->lines, node, attempt, (const uint8_t *)text, strlen(text)));
}

static void
end(struct fixture *f, const char *expected)
{
	(void)fflush(f->out);
	EXPECT_STR(expected, f->text);
	log_lines_free(f->lines);
	(void)fclose(f->out);
	free(f->text); /* of open_memstream */
}

TEST(log_lines, joins_a_line_that_comes_in_pieces)
{
	struct fixture f;

	begin(&f, false);
	push(&f, "n0", 0, "hel");
	push(&f, "n1", 0, "other\n");
	push(&f, "n0", 0, "lo\nworld\n\npart");
	end(&f, "n1 | other\nn0 | hello\nn0 | world\nn0 | \n");
}

TEST(log_lines, writes_what_has_no_end_when_the_attempt_is_over)
{
	struct fixture f;

	begin(&f, false);
	push(&f, "n0", 1, "part");
	push(&f, "n1", 0, "stays");
	log_lines_flush(f.lines, "n0");
	end(&f, "n0#2 | part\n");
}

TEST(log_lines, a_terminal_gets_no_control_characters_in_either_form)
{
	static const char text[] = "a\x1b]0;b\x07\xc2\x9b" "31m\x7f\xc3\x9b\tc\xc2\n";
	struct fixture f;

	begin(&f, true);
	push(&f, "n0", 0, text);
	end(&f, "n0 | a ]0;b  31m \xc3\x9b\tc\xc2\n");
	begin(&f, false);
	push(&f, "n0", 0, "a\x1b]0;b\xc2\x9b\n");
	end(&f, "n0 | a\x1b]0;b\xc2\x9b\n");
}

TEST(log_lines, cuts_a_line_that_never_ends)
{
	static char large[LOG_LINE_MAX_BYTES + 11];
	char *expected = malloc(2 * sizeof large);
	struct fixture f;

	memset(large, 'x', sizeof large - 1);
	begin(&f, false);
	push(&f, "n0", 0, large);
	log_lines_flush(f.lines, NULL);
	(void)snprintf(expected, 2 * sizeof large, "n0 | %.*s\nn0 | xxxxxxxxxx\n",
	               LOG_LINE_MAX_BYTES, large);
	end(&f, expected);
	free(expected);
}

TEST(log_lines, lets_a_task_colour_a_terminal_and_nothing_else)
{
	struct fixture f;

	begin(&f, true);
	push(&f, "n0", 0, "\033[1;31mred\033[0m\ttab \033[2Jclear\007\n");
	end(&f, "n0 | \033[1;31mred\033[0m\ttab  [2Jclear \n");
	begin(&f, false);
	push(&f, "n0", 0, "\033[2J\n");
	end(&f, "n0 | \033[2J\n");
}

TEST_MAIN()
