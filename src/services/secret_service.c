#include "services/secret_service_impl.h"

#include "base/alloc.h"

#include <string.h>

static const char *const classic_names[] = {"cloudidl.secret.SecretService",
                                            "flyteidl2.secret.SecretService", NULL};
static const char *const union_names[] = {"union.v1.SecretService", NULL};

enum un_err
secret_service_new(struct secret_service **ret_service)
{
	struct secret_service *service = mem_zalloc(1, sizeof *service);
	enum un_err err;

	if (!service)
		return UN_ERR_NO_MEMORY;
	err = sealing_keys_new(&service->keys);
	if (err) {
		mem_free(service);
		return err;
	}
	service->classic = (struct rpc_service){.names = classic_names,
	                                        .suffix = "secret.SecretService",
	                                        .methods = classic_methods,
	                                        .method_count = classic_method_count,
	                                        .ctx = service};
	service->sealed = (struct rpc_service){.names = union_names,
	                                       .methods = union_methods,
	                                       .method_count = union_method_count,
	                                       .ctx = service};
	*ret_service = service;
	return UN_OK;
}

void
secret_service_free(struct secret_service *service)
{
	if (!service)
		return;
	sealing_keys_free(service->keys);
	mem_free(service);
}

const struct rpc_service *
secret_service_classic(const struct secret_service *service)
{
	return &service->classic;
}

const struct rpc_service *
secret_service_union(const struct secret_service *service)
{
	return &service->sealed;
}

bool
read_secret_id(struct rpc_call *call, const Cloudidl__Secret__SecretIdentifier *from,
               struct secret_id *ret_id)
{
	struct un_detail detail = {0};
	enum un_err err;

	if (!from) {
		rpc_failf(call, UN_ERR_INVALID, "the request names no secret: id is missing");
		return false;
	}
	err = secret_id_init(ret_id, from->project, from->domain, from->name, &detail);
	if (err)
		rpc_fail(call, err, &detail);
	return err == UN_OK;
}

struct store_view *
begin_read(struct rpc_call *call)
{
	struct plane_worker *worker = rpc_worker(call);
	struct un_detail detail = {0};
	enum un_err err = store_read_begin(worker->reader, &detail);

	if (err) {
		rpc_fail(call, err, &detail);
		return NULL;
	}
	return store_reader_view(worker->reader);
}

Google__Protobuf__Timestamp *
new_timestamp(struct rpc_call *call, int64_t at_us)
{
	Google__Protobuf__Timestamp *time = rpc_alloc(call, sizeof *time);

	if (!time)
		return NULL;
	google__protobuf__timestamp__init(time);
	time->seconds = at_us / 1000000;
	time->nanos = (int32_t)(at_us % 1000000) * 1000;
	return time;
}

Cloudidl__Secret__SecretIdentifier *
new_secret_id(struct rpc_call *call, const struct secret_id *id)
{
	Cloudidl__Secret__SecretIdentifier *out = rpc_alloc(call, sizeof *out);

	if (!out)
		return NULL;
	cloudidl__secret__secret_identifier__init(out);
	out->name = rpc_strdup(call, id->name);
	out->project = rpc_strdup(call, id->scope.project);
	out->domain = rpc_strdup(call, id->scope.domain);
	return out->name && out->project && out->domain ? out : NULL;
}

bool
is_system_secret(const char *name)
{
	return strcmp(name, "EAGER_API_KEY") == 0 || strcmp(name, "SERVING_API_KEY") == 0;
}

#define FIRST_ROOM 32

/* Room for one more head; the smaller array stays behind in the call's memory. */
static bool
make_room(struct head_page *page)
{
	size_t room = page->room ? 2 * page->room : FIRST_ROOM;
	struct secret_head *heads;

	if (page->count < page->room)
		return true;
	heads = rpc_alloc(page->call, room * sizeof *heads);
	if (!heads) {
		page->err = UN_ERR_NO_MEMORY;
		return false;
	}
	if (page->count)
		memcpy(heads, page->heads, page->count * sizeof *heads);
	page->heads = heads;
	page->room = room;
	return true;
}

static bool
take_head(void *ctx, const struct secret_head *head)
{
	struct head_page *page = ctx;

	if (page->hide_system && is_system_secret(head->id.name))
		return true;
	if (!make_room(page))
		return false;
	page->heads[page->count++] = *head;
	return true;
}

/* Goes on until the page is full: what is hidden does not shorten it. */
bool
read_head_page(struct rpc_call *call, struct secret_filter filter, bool hide_system,
               struct head_page *ret_page)
{
	struct head_page page = {.call = call, .hide_system = hide_system};
	struct store_view *view = begin_read(call);
	uint32_t limit = filter.limit;
	struct un_detail detail = {0};
	char cursor[SECRET_CURSOR_MAX];
	enum un_err err;

	if (!view)
		return false;
	do {
		filter.limit = limit - (uint32_t)page.count;
		err = secret_list(view, &filter, (struct secret_visit){take_head, &page}, cursor,
		                  &detail);
		if (err)
			page.err = err;
		memcpy(page.cursor, cursor, sizeof cursor);
		filter.cursor = page.cursor;
	} while (page.err == UN_OK && page.cursor[0] && page.count < limit);
	if (page.err) {
		rpc_fail(call, page.err, &detail);
		return false;
	}
	*ret_page = page;
	return true;
}
