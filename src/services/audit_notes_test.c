#include "services/audit_notes.h"

#include "audit/audit.h"
#include "services/testing_call.h"
#include "services/testing_plane.h"

#define RECORDS_MAX 1200

static const struct scope fraud = {.project = "fraud", .domain = "production"};

struct seen {
	size_t count;
	struct audit_record records[RECORDS_MAX];
};

static bool
take_record(void *ctx, const struct audit_record *record)
{
	struct seen *seen = ctx;

	seen->records[seen->count++] = *record;
	return seen->count < RECORDS_MAX;
}

/* Newest first. */
static void
read_trail(struct plane *plane, struct seen *seen)
{
	struct audit_filter filter = {.limit = RECORDS_MAX};

	uint64_t next;

	seen->count = 0;
	EXPECT_OK(store_read_begin(plane->worker.reader, NULL));
	EXPECT_OK(audit_list(store_reader_view(plane->worker.reader), &filter, take_record, seen,
	                     &next, NULL));
	store_read_end(plane->worker.reader);
}

/* What has gathered becomes durable, without waiting for the clock. */
static void
gather(struct plane *plane)
{
	audit_notes_free(plane->worker.notes);
	EXPECT_OK(audit_notes_new(plane->store, plane->loop, AUDIT_READS_SUMMED,
	                          &plane->worker.notes));
}

static void
begin(struct plane *plane, struct rpc_call *call, struct principal *who)
{
	call_init(call, plane->loop, &plane->worker);
	principal_of_uid(geteuid(), geteuid(), who);
}

static void
end(struct rpc_call *call)
{
	call->ended = true;
	call_fini(call);
}

TEST(audit_notes, every_action_that_is_authorized_has_a_name_in_the_trail)
{
	for (int action = 0; action < AUTHZ_ACTIONS; action++) {
		const char *text = authz_action_text((enum authz_action)action);

		if (action == AUTHZ_PLANE_BACKUP)
			continue; /* it is called "backup" there */
		if (!audit_action_of_text(text))
			print_error("no action of the trail is called %s\n", text);
		EXPECT(audit_action_of_text(text));
	}
}

TEST(audit_notes, sums_the_reads_of_one_second_in_one_record_a_scope)
{
	static const struct scope other = {.project = "payments"};
	struct principal who;
	struct plane plane;
	static struct seen seen;

	plane_init(&plane);
	for (int i = 0; i < 1000; i++) {
		struct rpc_call call;

		begin(&plane, &call, &who);
		audit_allowed(&call, &who, AUTHZ_SECRET_READ, i % 10 ? &fraud : &other);
		end(&call);
	}
	gather(&plane);
	read_trail(&plane, &seen);
	EXPECT_INT(2, seen.count);
	EXPECT_INT(1000, seen.records[0].count + seen.records[1].count);
	for (size_t i = 0; i < 2; i++) {
		EXPECT_INT(AUDIT_SECRET_READ, seen.records[i].action);
		EXPECT_STR("request-1", seen.records[i].request_id);
		EXPECT(seen.records[i].last_us >= seen.records[i].at_us);
		EXPECT_INT(strcmp(seen.records[i].secret.scope.project, "fraud") ? 100 : 900,
		           seen.records[i].count);
	}
	plane_fini(&plane);
}

TEST(audit_notes, makes_reads_durable_by_the_clock_alone)
{
	int64_t until = clock_mono_ms() + 20000;
	struct principal who;
	struct rpc_call call;
	struct plane plane;
	static struct seen seen;

	plane_init(&plane);
	begin(&plane, &call, &who);
	audit_allowed(&call, &who, AUTHZ_SECRET_READ, &fraud);
	end(&call);
	do {
		plane_step(&plane);
		read_trail(&plane, &seen);
	} while (!seen.count && clock_mono_ms() < until);
	EXPECT_INT(1, seen.count);
	plane_fini(&plane);
}

TEST(audit_notes, does_not_record_twice_what_a_transaction_records)
{
	struct principal who;
	struct rpc_call call;
	struct plane plane;
	static struct seen seen;

	plane_init(&plane);
	begin(&plane, &call, &who);
	audit_allowed(&call, &who, AUTHZ_SECRET_CREATE, &fraud);
	end(&call);
	gather(&plane);
	read_trail(&plane, &seen);
	EXPECT_INT(0, seen.count);
	plane_fini(&plane);
}

