#include "client/endpoint.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define PORT_MAX 65535

static bool
is_loopback(const char *host)
{
	struct in_addr four;
	struct in6_addr six;

	if (strcmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return (ntohl(four.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static bool
host_is_plain(const char *host)
{
	for (const char *p = host; *p; p++) {
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		      (*p >= '0' && *p <= '9') || *p == '.' || *p == '-' || *p == '_' || *p == ':'))
			return false;
	}
	return host[0] != '\0';
}

/* Splits "host", "host:port", "[v6]" or "[v6]:port". */
static bool
split_authority(const char *text, size_t len, struct endpoint *endpoint)
{
	char copy[ENDPOINT_HOST_MAX + 8];
	char *host = copy, *port = NULL;
	uint64_t number;

	if (!len || len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (copy[0] == '[') {
		char *close = strchr(copy, ']');

		if (!close || (close[1] && close[1] != ':'))
			return false;
		host = copy + 1;
		port = close[1] ? close + 2 : NULL;
		*close = '\0';
	} else {
		port = strchr(copy, ':');
		if (port)
			*port++ = '\0';
	}
	if (port) {
		if (text_parse_u64(port, &number) || !number || number > PORT_MAX)
			return false;
		endpoint->port = (uint16_t)number;
	}
	if (!host_is_plain(host) || strlen(host) >= sizeof endpoint->host)
		return false;
	memcpy(endpoint->host, host, strlen(host) + 1);
	return true;
}

static enum un_err
bad(const char *text, struct un_detail *detail)
{
	un_hint(detail, "write unix:///path/of/socket, https://host:port or http://127.0.0.1:port");
	return un_fail(detail, UN_ERR_BAD_CONFIG, "this is not an endpoint: '%.200s'", text);
}

static enum un_err
parse_host(const char *text, const char *authority, struct endpoint *endpoint,
           struct un_detail *detail)
{
	size_t len = strcspn(authority, "/");

	if (strcmp(authority + len, "") != 0 && strcmp(authority + len, "/") != 0)
		return bad(text, detail);
	endpoint->port = endpoint->kind == ENDPOINT_HTTP ? 80 : 443;
	if (!split_authority(authority, len, endpoint))
		return bad(text, detail);
	if (endpoint->kind == ENDPOINT_HTTP && !is_loopback(endpoint->host)) {
		un_hint(detail, "use https://%s", endpoint->host);
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "cleartext http is for this machine only, not for '%s'",
		               endpoint->host);
	}
	return UN_OK;
}

enum un_err
endpoint_parse(const char *text, struct endpoint *ret_endpoint, struct un_detail *detail)
{
	struct endpoint endpoint = {.kind = ENDPOINT_HTTPS};
	const char *authority = text;
	enum un_err err;

	if (strncmp(text, "unix://", 7) == 0) {
		size_t len = strlen(text + 7);

		if ((text[7] != '/' && strncmp(text + 7, "./", 2) != 0) ||
		    len >= sizeof endpoint.path)
			return bad(text, detail);
		endpoint.kind = ENDPOINT_UNIX;
		memcpy(endpoint.path, text + 7, len + 1);
		*ret_endpoint = endpoint;
		return UN_OK;
	}
	if (strncmp(text, "http://", 7) == 0) {
		endpoint.kind = ENDPOINT_HTTP;
		authority = text + 7;
	} else if (strncmp(text, "https://", 8) == 0) {
		authority = text + 8;
	} else if (strncmp(text, "dns:///", 7) == 0) {
		authority = text + 7;
	} else if (strstr(text, "://")) {
		return bad(text, detail);
	}
	err = parse_host(text, authority, &endpoint, detail);
	if (err)
		return err;
	*ret_endpoint = endpoint;
	return UN_OK;
}

/* A path that is safe to write into a request line. */
static bool
path_is_plain(const char *path)
{
	for (const char *p = path; *p; p++) {
		if (*p <= 0x20 || *p >= 0x7f)
			return false;
	}
	return path[0] == '/' && strlen(path) < ENDPOINT_PATH_MAX;
}

enum un_err
endpoint_path_of(const struct endpoint *endpoint, const char *url, const char **ret_path,
                 struct un_detail *detail)
{
	const char *authority, *path = url;
	struct endpoint other = {.kind = ENDPOINT_HTTPS, .port = 443};

	if (url[0] != '/') {
		if (strncmp(url, "http://", 7) == 0) {
			other.kind = ENDPOINT_HTTP;
			other.port = 80;
			authority = url + 7;
		} else if (strncmp(url, "https://", 8) == 0) {
			authority = url + 8;
		} else {
			goto elsewhere;
		}
		path = authority + strcspn(authority, "/");
		if (!split_authority(authority, (size_t)(path - authority), &other))
			goto elsewhere;
		if (endpoint->kind == ENDPOINT_UNIX
		            ? other.kind != ENDPOINT_HTTP || strcmp(other.host, "localhost") != 0
		            : other.kind != endpoint->kind || other.port != endpoint->port ||
		                      strcmp(other.host, endpoint->host) != 0)
			goto elsewhere;
	}
	if (!path_is_plain(path))
		return un_fail(detail, UN_ERR_PROTOCOL, "the server sent a malformed URL");
	*ret_path = path;
	return UN_OK;
elsewhere:
	return un_fail(detail, UN_ERR_UNSUPPORTED, "the server points to another server: %.200s",
	               url);
}
