#include "net/address.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <string.h>

#define BLANKS " \t"

/* The port behind the last colon, and what stands before it without brackets. */
static bool
split(const char *text, size_t len, struct net_address *address)
{
	const char *colon = memrchr(text, ':', len);
	char port_text[6] = "";
	size_t host_len = colon ? (size_t)(colon - text) : 0;
	size_t port_len = colon ? len - host_len - 1 : 0;
	bool bracketed = host_len > 2 && text[0] == '[' && text[host_len - 1] == ']';
	uint64_t port;

	if (bracketed) {
		text++;
		host_len -= 2;
	}
	if (!host_len || host_len >= sizeof address->host || port_len >= sizeof port_text)
		return false;
	memcpy(address->host, text, host_len);
	address->host[host_len] = '\0';
	if (bracketed != (strchr(address->host, ':') != NULL))
		return false;
	memcpy(port_text, colon + 1, port_len);
	if (text_parse_u64(port_text, &port) || port > UINT16_MAX)
		return false;
	address->port = (uint16_t)port;
	return true;
}

static bool
parse_one(const char *text, size_t len, struct net_address *address)
{
	struct in_addr in4;
	struct in6_addr in6;

	if (!split(text, len, address))
		return false;
	if (inet_pton(AF_INET, address->host, &in4) == 1) {
		address->loopback = ntohl(in4.s_addr) >> 24 == 127;
		return true;
	}
	if (inet_pton(AF_INET6, address->host, &in6) != 1)
		return false;
	address->loopback = IN6_IS_ADDR_LOOPBACK(&in6);
	return true;
}

enum un_err
net_addresses_parse(const char *text, struct net_address ret_addresses[NET_ADDRESSES_MAX],
                    size_t *ret_count, struct un_detail *detail)
{
	size_t count = 0;

	for (const char *at = text + strspn(text, BLANKS); *at; at += strspn(at, BLANKS)) {
		size_t len = strcspn(at, BLANKS);

		if (count == NET_ADDRESSES_MAX)
			return un_fail(detail, UN_ERR_BAD_CONFIG, "more than %d addresses: '%s'",
			               NET_ADDRESSES_MAX, text);
		if (!parse_one(at, len, &ret_addresses[count++])) {
			un_hint(detail, "such as 0.0.0.0:443, [::]:443 or 127.0.0.1:8080");
			return un_fail(detail, UN_ERR_BAD_CONFIG,
			               "'%.*s' is not a numeric address with a port", (int)len, at);
		}
		at += len;
	}
	if (!count)
		return un_fail(detail, UN_ERR_BAD_CONFIG, "'%s' has no address", text);
	*ret_count = count;
	return UN_OK;
}