TEST(audit_notes, tells_of_a_refusal_after_it_is_durable)
{
	struct un_detail why = {"you may not"};
	struct principal who;
	struct rpc_call call;
	struct plane plane;
	static struct seen seen;

	plane_init(&plane);
	begin(&plane, &call, &who);
	audit_refuse(&call, &who, AUTHZ_SECRET_DELETE, &fraud, UN_ERR_DENIED, &why);
	EXPECT(!call.ended);
	while (!call.ended)
		plane_step(&plane);
	EXPECT_ERR(UN_ERR_DENIED, call.err);
	EXPECT_STR("you may not", call.detail.message);
	read_trail(&plane, &seen);
	EXPECT_INT(1, seen.count);
	EXPECT_INT(AUDIT_SECRET_DELETE, seen.records[0].action);
	EXPECT_INT(AUDIT_DENIED, seen.records[0].verdict);
	EXPECT_STR("fraud", seen.records[0].secret.scope.project);
	EXPECT_STR("denied", seen.records[0].reason);
	call_fini(&call);
	plane_fini(&plane);
}

TEST(audit_notes, sums_the_refusals_of_one_principal_beyond_a_few)
{
	enum { REFUSALS = 500 };
	static struct rpc_call calls[REFUSALS];
	struct principal who;
	struct plane plane;
	static struct seen seen;
	uint64_t sum = 0;

	plane_init(&plane);
	for (int i = 0; i < REFUSALS; i++) {
		struct scope scope = {.domain = "d"}; /* each another scope: no way around */

		(void)snprintf(scope.project, sizeof scope.project, "p%d", i);
		begin(&plane, &calls[i], &who);
		audit_refuse(&calls[i], &who, AUTHZ_SECRET_READ, &scope, UN_ERR_DENIED, NULL);
	}
	for (int i = 0; i < REFUSALS; i++) {
		while (!calls[i].ended)
			plane_step(&plane);
		call_fini(&calls[i]);
	}
	gather(&plane);
	read_trail(&plane, &seen);
	EXPECT(seen.count <= 3 * (AUDIT_REFUSALS_EACH + 1)); /* the clock may have ticked */
	for (size_t i = 0; i < seen.count; i++)
		sum += seen.records[i].count;
	EXPECT_INT(REFUSALS, sum);
	plane_fini(&plane);
}

TEST(audit_notes, sums_strangers_by_address_and_by_network_of_ipv6)
{
	static const char *const addresses[] = {"192.0.2.1:4000",        "192.0.2.1:4001",
	                                        "[2001:db8:1:2::7]:500", "[2001:db8:1:2:3::]:9"};
	struct principal nobody = {.kind = PRINCIPAL_NOBODY};
	struct plane plane;
	static struct seen seen;

	plane_init(&plane);
	for (size_t i = 0; i < 4; i++) {
		struct principal who;
		struct rpc_call call;

		begin(&plane, &call, &who);
		call.peer.family = NET_TCP;
		(void)snprintf(call.peer.address, sizeof call.peer.address, "%s", addresses[i]);
		audit_refuse(&call, &nobody, AUTHZ_SECRET_READ, &fraud, UN_ERR_UNAUTHENTICATED,
		             NULL);
		EXPECT(call.ended); /* no write is waited for */
		call_fini(&call);
	}
	gather(&plane);
	read_trail(&plane, &seen);
	EXPECT_INT(2, seen.count);
	EXPECT_INT(2, seen.records[0].count);
	EXPECT_STR("2001:db8:1:2::/64", seen.records[0].address);
	EXPECT_STR("192.0.2.1", seen.records[1].address);
	EXPECT_STR("", seen.records[1].principal);
	plane_fini(&plane);
}

TEST(audit_notes, counts_what_has_no_room)
{
	enum { READS = 2000 };
	static struct seen seen;
	struct plane plane;
	uint64_t sum = 0;

	plane_init(&plane);
	for (int i = 0; i < READS; i++) { /* without a step of the loop: nothing is written yet */
		struct principal who;
		struct rpc_call call;
		struct scope scope = {.domain = "d"};

		(void)snprintf(scope.project, sizeof scope.project, "p%d", i);
		begin(&plane, &call, &who);
		audit_allowed(&call, &who, AUTHZ_SECRET_READ, &scope);
		end(&call);
	}
	gather(&plane);
	read_trail(&plane, &seen);
	EXPECT(seen.count < RECORDS_MAX);
	EXPECT_STR("others", seen.records[0].principal);
	for (size_t i = 0; i < seen.count; i++)
		sum += seen.records[i].count;
	EXPECT_INT(READS, sum);
	plane_fini(&plane);
}

TESTING_PLANE_MAIN()
