/* Sums gather in a table of the worker. A second after its first note, or when it is full, the
 * table is handed to the writer as one write and a new one begins. A table that could not be
 * written (a full disk) is kept and tried again; while TABLES_MAX of them wait, what comes further
 * is only counted, and the count becomes a record of "others" when the disk has room again. */
#include "services/audit_notes.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "services/audit_job.h"
#include "services/plane.h"
#include "crypto/hash.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define NOTES_MAX 256 /* of one table */
#define SLOTS 512     /* a power of two */
#define TABLES_MAX 4
#define GATHER_MS 900
#define RETRY_MS 1000
#define BUDGETS 256 /* a power of two */
#define DRAIN_STEPS 100
#define DRAIN_STEP_MS 50

/* What is summed. Everything before `count` is what makes two notes the same. */
struct note {
	enum audit_action action;
	enum audit_verdict verdict;
	enum un_err err;
	char principal[PRINCIPAL_TEXT_MAX];
	char address[NET_ADDRESS_MAX];
	struct scope scope;
	uint64_t count;
	int64_t first_us, last_us;
	char request_id[AUDIT_REQUEST_MAX + 1]; /* of the first */
};
#define KEY_LEN offsetof(struct note, count)

struct table {
	struct audit_notes *owner;
	struct table *next;
	struct store_write write;
	struct loop_task task;
	enum un_err err;
	size_t count;
	uint16_t slots[SLOTS]; /* index + 1 */
	struct note notes[NOTES_MAX];
};

/* Refusals of one principal in one second. */
struct budget {
	uint64_t key;
	int64_t second;
	unsigned used;
};

struct audit_notes {
	struct store *store;
	struct loop *loop;
	enum audit_reads reads;
	struct loop_timer timer;
	struct table *current; /* NULL: nothing has gathered */
	struct table *failed;  /* to be tried again */
	unsigned tables;       /* of all kinds */
	unsigned in_flight;
	uint64_t others; /* not noted: too much waits */
	struct note last_key; /* of the note found last, and where */
	struct note *last;
	struct principal last_who;
	struct budget budgets[BUDGETS];
};

enum un_err
audit_reads_parse(const char *text, enum audit_reads *ret_reads)
{
	static const char *const texts[] = {"summed", "each", "off"};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (strcmp(text, texts[i]) == 0) {
			*ret_reads = (enum audit_reads)i;
			return UN_OK;
		}
	}
	return UN_ERR_INVALID;
}

static enum audit_action
audit_action_of(enum authz_action action)
{
	static enum audit_action known[AUTHZ_ACTIONS]; /* each is written with one value only */
	enum audit_action found = __atomic_load_n(&known[action], __ATOMIC_RELAXED);

	if (found)
		return found;
	if (action == AUTHZ_PLANE_BACKUP)
		found = AUDIT_BACKUP;
	else
		found = audit_action_of_text(authz_action_text(action));
	if (!found)
		found = AUDIT_REQUEST;
	__atomic_store_n(&known[action], found, __ATOMIC_RELAXED);
	return found;
}

static bool
is_read(enum audit_action action)
{
	switch (action) {
	case AUDIT_SECRET_READ:
	case AUDIT_ENTITY_READ:
	case AUDIT_EXECUTION_READ:
	case AUDIT_EXECUTION_LOGS:
	case AUDIT_PLANE_READ:
	case AUDIT_PLANE_INSPECT:
	case AUDIT_ACCESS_EXPLAIN:
	case AUDIT_READ:
	case AUDIT_GRANT_READ:
	case AUDIT_API_KEY_READ:
		return true;
	default:
		return false;
	}
}

/* ---- tables ---- */

static enum un_err
apply_table(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct table *table = ctx;
	enum un_err err = UN_OK;

	for (size_t i = 0; i < table->count && !err; i++) {
		const struct note *note = &table->notes[i];
		struct audit_event event = {
			.at_us = note->first_us,
			.action = note->action,
			.verdict = note->verdict,
			.principal = note->principal,
			.scope = &note->scope,
			.request_id = note->request_id,
			.reason = note->err ? un_err_slug(note->err) : NULL,
			.address = note->address,
			.count = note->count,
			.last_us = note->last_us,
		};

		err = audit_append(txn, &event, detail);
	}
	return err;
}

static void submit(struct audit_notes *notes, struct table *table);

