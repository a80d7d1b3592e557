#include "rpc/metrics.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define METRICS_MAX 4096

static const int64_t bucket_us[] = {100,     250,     500,     1000,    2500,   5000,
                                    10000,   25000,   50000,   100000,  250000, 500000,
                                    1000000, 2500000, 5000000, 10000000};
#define BUCKETS (sizeof bucket_us / sizeof bucket_us[0])

struct metric {
	struct metric *next; /* in the order added, names together */
	enum metric_kind kind;
	char *name, *help, *labels; /* labels "" if none */
	int64_t (*probe)(void *ctx);
	void *probe_ctx;
	_Atomic int64_t number; /* histogram: the sum in us */
	_Atomic int64_t buckets[BUCKETS + 1];
};

struct metrics {
	pthread_mutex_t lock; /* of the list */
	struct metric *list;
	size_t count;
};

enum un_err
metrics_new(struct metrics **ret_metrics)
{
	struct metrics *metrics = mem_zalloc(1, sizeof *metrics);

	if (!metrics)
		return UN_ERR_NO_MEMORY;
	pthread_mutex_init(&metrics->lock, NULL);
	*ret_metrics = metrics;
	return UN_OK;
}

static void
metric_free(struct metric *metric)
{
	mem_free(metric->name);
	mem_free(metric->help);
	mem_free(metric->labels);
	mem_free(metric);
}

void
metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	while (metrics->list) {
		struct metric *metric = metrics->list;

		metrics->list = metric->next;
		metric_free(metric);
	}
	pthread_mutex_destroy(&metrics->lock);
	mem_free(metrics);
}

static struct metric *
metric_new(const struct metric_def *def)
{
	struct metric *metric = mem_zalloc(1, sizeof *metric);

	if (!metric)
		return NULL;
	metric->kind = def->kind;
	metric->name = mem_strdup(def->name);
	metric->help = mem_strdup(def->help);
	metric->labels = mem_strdup(def->labels ? def->labels : "");
	if (metric->name && metric->help && metric->labels)
		return metric;
	metric_free(metric);
	return NULL;
}

/* Finds it, or the place behind the last metric of its name. */
static struct metric *
find(struct metrics *metrics, const struct metric_def *def, struct metric ***ret_place)
{
	const char *labels = def->labels ? def->labels : "";
	struct metric **at = &metrics->list;

	*ret_place = NULL;
	for (; *at; at = &(*at)->next) {
		bool same = !strcmp((*at)->name, def->name);

		if (same && !strcmp((*at)->labels, labels))
			return *at;
		if (same)
			*ret_place = &(*at)->next;
	}
	if (!*ret_place)
		*ret_place = at;
	return NULL;
}

static enum un_err
add(struct metrics *metrics, const struct metric_def *def, struct metric **ret_metric)
{
	struct metric **place, *metric = find(metrics, def, &place);

	if (metric) {
		*ret_metric = metric;
		return UN_OK;
	}
	if (metrics->count >= METRICS_MAX)
		return UN_ERR_TOO_LARGE;
	metric = metric_new(def);
	if (!metric)
		return UN_ERR_NO_MEMORY;
	metric->next = *place;
	*place = metric;
	metrics->count++;
	*ret_metric = metric;
	return UN_OK;
}

enum un_err
metrics_add(struct metrics *metrics, const struct metric_def *def, struct metric **ret_metric)
{
	enum un_err err;

	pthread_mutex_lock(&metrics->lock);
	err = add(metrics, def, ret_metric);
	pthread_mutex_unlock(&metrics->lock);
	return err;
}

enum un_err
metrics_add_probe(struct metrics *metrics, const struct metric_def *def,
                  int64_t (*probe)(void *ctx), void *ctx)
{
	struct metric *metric;
	enum un_err err;

	pthread_mutex_lock(&metrics->lock);
	err = add(metrics, def, &metric);
	if (!err) {
		metric->probe = probe;
		metric->probe_ctx = ctx;
	}
	pthread_mutex_unlock(&metrics->lock);
	return err;
}

void
metrics_remove_probes(struct metrics *metrics, void *ctx)
{
	pthread_mutex_lock(&metrics->lock);
	for (struct metric *metric = metrics->list; metric; metric = metric->next) {
		if (metric->probe && metric->probe_ctx == ctx)
			metric->probe = NULL;
	}
	pthread_mutex_unlock(&metrics->lock);
}

void
metric_add(struct metric *metric, int64_t delta)
{
	if (metric)
		atomic_fetch_add_explicit(&metric->number, delta, memory_order_relaxed);
}

void
metric_set(struct metric *metric, int64_t number)
{
	if (metric)
		atomic_store_explicit(&metric->number, number, memory_order_relaxed);
}

void
metric_observe_us(struct metric *metric, int64_t us)
{
	size_t at = 0;

	if (!metric)
		return;
	while (at < BUCKETS && us > bucket_us[at])
		at++;
	atomic_fetch_add_explicit(&metric->buckets[at], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&metric->number, us, memory_order_relaxed);
}

int64_t
metric_get(const struct metric *metric)
{
	int64_t total = 0;

	if (metric->kind != METRIC_HISTOGRAM)
		return atomic_load_explicit(&metric->number, memory_order_relaxed);
	for (size_t i = 0; i <= BUCKETS; i++)
		total += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
	return total;
}

static enum un_err
format_histogram(const struct metric *metric, struct buf *out)
{
	const char *comma = metric->labels[0] ? "," : "";
	const char *open = metric->labels[0] ? "{" : "", *close = metric->labels[0] ? "}" : "";
	int64_t sum = atomic_load_explicit(&metric->number, memory_order_relaxed), total = 0;
	enum un_err err = UN_OK;

	for (size_t i = 0; !err && i <= BUCKETS; i++) {
		total += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
		if (i < BUCKETS)
			err = buf_appendf(out, "%s_bucket{%s%sle=\"%g\"} %" PRId64 "\n",
			                  metric->name, metric->labels, comma,
			                  (double)bucket_us[i] / 1e6, total);
		else
			err = buf_appendf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRId64 "\n",
			                  metric->name, metric->labels, comma, total);
	}
	if (!err)
		err = buf_appendf(out, "%s_sum%s%s%s %.6f\n", metric->name, open, metric->labels,
		                  close, (double)sum / 1e6);
	if (!err)
		err = buf_appendf(out, "%s_count%s%s%s %" PRId64 "\n", metric->name, open,
		                  metric->labels, close, total);
	return err;
}

static enum un_err
format_one(const struct metric *metric, bool first, struct buf *out)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};
	enum un_err err = UN_OK;
	int64_t number;

	if (first)
		err = buf_appendf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
		                  metric->name, kinds[metric->kind]);
	if (err)
		return err;
	if (metric->kind == METRIC_HISTOGRAM)
		return format_histogram(metric, out);
	number = metric->probe ? metric->probe(metric->probe_ctx) : metric_get(metric);
	if (metric->labels[0])
		return buf_appendf(out, "%s{%s} %" PRId64 "\n", metric->name, metric->labels,
		                   number);
	return buf_appendf(out, "%s %" PRId64 "\n", metric->name, number);
}

enum un_err
metrics_format(const struct metrics *metrics, struct buf *out)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&metrics->lock;
	const char *last = "";
	enum un_err err = UN_OK;

	pthread_mutex_lock(lock);
	for (const struct metric *metric = metrics->list; !err && metric; metric = metric->next) {
		err = format_one(metric, strcmp(metric->name, last) != 0, out);
		last = metric->name;
	}
	pthread_mutex_unlock(lock);
	return err;
}
