/* ready.h - what uniond says on the descriptor that its starter gave it.
 *
 * One line: "ready", or "error SLUG MESSAGE HINT" with message and hint percent-encoded ("%" stands
 * for an empty one). Then the descriptor is closed. A starter that reads the end without a line
 * knows that uniond died. */
#ifndef READY_READY_H
#define READY_READY_H

#include "base/err.h"

/* Both close `fd`; -1 is fine: nobody asked. */
void ready_say(int fd);
void ready_refuse(int fd, enum un_err err, const struct un_detail *detail);

#endif