static void
arm(struct audit_notes *notes, int64_t delay_ms)
{
	if (!notes->timer.place
	    && loop_timer_set(notes->loop, &notes->timer, clock_mono_ms() + delay_ms))
		log_error("audit", "out of memory for a timer");
}

static void
on_written(struct loop_task *task)
{
	struct table *table = task->ctx;
	struct audit_notes *notes = table->owner;

	notes->in_flight--;
	if (!table->err) {
		notes->tables--;
		mem_free(table);
		return;
	}
	table->next = notes->failed;
	notes->failed = table;
	arm(notes, RETRY_MS);
}

/* On the writer thread. */
static void
written(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct table *table = ctx;

	(void)detail;
	table->err = err;
	loop_post_task(table->owner->loop, &table->task);
}

static void
submit(struct audit_notes *notes, struct table *table)
{
	enum un_err err;

	table->write = (struct store_write){.apply = apply_table, .done = written, .ctx = table};
	table->task = (struct loop_task){.fn = on_written, .ctx = table};
	notes->in_flight++;
	err = store_submit(notes->store, &table->write);
	if (err) {
		table->err = err;
		on_written(&table->task);
	}
}

static struct note *find(struct audit_notes *notes, const struct note *key);
static void set_key(struct note *key, enum audit_action action, enum audit_verdict verdict,
                    const struct scope *scope);

/* What was only counted, once there is room to say so. */
static void
note_others(struct audit_notes *notes)
{
	struct note key, *note;
	uint64_t count = notes->others;

	if (!count || notes->tables >= TABLES_MAX)
		return;
	notes->others = 0;
	set_key(&key, AUDIT_REQUEST, AUDIT_ALLOWED, NULL);
	(void)snprintf(key.principal, sizeof key.principal, "others");
	note = find(notes, &key);
	if (note) {
		note->count += count;
		note->last_us = clock_wall_us();
	}
}

static void
flush(struct audit_notes *notes)
{
	struct table *failed = notes->failed;

	notes->last = NULL;
	notes->failed = NULL;
	while (failed) {
		struct table *next = failed->next;

		submit(notes, failed);
		failed = next;
	}
	if (notes->current) {
		struct table *table = notes->current;

		notes->current = NULL;
		submit(notes, table);
	}
}

static void
on_timer(struct loop_timer *timer)
{
	struct audit_notes *notes = timer->ctx;

	note_others(notes);
	flush(notes);
}

