#include "net/limit.h"

#define DEFAULT(field, number)                                                                     \
	do {                                                                                       \
		if (!limits->field)                                                                \
			limits->field = (number);                                                  \
	} while (0)

void
net_limits_fill(struct net_limits *limits)
{
	DEFAULT(connections, 8192);
	DEFAULT(connections_per_address, 512);
	DEFAULT(streams, 128);
	DEFAULT(header_count, 64);
	DEFAULT(head_max, 32u << 10);
	DEFAULT(body_total_max, 256u << 20);
	DEFAULT(output_max, 1u << 20);
	DEFAULT(first_byte_ms, 10 * 1000);
	DEFAULT(head_ms, 10 * 1000);
	DEFAULT(body_ms, 30 * 1000);
	DEFAULT(idle_ms, 10 * 60 * 1000);
	DEFAULT(write_ms, 30 * 1000);
	DEFAULT(call_ms, 120 * 1000);
	DEFAULT(deadline_max_ms, 60 * 60 * 1000);
}

int64_t
net_progress_ms(int64_t since_ms, int64_t now_ms, size_t len, int limit_ms)
{
	int64_t moved;

	if (len >= NET_PROGRESS_LEN)
		return now_ms;
	moved = since_ms + (int64_t)len * limit_ms / NET_PROGRESS_LEN;
	return moved < now_ms ? moved : now_ms;
}
