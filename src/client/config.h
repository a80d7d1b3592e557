/* config.h - the small YAML file that names another control plane than one's own, and how to log
 * in.
 *
 *   admin:
 *     endpoint: dns:///union.example.com     # or unix:///..., https://..., http://127.0.0.1:8080
 *     insecure: false                        # true: cleartext, on this machine only
 *     caCertFilePath: /etc/union/ca.pem
 *     clientCertFilePath: /etc/union/me.pem  # where the server asks for a certificate, and
 *     clientKeyFilePath: /etc/union/me.key   # its key
 *     authType: ClientSecret                 # or ExternalCommand
 *     clientId: ci
 *     clientSecretEnvVar: UNION_CLIENT_SECRET  # or clientSecretLocation: FILE
 *
 * The format is the one that other clients read and write: their sections beside admin (logger,
 * union, task, ...) are passed over. In admin a strict table: an unknown or repeated key is an
 * error with its line. Any thread. */
#ifndef CLIENT_CONFIG_H
#define CLIENT_CONFIG_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_FILE_MAX 65536
#define CONFIG_TEXT_MAX 4096
#define CONFIG_WORD_MAX 256
#define CONFIG_COMMAND_WORDS_MAX 64

enum config_auth {
	CONFIG_AUTH_NONE, /* not given */
	CONFIG_AUTH_CLIENT_SECRET,
	CONFIG_AUTH_COMMAND,
	CONFIG_AUTH_BROWSER, /* Pkce and DeviceFlow, which nobody here can do */
	CONFIG_AUTH_OTHER,
};

struct config {
	char endpoint[CONFIG_TEXT_MAX]; /* empty: not given; ready for endpoint_parse */
	char ca_file[CONFIG_TEXT_MAX];
	char certificate_file[CONFIG_TEXT_MAX]; /* the client's own; both or none */
	char key_file[CONFIG_TEXT_MAX];
	bool insecure;
	bool skip_verify; /* insecureSkipVerify */
	enum config_auth auth;
	char auth_type[CONFIG_WORD_MAX]; /* as it was written */
	char client_id[CONFIG_WORD_MAX];
	char secret_env[CONFIG_WORD_MAX];
	char secret_file[CONFIG_TEXT_MAX];
	char scopes[CONFIG_TEXT_MAX]; /* separated by blanks */
	char audience[CONFIG_TEXT_MAX];
	/* The words of `command`, each ended by a NUL. */
	char command[CONFIG_TEXT_MAX];
	unsigned command_words;
	size_t command_len;
};

/* Reads `path`. UN_ERR_NOT_FOUND when there is no such file; UN_ERR_BAD_CONFIG names the line. */
MUST_CHECK enum un_err config_load(const char *path, struct config *ret_config,
                                   struct un_detail *detail);
/* The same from memory; `name` is for messages. */
MUST_CHECK enum un_err config_parse(const char *text, size_t len, const char *name,
                                    struct config *ret_config, struct un_detail *detail);

#endif
