/* metrics.h - counters, gauges and histograms, shown as Prometheus text.
 *
 * A metric is registered once, at start, and then changed from any thread without a lock. Names and
 * labels are static text of ours: never a name of a secret, a project or a person. */
#ifndef RPC_METRICS_H
#define RPC_METRICS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

struct metrics;
struct metric;

enum metric_kind {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM, /* of microseconds, shown as seconds; buckets 100 us to 10 s, 1-2.5-5 */
};

struct metric_def {
	enum metric_kind kind;
	const char *name;   /* "union_requests_total" */
	const char *help;   /* one line */
	const char
		*labels; /* "method=\"GetSecret\"" or NULL; metrics of one name differ in labels */
};

MUST_CHECK enum un_err metrics_new(struct metrics **ret_metrics);
void metrics_free(struct metrics *metrics); /* NULL is fine */

/* `def` and its texts are copied. The same name and labels give the same metric again. Any thread.
 * The metric lives as long as `metrics`. */
MUST_CHECK enum un_err metrics_add(struct metrics *metrics, const struct metric_def *def,
                                   struct metric **ret_metric);
/* A gauge or counter whose number is asked for when it is shown, on the thread that shows it. */
MUST_CHECK enum un_err metrics_add_probe(struct metrics *metrics, const struct metric_def *def,
                                         int64_t (*probe)(void *ctx), void *ctx);

/* Afterwards no probe with this `ctx` is called any more; it shows 0. Any thread. */
void metrics_remove_probes(struct metrics *metrics, void *ctx);

void metric_add(struct metric *metric, int64_t delta); /* counter, gauge; NULL is fine */
void metric_set(struct metric *metric, int64_t number);
void metric_observe_us(struct metric *metric, int64_t us);
int64_t metric_get(const struct metric *metric); /* histogram: how many were observed */

MUST_CHECK enum un_err metrics_format(const struct metrics *metrics, struct buf *out);

#endif
