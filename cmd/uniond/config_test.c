#include "config.h"

#include "base/io.h"
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Reads `text` as a file, and checks it. */
static enum un_err
read_text(const char *text, struct config *config, struct un_detail *detail)
{
	char path[] = "/tmp/union-config.XXXXXX";
	int fd = mkstemp(path);
	enum un_err err;

	EXPECT(fd >= 0);
	EXPECT_OK(io_write_all(fd, text, strlen(text)));
	io_close(&fd);
	config_init(config);
	err = config_read(config, path, detail);
	(void)unlink(path);
	return err ? err : config_check(config, detail);
}

TEST(config, reads_every_key)
{
	struct config c;
	struct un_detail detail = {0};

	EXPECT_OK(read_text("data: /var/lib/union\nworkers: 3\nlisten:\n  unix: /run/u.sock\n"
	                    "  tcp: '127.0.0.1:8080'\ntls:\n  certificate: /c\n  key: /k\n"
	                    "log: {level: debug}\ntasks: {path: /opt/venv/bin:/usr/bin}\n",
	                    &c, &detail));
	EXPECT_STR("/opt/venv/bin:/usr/bin", c.tasks_path);
	EXPECT_STR("/var/lib/union", c.data_dir);
	EXPECT_INT(3, c.workers);
	EXPECT_STR("/run/u.sock", c.listen_unix);
	EXPECT_STR("127.0.0.1:8080", c.listen_tcp);
	EXPECT_STR("/k", c.tls_key);
	EXPECT_STR("debug", c.log_level);
}

TEST(config, has_a_guard_for_each_project)
{
	struct config c;
	struct un_detail detail = {0};

	EXPECT_OK(
		read_text("data: /x\nguard: {default: off, strict: 'fraud, risk'}\n", &c, &detail));
	EXPECT_INT(GUARD_STRICT, guard_policy_of(&c.guard, "risk"));
	EXPECT_INT(GUARD_OFF, guard_policy_of(&c.guard, "x"));
	EXPECT_ERR(UN_ERR_BAD_CONFIG, read_text("data: /x\nguard: {default: on}\n", &c, &detail));
}

TEST(config, listens_on_any_address_with_tls_or_on_purpose_without)
{
	struct config c;
	struct un_detail detail = {0};

	EXPECT_OK(read_text("data: /x\nlisten: {tcp: '0.0.0.0:443 [::]:443'}\n"
	                    "tls: {certificate: /c, key: /k, client_ca: /a}\n",
	                    &c, &detail));
	EXPECT_STR("/a", c.tls_client_ca);
	EXPECT_OK(read_text("data: /x\nlisten: {tcp: '0.0.0.0:80', unencrypted_on_the_network: "
	                    "true}\n",
	                    &c, &detail));
	EXPECT_INT(1, c.unencrypted);
	EXPECT_INT(0, c.open_metrics);
	EXPECT_OK(read_text("data: /x\nlisten: {open_metrics: true}\n", &c, &detail));
	EXPECT_INT(1, c.open_metrics);
}

TEST(config, limits_it_does_not_name_are_the_defaults)
{
	struct config c;
	struct un_detail detail = {0};
	struct net_limits wanted = {.connections = 77, .head_ms = 3000}, seen;

	net_limits_fill(&wanted);
	EXPECT_OK(read_text("data: /x\nlimits: {connections: 77, head_s: 3}\n", &c, &detail));
	seen = config_limits(&c);
	net_limits_fill(&seen);
	EXPECT_BYTES(&wanted, &seen, sizeof wanted);
}

TEST(config, what_it_prints_it_reads_back)
{
	struct config c, again;
	struct un_detail detail = {0};
	struct buf first, second;

	buf_init(&first, 65536, BUF_PLAIN);
	buf_init(&second, 65536, BUF_PLAIN);
	EXPECT_OK(read_text("data: /x y's\nkeys: {provider: passphrase}\n", &c, &detail));
	EXPECT_OK(config_format(&c, &first));
	EXPECT_OK(read_text(buf_text(&first), &again, &detail));
	EXPECT_OK(config_format(&again, &second));
	EXPECT_STR(buf_text(&first), buf_text(&second));
	buf_fini(&first);
	buf_fini(&second);
}

struct refused {
	const char *text;
	const char *why; /* part of the message */
};

