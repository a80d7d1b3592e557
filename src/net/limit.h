/* limit.h - every limit of size and time of the network side, in one place. Pure data.
 *
 * A zero means the default named beside it. */
#ifndef NET_LIMIT_H
#define NET_LIMIT_H

#include <stddef.h>
#include <stdint.h>

struct net_limits {
	/* Of the whole server; 8192. Beyond them new ones are closed at once. A quarter is kept for
	 * this process's user: others cannot keep its launchers out. */
	unsigned connections;
	/* Of one address over TCP (IPv6: one /64; this machine: one user); 512. */
	unsigned connections_per_address;
	unsigned streams;      /* at once on one HTTP/2 connection; 128 */
	unsigned header_count; /* of one request; 64 */
	size_t head_max;       /* bytes of a request's head; 32 KiB */
	size_t body_total_max; /* bytes of request bodies held at once by one worker; 256 MiB */
	/* Bytes that may wait on one stream for a slow reader before its handler is told to wait;
	 * 1 MiB. On one connection 64 times that may wait, on one worker 256 times: an answer that
	 * would go beyond is not given. */
	size_t output_max;
	int first_byte_ms;   /* from accept to the first byte and through the TLS handshake; 10 s */
	int head_ms;         /* from its first byte to the end of an HTTP/1.1 head; 10 s */
	int body_ms;         /* for each 16 KiB of a request's body; 30 s */
	int idle_ms;         /* a connection with nothing to do; 10 min (HTTP/1.1: 75 s) */
	int write_ms;        /* bytes wait and the reader takes less than 16 KiB; 30 s */
	int call_ms;         /* a unary call without a deadline of its own; 120 s */
	int deadline_max_ms; /* longest deadline a client may ask for; 1 h */
	unsigned requests_max; /* on one connection before it is closed gently; 0: no limit */
};

#define NET_PROGRESS_LEN (16u << 10)
#define NET_OUTPUT_CONNECTION 64 /* times output_max */
#define NET_OUTPUT_WORKER 256

/* Replaces every zero with its default. */
void net_limits_fill(struct net_limits *limits);
/* Since when somebody is waited for who was waited for since `since_ms` and has now moved `len`
 * bytes: a drop at a time does not keep a connection alive. */
int64_t net_progress_ms(int64_t since_ms, int64_t now_ms, size_t len, int limit_ms);

#endif
