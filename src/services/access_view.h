/* access_view.h - showing a change of keys and grants to every worker. */
#ifndef SERVICES_ACCESS_VIEW_H
#define SERVICES_ACCESS_VIEW_H

#include "services/plane.h"

/* After a change is durable and before it is answered, on the worker's loop. Where the new view
 * cannot be made nobody with an API key gets in, and it is tried again until it can. Begins a read:
 * what was lent is void. */
void access_view_refresh(struct plane_worker *worker);

#endif
