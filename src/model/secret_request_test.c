#include "model/secret_request.h"

#include "base/alloc.h"
#include "test.h"

#include <stdlib.h>

#define FILE_ SECRET_MOUNT_FILE
#define ENV_ SECRET_MOUNT_ENV_VAR
#define ANY_ SECRET_MOUNT_ANY

static struct secret_request
request_of(const char *key, const char *group, const char *version, const char *env_var, int mount)
{
	struct secret_request_fields fields = {key, group, version, env_var, mount};
	struct secret_request request;

	EXPECT_OK(secret_request_init(&request, &fields, NULL));
	return request;
}

static void
expect_request(enum un_err expected, struct secret_request_fields fields)
{
	struct secret_request request;
	struct un_detail detail = {.message = ""};

	EXPECT_ERR(expected, secret_request_init(&request, &fields, &detail));
	EXPECT((expected == UN_OK) == !detail.message[0]);
}

static void
append(char *text, size_t size, const char *more)
{
	strncat(text, more, size - strlen(text) - 1);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "NAME=0 X=>path file:0" : what each name holds, by request, sorted. */
static void
expect_layout(const char *expected, const struct secret_request *requests, size_t count)
{
	struct secret_layout layout;
	char text[8192] = "", *words[400];
	size_t n = 0;

	EXPECT_OK(secret_layout_init(&layout, requests, count, NULL));
	for (size_t i = 0; i < layout.env_count; i++) {
		const struct secret_env *env = &layout.env[i];
		char *word = malloc(1024);

		if (env->is_path)
			(void)snprintf(word, 1024, "%s=>%s", env->name,
			               layout.files[env->file].path);
		else
			(void)snprintf(word, 1024, "%s=%zu", env->name, env->request);
		words[n++] = word;
	}
	for (size_t i = 0; i < layout.file_count; i++) {
		char *word = malloc(1024);

		(void)snprintf(word, 1024, "%s:%zu", layout.files[i].path,
		               layout.files[i].request);
		words[n++] = word;
	}
	if (n)
		qsort(words, n, sizeof words[0], compare);
	for (size_t i = 0; i < n; i++) {
		append(text, sizeof text, i ? " " : "");
		append(text, sizeof text, words[i]);
		free(words[i]);
	}
	EXPECT_STR(expected, text);
	secret_layout_fini(&layout);
}

static void
expect_collision(const char *message, const struct secret_request *requests, size_t count)
{
	struct secret_layout layout;
	struct un_detail detail = {.message = ""};

	EXPECT_ERR(UN_ERR_MOUNT_COLLISION,
	           secret_layout_init(&layout, requests, count, &detail));
	EXPECT_STR(message, detail.message);
	EXPECT(detail.hint[0]);
}

TEST(request, any_is_a_file_and_never_in_the_environment)
{
	struct secret_request one[] = {request_of("my_secret", NULL, NULL, NULL, ANY_)};

	expect_layout("my_secret:0", one, 1);
	EXPECT(!secret_request_is_env(&one[0]));
}

TEST(request, env_var_alone_means_the_environment_under_both_names)
{
	struct secret_request one[] = {request_of("db", NULL, NULL, "DB_URL", ANY_)};
	struct secret_request two[] = {request_of("my-Key", NULL, NULL, NULL, ENV_)};

	expect_layout("DB_URL=0 _UNION_DB=0", one, 1);
	expect_layout("_UNION_MY-KEY=0", two, 1);
	EXPECT(secret_request_is_env(&one[0]));
}

TEST(request, env_var_of_a_file_holds_its_path)
{
	struct secret_request one[] = {request_of("Cert", "TLS", NULL, "CERT", FILE_)};

	expect_layout("CERT=>TLS/Cert Cert:0 TLS/Cert:0 cert:0 tls/cert:0", one, 1);
}

TEST(request, a_group_and_a_pinned_version_add_every_spelling_that_readers_try)
{
	struct secret_request env[] = {request_of("key", "grp", "3", NULL, ENV_)};
	struct secret_request file[] = {request_of("Key", "Grp", "3", NULL, FILE_)};

	EXPECT_INT(3, env[0].version);
	expect_layout("_UNION_GRP_3_KEY=0 _UNION_GRP_KEY=0 _UNION_KEY=0", env, 1);
	expect_layout("Grp/3/Key:0 Grp/Key:0 Key:0 grp/3/key:0 grp/key:0 key:0", file, 1);
}

TEST(request, a_group_without_a_key_is_the_name)
{
	struct secret_request one[] = {request_of("", "solo", NULL, NULL, FILE_)};

	EXPECT_STR("solo", one[0].name);
	EXPECT_STR("", one[0].group);
	expect_layout("solo:0", one, 1);
}

TEST(request, asking_twice_for_the_same_is_no_collision_and_the_path_still_leads_there)
{
	struct secret_request twice[] = {request_of("a", NULL, NULL, NULL, FILE_),
	                                 request_of("a", NULL, NULL, "A_PATH", FILE_),
	                                 request_of("a", NULL, NULL, NULL, ANY_)};

	expect_layout("A_PATH=>a a:0", twice, 3);
}

TEST(request, two_requests_for_one_variable_collide_and_are_both_named)
{
	struct secret_request same_var[] = {request_of("a", NULL, NULL, "X", ANY_),
	                                    request_of("b", "g", NULL, "X", ANY_)};
	struct secret_request by_case[] = {request_of("Db", NULL, NULL, NULL, ENV_),
	                                   request_of("DB", NULL, NULL, NULL, ENV_)};
	struct secret_request value_and_path[] = {request_of("a", NULL, NULL, "X", ENV_),
	                                          request_of("a", NULL, NULL, "X", FILE_)};

	expect_collision("the requests for secrets 'a' and 'g/b' collide on the environment "
	                 "variable 'X'",
	                 same_var, 2);
	expect_collision("the requests for secrets 'Db' and 'DB' collide on the environment "
	                 "variable '_UNION_DB'",
	                 by_case, 2);
	expect_collision("the requests for secrets 'a' and 'a' collide on the environment "
	                 "variable 'X'",
	                 value_and_path, 2);
}

TEST(request, two_requests_for_one_file_or_for_a_file_and_its_folder_collide)
{
	struct secret_request by_case[] = {request_of("Db", NULL, NULL, NULL, FILE_),
	                                   request_of("dB", NULL, NULL, NULL, ANY_)};
	struct secret_request folder[] = {request_of("g", NULL, NULL, NULL, FILE_),
	                                  request_of("k", "g", NULL, NULL, FILE_)};

	expect_collision("the requests for secrets 'Db' and 'dB' collide on the file 'db'",
	                 by_case, 2);
	expect_collision("the requests for secrets 'g' and 'g/k' collide on the file 'g/k'",
	                 folder, 2);
}

TEST(request, a_short_name_that_two_would_share_belongs_to_neither_in_any_order)
{
	struct secret_request versions[] = {request_of("k", NULL, "1", NULL, ENV_),
	                                    request_of("k", NULL, "2", NULL, ENV_),
	                                    request_of("k", "g", "1", NULL, ENV_)};
	struct secret_request files[] = {request_of("k", "g", "2", NULL, FILE_),
	                                 request_of("k", "h", "1", NULL, FILE_)};
	struct secret_request with_claim[] = {request_of("k", "g", "2", NULL, ENV_),
	                                      request_of("k", NULL, NULL, NULL, ENV_)};
	struct secret_request groups[] = {request_of("k", "g", NULL, NULL, FILE_),
	                                  request_of("k", "h", NULL, NULL, FILE_)};
	struct secret_request own_folder[] = {request_of("a", "a", NULL, NULL, FILE_)};

	expect_layout("_UNION_1_K=0 _UNION_2_K=1 _UNION_G_1_K=2 _UNION_G_K=2", versions, 3);
	expect_layout("g/2/k:0 g/k:0 h/1/k:1 h/k:1", files, 2);
	expect_layout("_UNION_G_2_K=0 _UNION_G_K=0 _UNION_K=1", with_claim, 2);
	expect_layout("g/k:0 h/k:1 k:0", groups, 2); /* the same secret: no ambiguity */
	expect_layout("a/a:0", own_folder, 1);
}

TEST(request, refuses_what_cannot_be_asked_for)
{
	expect_request(UN_ERR_BAD_NAME, (struct secret_request_fields){.key = ""});
	expect_request(UN_ERR_BAD_NAME, (struct secret_request_fields){.key = "../x"});
	expect_request(UN_ERR_BAD_NAME, (struct secret_request_fields){.key = "k", .group = "a/b"});
	expect_request(UN_ERR_BAD_NAME, (struct secret_request_fields){.key = "k", .group = ".."});
	expect_request(UN_ERR_INVALID,
	               (struct secret_request_fields){.key = "k", .env_var = "LD_PRELOAD"});
	expect_request(UN_ERR_INVALID,
	               (struct secret_request_fields){.key = "k", .env_var = "a-b"});
	expect_request(UN_ERR_INVALID, (struct secret_request_fields){.key = "k", .mount = 3});
	expect_request(UN_ERR_INVALID, (struct secret_request_fields){.key = "k", .mount = -1});
	for (size_t i = 0; i < 6; i++) {
		static const char *const bad[] = {"0", "v1", "-1", "01", "4294967296", "1 "};

		expect_request(UN_ERR_INVALID, (struct secret_request_fields){
		                                       .key = "k", .group_version = bad[i]});
	}
	expect_request(UN_OK, (struct secret_request_fields){.key = "k",
	                                                     .group_version = "4294967295"});
}

TEST(request, reads_the_message_of_the_wire)
{
	Flyteidl__Core__Secret message = FLYTEIDL__CORE__SECRET__INIT;
	struct secret_request request;

	message.key = (char *)(uintptr_t)"db";
	message.env_var = (char *)(uintptr_t)"DB";
	message.mount_requirement = FLYTEIDL__CORE__SECRET__MOUNT_TYPE__FILE;
	EXPECT_OK(secret_request_unpack(&request, &message, NULL));
	EXPECT_STR("db", request.name);
	EXPECT_STR("DB", request.env_var);
	EXPECT_INT(SECRET_MOUNT_FILE, request.mount);
}

TEST(request, refuses_more_requests_than_one_task_may_have)
{
	static struct secret_request many[SECRET_REQUESTS_MAX + 1];
	struct secret_layout layout;
	char key[16];

	for (size_t i = 0; i <= SECRET_REQUESTS_MAX; i++) {
		(void)snprintf(key, sizeof key, "k%zu", i);
		many[i] = request_of(key, "g", "1", NULL, FILE_);
	}
	EXPECT_ERR(UN_ERR_TOO_LARGE,
	           secret_layout_init(&layout, many, SECRET_REQUESTS_MAX + 1, NULL));
	EXPECT_OK(secret_layout_init(&layout, many, SECRET_REQUESTS_MAX, NULL));
	EXPECT_INT(3 * SECRET_REQUESTS_MAX, layout.file_count);
	secret_layout_fini(&layout);
	EXPECT_OK(secret_layout_init(&layout, many, 0, NULL));
	secret_layout_fini(&layout);
}

TEST(request, a_value_for_the_environment_has_no_nul_and_fits_the_kernels_limit)
{
	static char value[SECRET_ENV_STRING_MAX];
	struct un_detail detail = {.message = ""};

	memset(value, 'v', sizeof value);
	EXPECT_OK(secret_env_check_value("DB", "db", value, SECRET_ENV_STRING_MAX - 3, NULL));
	EXPECT_ERR(UN_ERR_NOT_FOR_ENVIRONMENT,
	           secret_env_check_value("DB", "db", value, SECRET_ENV_STRING_MAX - 2, &detail));
	EXPECT(strstr(detail.message, "'db'") && !strstr(detail.message, "vv"));
	EXPECT_ERR(UN_ERR_NOT_FOR_ENVIRONMENT,
	           secret_env_check_value("DB", "db", "a\0b", 3, &detail));
	EXPECT(strstr(detail.message, "NUL"));
}

TORTURE(request, lays_out_whole_or_not_at_all)
{
	struct secret_request two[] = {request_of("k", "g", "2", NULL, FILE_),
	                               request_of("l", NULL, NULL, "L", ANY_)};
	struct secret_layout layout = {.env = NULL};
	enum un_err err = secret_layout_init(&layout, two, 2, NULL);

	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT((err == UN_OK) == (layout.env != NULL));
	secret_layout_fini(&layout);
}

TEST_MAIN()