/* FNV-1a: the keys are nobody's to choose but the scope, and a table is small. */
static uint32_t
hash_of(const struct note *key)
{
	const unsigned char *bytes = (const unsigned char *)key;
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < KEY_LEN; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

static struct table *
table_with_room(struct audit_notes *notes)
{
	if (notes->current && notes->current->count == NOTES_MAX)
		flush(notes);
	if (notes->current)
		return notes->current;
	if (notes->tables >= TABLES_MAX)
		return NULL;
	notes->current = mem_zalloc(1, sizeof *notes->current);
	if (!notes->current)
		return NULL;
	notes->current->owner = notes;
	notes->tables++;
	arm(notes, GATHER_MS);
	return notes->current;
}

/* The note of this key, new with a count of 0 when there was none; NULL: no room. */
static struct note *
find(struct audit_notes *notes, const struct note *key)
{
	uint32_t at = hash_of(key) & (SLOTS - 1);
	struct table *table = notes->current;
	struct note *note;

	for (; table && table->slots[at]; at = (at + 1) & (SLOTS - 1)) {
		note = &table->notes[table->slots[at] - 1];
		/* check-source: allow memcmp, on the hot path, and nothing in it is secret */
		if (memcmp(note, key, KEY_LEN) == 0)
			return note;
	}
	table = table_with_room(notes);
	if (!table) {
		notes->others++;
		arm(notes, RETRY_MS);
		return NULL;
	}
	for (at = hash_of(key) & (SLOTS - 1); table->slots[at];)
		at = (at + 1) & (SLOTS - 1);
	note = &table->notes[table->count++];
	memcpy(note, key, KEY_LEN);
	note->first_us = clock_wall_us();
	table->slots[at] = (uint16_t)table->count;
	return note;
}

static void
add(struct audit_notes *notes, const struct note *key, struct rpc_call *call)
{
	struct note *note = find(notes, key);

	if (!note)
		return;
	if (note->count++ == 0 && call)
		(void)snprintf(note->request_id, sizeof note->request_id, "%s",
		               rpc_request_id(call));
	note->last_us = note->count == 1 ? note->first_us : clock_wall_us();
}

/* ---- reads ---- */

static void
set_key(struct note *key, enum audit_action action, enum audit_verdict verdict,
        const struct scope *scope)
{
	memset(key, 0, sizeof *key); /* padding, too: keys are compared as bytes */
	key->action = action;
	key->verdict = verdict;
	if (!scope)
		return;
	(void)snprintf(key->scope.project, sizeof key->scope.project, "%s", scope->project);
	(void)snprintf(key->scope.domain, sizeof key->scope.domain, "%s", scope->domain);
}

/* Most reads are like the one before. */
static bool
is_like_the_last(const struct audit_notes *notes, const struct principal *who,
                 enum audit_action action, const struct scope *scope)
{
	const struct note *key = &notes->last_key;

	if (!notes->last || key->action != action)
		return false;
	return principal_equal(who, &notes->last_who) &&
	       strcmp(key->scope.project, scope ? scope->project : "") == 0 &&
	       strcmp(key->scope.domain, scope ? scope->domain : "") == 0;
}

static void
on_each_recorded(struct rpc_call *call, enum un_err err, const struct un_detail *detail,
                 void *context)
{
	(void)context;
	rpc_unhold(call, err, detail);
}

/* The reply waits for the record. */
static void
record_read(struct rpc_call *call, const struct principal *who, enum audit_action action,
            const struct scope *scope)
{
	struct note *texts = rpc_alloc(call, sizeof *texts);
	struct audit_event event = {.action = action, .verdict = AUDIT_ALLOWED};

	rpc_hold(call);
	if (!texts) {
		rpc_unhold(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	set_key(texts, action, AUDIT_ALLOWED, scope);
	principal_format(who, texts->principal);
	event.principal = texts->principal;
	event.scope = &texts->scope;
	audit_job_record(call, &event, on_each_recorded, NULL);
}

void
audit_allowed(struct rpc_call *call, const struct principal *who, enum authz_action allowed,
              const struct scope *scope)
{
	struct plane_worker *worker = rpc_worker(call);
	struct audit_notes *notes = worker->notes;
	enum audit_action action = audit_action_of(allowed);
	struct note *note;

	if (notes->reads == AUDIT_READS_OFF || !is_read(action))
		return;
	if (notes->reads == AUDIT_READS_EACH) {
		record_read(call, who, action, scope);
		return;
	}
	if (is_like_the_last(notes, who, action, scope)) {
		notes->last->count++;
		notes->last->last_us = clock_wall_us();
		return;
	}
	set_key(&notes->last_key, action, AUDIT_ALLOWED, scope);
	principal_format(who, notes->last_key.principal);
	note = find(notes, &notes->last_key);
	notes->last = note;
	notes->last_who = *who;
	if (note)
		add(notes, &notes->last_key, call);
}

/* ---- refusals ---- */

/* Without the port; of IPv6 the network, because whoever has one address has all of them. */
static void
address_of(const struct net_peer *peer, char text[NET_ADDRESS_MAX])
{
	char host[NET_ADDRESS_MAX], network[INET6_ADDRSTRLEN];
	const char *from = peer->address;
	struct in6_addr v6;
	char *end;

	if (*from == '[')
		from++;
	(void)snprintf(host, sizeof host, "%s", from);
	end = *peer->address == '[' ? strchr(host, ']') : strrchr(host, ':');
	if (end)
		*end = '\0';
	if (inet_pton(AF_INET6, host, &v6) == 1 && !IN6_IS_ADDR_V4MAPPED(&v6)) {
		memset(v6.s6_addr + 8, 0, 8);
		if (inet_ntop(AF_INET6, &v6, network, sizeof network))
			(void)snprintf(host, sizeof host, "%s/64", network);
	}
	memset(text, 0, NET_ADDRESS_MAX);
	(void)snprintf(text, NET_ADDRESS_MAX, "%s", host);
}

static void
sum_stranger(struct audit_notes *notes, const struct net_peer *peer, enum un_err err,
             struct rpc_call *call)
{
	struct note key;

	set_key(&key, AUDIT_REQUEST, AUDIT_DENIED, NULL);
	key.err = err;
	if (peer->family == NET_UNIX)
		(void)snprintf(key.principal, sizeof key.principal, "uid:%lu",
		               (unsigned long)peer->uid);
	else
		address_of(peer, key.address);
	add(notes, &key, call);
}

void
audit_stranger(struct rpc_call *call, enum un_err err)
{
	struct plane_worker *worker = rpc_worker(call);

	sum_stranger(worker->notes, rpc_peer(call), err, call);
}

/* Whether this refusal still gets a record of its own. */
static bool
has_budget(struct audit_notes *notes, const char *principal)
{
	const struct hash_part part = {principal, strlen(principal)};
	int64_t second = clock_mono_ms() / 1000;
	uint8_t hash[HASH_LEN];
	struct budget *budget;
	uint64_t key;

	hash_parts(&part, 1, hash);
	memcpy(&key, hash, sizeof key);
	budget = &notes->budgets[key & (BUDGETS - 1)];
	if (budget->second != second || budget->key != key)
		*budget = (struct budget){.key = key, .second = second};
	return budget->used++ < AUDIT_REFUSALS_EACH;
}

struct refusal {
	enum un_err err;
	struct un_detail detail;
	struct note texts;
};

static void
on_refusal_recorded(struct rpc_call *call, enum un_err err, const struct un_detail *detail,
                    void *context)
{
	struct plane_worker *worker = rpc_worker(call);
	struct refusal *refusal = context;

	(void)detail;
	if (err) /* the refusal stands; that it happened is written when it can be */
		add(worker->notes, &refusal->texts, call);
	rpc_fail(call, refusal->err, &refusal->detail);
}

void
audit_refuse(struct rpc_call *call, const struct principal *who, enum authz_action action,
             const struct scope *scope, enum un_err err, const struct un_detail *detail)
{
	struct plane_worker *worker = rpc_worker(call);
	struct refusal *refusal = rpc_alloc(call, sizeof *refusal);
	struct audit_event event = {.verdict = AUDIT_DENIED, .reason = un_err_slug(err)};
	struct note key;

	if (who->kind == PRINCIPAL_NOBODY) {
		sum_stranger(worker->notes, rpc_peer(call), err, call);
		rpc_fail(call, err, detail);
		return;
	}
	set_key(&key, audit_action_of(action), AUDIT_DENIED, NULL); /* whatever the scope was */
	key.err = err;
	principal_format(who, key.principal);
	if (!refusal || !has_budget(worker->notes, key.principal)) {
		add(worker->notes, &key, call);
		rpc_fail(call, err, detail);
		return;
	}
	refusal->err = err;
	if (detail)
		refusal->detail = *detail;
	set_key(&refusal->texts, key.action, AUDIT_DENIED, scope);
	refusal->texts.err = err;
	memcpy(refusal->texts.principal, key.principal, sizeof key.principal);
	event.action = key.action;
	event.principal = refusal->texts.principal;
	event.scope = &refusal->texts.scope;
	audit_job_record(call, &event, on_refusal_recorded, refusal);
}

void
audit_stranger_web(struct audit_notes *notes, const struct net_peer *peer, enum un_err err)
{
	sum_stranger(notes, peer, err, NULL);
}

/* ---- life ---- */

enum un_err
audit_notes_new(struct store *store, struct loop *loop, enum audit_reads reads,
                struct audit_notes **ret_notes)
{
	struct audit_notes *notes = mem_zalloc(1, sizeof *notes);

	if (!notes)
		return UN_ERR_NO_MEMORY;
	notes->store = store;
	notes->loop = loop;
	notes->reads = reads;
	notes->timer = (struct loop_timer){.fn = on_timer, .ctx = notes};
	*ret_notes = notes;
	return UN_OK;
}

void
audit_notes_free(struct audit_notes *notes)
{
	if (!notes)
		return;
	for (int turn = 0; turn < 2; turn++) { /* the second has room for what the first had not */
		note_others(notes);
		flush(notes);
		for (int i = 0; notes->in_flight && i < DRAIN_STEPS; i++)
			(void)!loop_step(notes->loop, DRAIN_STEP_MS);
	}
	loop_timer_cancel(notes->loop, &notes->timer);
	if (notes->in_flight) { /* the writer still has it: better kept than taken away */
		log_error("audit", "the last records could not be written in time");
		return;
	}
	while (notes->failed) {
		struct table *next = notes->failed->next;

		log_error("audit", "%zu summed records could not be written", notes->failed->count);
		mem_free(notes->failed);
		notes->failed = next;
	}
	mem_free(notes);
}