TEST(config, refuses_what_it_does_not_know_with_the_line)
{
	static const struct refused table[] = {
		{"data: /x\ncolour: red\n", ":2: unknown key 'colour'"},
		{"data: /x\nlisten:\n  udp: 1\n", ":3: unknown key 'udp'"},
		{"data: /x\ndata: /y\n", ":2: given twice: 'data'"},
		{"data: /x\nworkers: many\n", ":2: not a number in range"},
		{"data: /x\nworkers: 65\n", ":2: not a number in range"},
		{"data: /x\nlisten: yes\n", ":2: this needs a mapping"},
		{"data: {a: b}\n", ":1: this takes a plain value"},
		{"- data\n", ":1: lists and aliases"},
		{"data: 'x\n", "not YAML"},
		{"data: relative\n", "absolute path"},
		{"data: /x\ncolour: {a: [1], b: {c: d}}\nlisten:\n  udp: 1\nsize: 1\n",
	         ":2: unknown key 'colour', "},
		{"data: /x\ncolour: {a: [1], b: {c: d}}\nlisten:\n  udp: 1\nsize: 1\n",
	         ":4: unknown key 'udp', "},
		{"data: /x\ncolour: {a: [1], b: {c: d}}\nlisten:\n  udp: 1\nsize: 1\n",
	         ":5: unknown key 'size'"},
		{"data: /x\nlisten: {tcp: '0.0.0.0:80'}\n", "has no TLS"},
		{"data: /x\nlisten: {tcp: '127.0.0.1:1 [::]:80'}\n", "has no TLS"},
		{"data: /x\nlisten: {tcp: 'localhost'}\n", "not a numeric address"},
		{"data: /x\nlisten: {unencrypted_on_the_network: maybe}\n",
	         ":2: neither true nor false"},
		{"data: /x\nlimits: {idle_s: 86401}\n", ":2: not a number in range"},
		{"data: /x\ntls: {key: /k}\n", "go together"},
		{"data: /x\ntls: {client_ca: /c}\n", "'tls.client_ca' needs"},
		{"data: /x\nlisten: {unencrypted_on_the_network: true}\n"
	         "tls: {key: /k, certificate: /c}\n",
	         "exclude each other"},
		{"data: /x\nkeys: {provider: magic}\n", "'file' or 'passphrase'"},
		{"data: /x\nlog: {level: loud}\n", "'log.level'"},
		{"workers: 1\n", "'data' is missing"},
		{"data: /x\ntasks: {path: /bin:venv/bin}\n", "'tasks.path' is absolute paths"},
		{"data: /x\ntasks: {path: '/bin:'}\n", "'tasks.path' is absolute paths"},
		{"data: /x\ntasks: {show: srv/data}\n", "'tasks.show' is absolute paths"},
		{"data: /x\ntasks: {hide: /a:b}\n", "'tasks.hide' is absolute paths"},
		{"data: /x\ntasks: {writable: '/srv /opt:x'}\n", "'tasks.writable' is absolute"},
		{"data: /x\ntasks: {offline: 'fraud;risk'}\n", "'fraud;risk', which is no project"},
		{"data: /x\nretention: {logs: 30d}\n", ":2: not a number in range: 'logs'"},
		{"data: /x\ntasks: {uid_range: 5-2}\n", "'tasks.uid_range' is FIRST-LAST"},
		{"data: /x\ntasks: {uid_range: some}\n", "'tasks.uid_range' is FIRST-LAST"},
		{"data: /x\nparallel_tasks: 4\ntasks: {uid_range: 70000-70002}\n",
	         "'tasks.uid_range' has 3 users for 4 tasks at once"},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct config c;
		struct un_detail detail = {0};

		EXPECT_ERR(UN_ERR_BAD_CONFIG, read_text(table[i].text, &c, &detail));
		if (!strstr(detail.message, table[i].why))
			fail_msg("'%s' does not say '%s'", detail.message, table[i].why);
	}
}

TEST(config, says_what_number_would_do)
{
	struct config c;
	struct un_detail detail = {0};

	EXPECT_ERR(UN_ERR_BAD_CONFIG,
	           read_text("data: /x\nprojects: {executions: 5000}\n", &c, &detail));
	EXPECT_STR("it is a whole number without a unit, at most 1000", detail.hint);
}

TEST_MAIN()
