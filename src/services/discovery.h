/* discovery.h - how clients find out where to log in: OAuth2 metadata, and who they are then.
 *
 * flyteidl.service.AuthMetadataService and flyteidl2.auth.AuthMetadataService, their JSON forms
 * (RFC 8414), IdentityService and /me. All but the last two are anonymous. URLs are made of the
 * authority that the client asked for, and the scheme it asked with. */
#ifndef SERVICES_DISCOVERY_H
#define SERVICES_DISCOVERY_H

#include "base/buf.h"
#include "rpc/service.h"
#include "rpc/web.h"

#define DISCOVERY_TOKEN_PATH "/oauth2/token"
#define DISCOVERY_ROUTE_COUNT 3

extern const struct rpc_service auth_metadata_service;
extern const struct rpc_service identity_service;
extern const struct http_route discovery_routes[DISCOVERY_ROUTE_COUNT];

#endif
