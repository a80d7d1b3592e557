#include "services/own_url.h"

#include <stdio.h>
#include <string.h>

#define AUTHORITY_MAX 255

enum un_err
own_url(const struct net_peer *peer, const char *authority, char text[OWN_URL_MAX],
        struct un_detail *detail)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    ".-_:[]";

	if (!authority[0])
		authority = "localhost";
	if (strlen(authority) > AUTHORITY_MAX || authority[strspn(authority, plain)])
		return un_fail(detail, UN_ERR_INVALID, "the host that was asked for is malformed");
	(void)snprintf(text, OWN_URL_MAX, "%s://%s", peer->tls ? "https" : "http", authority);
	return UN_OK;
}
