/* looker_wire.h - what launcher and looker say to each other, over a stream socket of their own.
 *
 * The launcher asks, with the text and the bytes behind the question; a file's descriptor comes
 * with it. Each question but ASK_VALUE and ASK_BEGIN is answered by one `struct told`. Both are the
 * same program: numbers and layout are its own. */
#ifndef LAUNCH_LOOKER_WIRE_H
#define LAUNCH_LOOKER_WIRE_H

#include "guard/guard.h"
#include "launch/looker.h"

#include <sys/types.h>

#define LOOKER_FD 3 /* of the socket, in the looker */

enum ask_kind {
	ASK_VALUE = 1, /* text: its secret's name; bytes: itself */
	ASK_BEGIN,     /* all values are told */
	ASK_OUTPUTS,   /* bytes: a packed LiteralMap */
	ASK_FILE,      /* text: its path; a descriptor; len is its size, and no bytes come */
	ASK_FLAT,      /* the same, and it is only searched */
};

struct ask {
	uint32_t kind;
	uint32_t text_len;
	uint64_t len;
};

struct told {
	int32_t err; /* UN_OK, UN_ERR_RESULT_HAS_SECRET, UN_ERR_NO_MEMORY */
	uint32_t blind_count;
	char secret[SECRET_NAME_MAX + 1];
	char path[GUARD_PATH_MAX + 1];
	char blind[GUARD_BLIND_SHOWN][GUARD_PATH_MAX + 80];
};

/* In the new process, with its end of the socket. */
_Noreturn void looker_run(const struct looker_options *options, int fd, pid_t parent);

#endif
