/* wake.h - Ctrl-C, SIGTERM and SIGHUP as a readable descriptor, so that waits end and nothing else
 * is disturbed. One thread, once a process. */
#ifndef UNION_WAKE_H
#define UNION_WAKE_H

#include "cli.h"

/* From now on such a signal makes cli->wake_fd readable; the channel obeys it too. */
MUST_CHECK enum un_err wake_on_signals(struct cli *cli);

#endif
