/* plane_services.h - the services of a plane, made once and offered by its server. */
#ifndef SERVICES_PLANE_SERVICES_H
#define SERVICES_PLANE_SERVICES_H

#include "rpc/server.h"
#include "services/plane_impl.h"

/* Puts services and routes into `options`; what they point to lives as long as the plane. */
void plane_services_offer(struct plane *plane, struct server_options *options);
/* Before the server drains. */
void plane_services_stop(struct plane *plane);
MUST_CHECK enum un_err plane_services_add_metrics(struct plane *plane, struct metrics *metrics);

#endif
