/* Code bundles, by the whole of union-exec: tests/launch/plane.h. */
#include "launch/checks.h"

#include <stdio.h>
#include <zlib.h>

/* A bundle that the command line's tar made would do too; this one is the smallest there is. */
static void
pack_bundle(const char *name, const char *text, struct buf *packed)
{
	static uint8_t tar[2048];
	z_stream zip = {0};
	unsigned sum = 0;

	memset(tar, 0, sizeof tar);
	memcpy(tar, name, strlen(name));
	memcpy(tar + 100, "0000755", 8);
	(void)snprintf((char *)tar + 124, 12, "%011zo", strlen(text));
	memset(tar + 148, ' ', 8);
	tar[156] = '0';
	memcpy(tar + 257, "ustar\00000", 8);
	for (size_t i = 0; i < 512; i++)
		sum += tar[i];
	(void)snprintf((char *)tar + 148, 8, "%06o", sum);
	memcpy(tar + 512, text, strlen(text));
	buf_init(packed, 4096, BUF_PLAIN);
	EXPECT_OK(buf_reserve(packed, 4000));
	EXPECT_INT(Z_OK, deflateInit2(&zip, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY));
	zip.next_in = tar;
	zip.avail_in = sizeof tar;
	zip.next_out = packed->data;
	zip.avail_out = 4000;
	EXPECT_INT(Z_STREAM_END, deflate(&zip, Z_FINISH));
	buf_added(packed, zip.total_out);
	EXPECT_INT(Z_OK, deflateEnd(&zip));
}

TEST(attempt_bundle, the_bundle_is_the_current_folder)
{
	struct plane plane;
	struct buf bundle;

	pack_bundle("run.sh", "#!/bin/sh\necho from the bundle\n", &bundle);
	use_shell(&plane, "./run.sh");
	plane.bundle = bundle.data;
	plane.bundle_len = bundle.len;
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane, "from the bundle\n");
	plane_fini(&plane);
	buf_fini(&bundle);
}

TEST(attempt_bundle, a_command_that_unpacks_its_bundle_gets_the_file_and_not_our_package)
{
	struct plane plane;
	struct buf bundle;

	pack_bundle("run.sh", "echo from the bundle\n", &bundle);
	use_shell(&plane, "ls; tar xf \"$1\" && sh run.sh; echo \"${1##*.union/} $2\"; "
	                  "echo \"[$PYTHONPATH]\"");
	plane.words[3] = "sh";
	plane.words[4] = "union-bundle://p/d/00112233445566778899aabbccddeeff.tar.gz";
	plane.words[5] = "{{.prevCheckpointPrefix}}";
	plane.bundle = bundle.data;
	plane.bundle_len = bundle.len;
	plane.sdk = "/some/sdk";
	plane.other_sdk = true;
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane, "from the bundle\ncode.tar.gz \"\"\n[]\n");
	plane_fini(&plane);
	buf_fini(&bundle);
}

TEST(attempt_bundle, a_bundle_that_leads_elsewhere_fails_the_task)
{
	struct plane plane;
	struct buf bundle;

	pack_bundle("../run.sh", "#!/bin/sh\n", &bundle);
	use_shell(&plane, "echo must not run");
	plane.bundle = bundle.data;
	plane.bundle_len = bundle.len;
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, FAILED, 1);
	expect_error(&plane, "bundle-refused", "'../run.sh' leads out");
	plane_fini(&plane);
	buf_fini(&bundle);
}

TEST_MAIN()
