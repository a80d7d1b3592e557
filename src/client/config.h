/* config.h - the small YAML file that names another control plane than one's own.
 *
 *   admin:
 *     endpoint: dns:///union.example.com     # or unix:///..., https://..., http://127.0.0.1:8080
 *     insecure: false                        # true: cleartext, on this machine only
 *     caCertFilePath: /etc/union/ca.pem
 *
 * A strict table: an unknown or repeated key is an error with its line. Any thread. */
#ifndef CLIENT_CONFIG_H
#define CLIENT_CONFIG_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_FILE_MAX 65536
#define CONFIG_TEXT_MAX 4096

struct config {
	char endpoint[CONFIG_TEXT_MAX]; /* empty: not given; ready for endpoint_parse */
	char ca_file[CONFIG_TEXT_MAX];
	bool insecure;
};

/* Reads `path`. UN_ERR_NOT_FOUND when there is no such file; UN_ERR_BAD_CONFIG names the line. */
MUST_CHECK enum un_err config_load(const char *path, struct config *ret_config,
                                   struct un_detail *detail);
/* The same from memory; `name` is for messages. */
MUST_CHECK enum un_err config_parse(const char *text, size_t len, const char *name,
                                    struct config *ret_config, struct un_detail *detail);

#endif
