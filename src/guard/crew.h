/* crew.h - a few threads that wait for work, made before the process gives up the right to make
 * any.
 *
 * All run the same function beside whoever gave it to them. One user at a time. */
#ifndef GUARD_CREW_H
#define GUARD_CREW_H

#include "base/err.h"

#define CREW_MAX 3 /* beside the one who asks */

struct crew;

/* As many as there are other processors, CREW_MAX at most; with none it does nothing. */
MUST_CHECK enum un_err crew_new(struct crew **ret_crew);
void crew_free(struct crew *crew); /* NULL is fine, here and below */

/* Each thread calls work(ctx) once; crew_wait returns when all have. */
void crew_start(struct crew *crew, void (*work)(void *ctx), void *ctx);
void crew_wait(struct crew *crew);

#endif
