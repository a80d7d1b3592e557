#include "rpc/metrics.h"

#include "test.h"

static int64_t
seven(void *ctx)
{
	(void)ctx;
	return 7;
}

TEST(metrics, shows_each_name_once_with_all_its_labels)
{
	struct metrics *metrics = NULL;
	struct metric *a = NULL, *b = NULL, *other = NULL, *same = NULL;
	const struct metric_def def_a = {METRIC_COUNTER, "u_total", "help", "x=\"a\""};
	const struct metric_def def_b = {METRIC_COUNTER, "u_total", "help", "x=\"b\""};
	const struct metric_def def_other = {METRIC_GAUGE, "v", "other", NULL};
	const struct metric_def def_probe = {METRIC_GAUGE, "w", "asked", NULL};
	struct buf text;

	buf_init(&text, 1 << 20, BUF_PLAIN);
	EXPECT_OK(metrics_new(&metrics));
	EXPECT_OK(metrics_add(metrics, &def_a, &a));
	EXPECT_OK(metrics_add(metrics, &def_other, &other));
	EXPECT_OK(metrics_add(metrics, &def_b, &b));
	EXPECT_OK(metrics_add(metrics, &def_a, &same));
	EXPECT_OK(metrics_add_probe(metrics, &def_probe, seven, metrics));
	EXPECT(a == same && a != b);
	metric_add(a, 2);
	metric_add(same, 1);
	metric_set(other, -5);
	EXPECT_OK(metrics_format(metrics, &text));
	EXPECT_STR("# HELP u_total help\n# TYPE u_total counter\n"
	           "u_total{x=\"a\"} 3\nu_total{x=\"b\"} 0\n"
	           "# HELP v other\n# TYPE v gauge\nv -5\n"
	           "# HELP w asked\n# TYPE w gauge\nw 7\n",
	           buf_text(&text));
	metrics_remove_probes(metrics, metrics);
	buf_clear(&text);
	EXPECT_OK(metrics_format(metrics, &text));
	EXPECT(strstr(buf_text(&text), "w 0\n") != NULL);
	buf_fini(&text);
	metrics_free(metrics);
}

TEST(metrics, sorts_what_it_observes_into_buckets)
{
	struct metrics *metrics = NULL;
	struct metric *time = NULL;
	const struct metric_def def = {METRIC_HISTOGRAM, "t_seconds", "help", "m=\"x\""};
	struct buf text;

	buf_init(&text, 1 << 20, BUF_PLAIN);
	EXPECT_OK(metrics_new(&metrics));
	EXPECT_OK(metrics_add(metrics, &def, &time));
	metric_observe_us(time, 100);
	metric_observe_us(time, 101);
	metric_observe_us(time, 20 * 1000 * 1000);
	EXPECT_INT(3, metric_get(time));
	EXPECT_OK(metrics_format(metrics, &text));
	EXPECT(strstr(buf_text(&text), "t_seconds_bucket{m=\"x\",le=\"0.0001\"} 1\n") != NULL);
	EXPECT(strstr(buf_text(&text), "t_seconds_bucket{m=\"x\",le=\"10\"} 2\n") != NULL);
	EXPECT(strstr(buf_text(&text), "t_seconds_bucket{m=\"x\",le=\"+Inf\"} 3\n") != NULL);
	EXPECT(strstr(buf_text(&text), "t_seconds_sum{m=\"x\"} 20.000201\n") != NULL);
	EXPECT(strstr(buf_text(&text), "t_seconds_count{m=\"x\"} 3\n") != NULL);
	buf_fini(&text);
	metrics_free(metrics);
}

TORTURE(metrics, adds_whole_or_not_at_all)
{
	struct metrics *metrics = NULL;
	struct metric *metric = NULL;
	const struct metric_def def = {METRIC_COUNTER, "u_total", "help", "x=\"a\""};

	if (metrics_new(&metrics))
		return;
	if (metrics_add(metrics, &def, &metric) == UN_OK)
		metric_add(metric, 1);
	metrics_free(metrics);
}

TEST_MAIN()
