/* Replays a corpus without libFuzzer: usage: replay_NAME FOLDER. Prints TAP, one line a file.
 *
 * Every file is given as it is, cut at 16 lengths, and MUTATIONS times with a few bytes changed.
 * The changes come from a fixed series, so a failure is found again. Each input is a heap block of
 * its exact size: the address sanitizer sees one byte read too many. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define INPUT_MAX (4u << 20)
#define MUTATIONS 200
#define MUTATED_LEN_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static uint64_t series;

static uint64_t
next_random(void)
{
	series ^= series << 13;
	series ^= series >> 7;
	series ^= series << 17;
	return series;
}

static bool
give(const uint8_t *bytes, size_t len)
{
	uint8_t *exact = mem_dup(bytes, len);

	if (!exact)
		return false;
	(void)LLVMFuzzerTestOneInput(exact, len);
	mem_free(exact);
	return true;
}

static bool
give_mutations(const struct buf *file)
{
	static const uint8_t telling[] = {0x00, 0xff, 0x7f, 0x80, 0x01, '"', '{', '\n'};
	uint8_t *copy = mem_alloc(file->len);
	bool fine = copy;

	for (unsigned i = 0; fine && i < MUTATIONS; i++) {
		uint64_t changes = 1 + next_random() % 4;

		memcpy(copy, file->data, file->len);
		while (changes--) {
			uint8_t *at = copy + next_random() % file->len;
			uint64_t how = next_random() % 3;

			if (how == 0)
				*at ^= (uint8_t)(1u << next_random() % 8);
			else if (how == 1)
				*at = telling[next_random() % sizeof telling];
			else
				*at = (uint8_t)next_random();
		}
		fine = give(copy, file->len);
	}
	mem_free(copy);
	return fine;
}

static bool
replay(int dir_fd, const char *name)
{
	struct buf file;
	bool fine;

	series = 0x9e3779b97f4a7c15u;
	buf_init(&file, INPUT_MAX, BUF_PLAIN);
	fine = io_read_file(dir_fd, name, &file) == UN_OK && give(file.data, file.len);
	for (size_t i = 0; fine && i < 16; i++)
		fine = give(file.data, file.len * i / 16);
	if (fine && file.len && file.len <= MUTATED_LEN_MAX)
		fine = give_mutations(&file);
	buf_fini(&file);
	return fine;
}

static int
is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
	struct dirent **files;
	int count, failed = 0, dir_fd;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	if (LLVMFuzzerInitialize)
		(void)LLVMFuzzerInitialize(&argc, &argv);
	dir_fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	count = scandir(argv[1], &files, is_file, alphasort);
	if (dir_fd < 0 || count <= 0) {
		(void)printf("Bail out! no corpus in %s\n", argv[1]);
		return 1;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		bool fine = replay(dir_fd, files[i]->d_name);

		(void)printf("%s %d - %s\n", fine ? "ok" : "not ok", i + 1, files[i]->d_name);
		failed += !fine;
		mem_free(files[i]);
	}
	mem_free(files);
	io_close(&dir_fd);
	return failed ? 1 : 0;
}
