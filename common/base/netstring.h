/*
 * netstring: the framing of socketmap requests and replies, `LENGTH:BYTES,`
 * (https://cr.yp.to/proto/netstrings.txt, socketmap_table(5)).
 */
#ifndef TLSAD_BASE_NETSTRING_H
#define TLSAD_BASE_NETSTRING_H

#include <stddef.h>

enum netstring_result {
	NETSTRING_COMPLETE,
	NETSTRING_PARTIAL,  /* a good beginning: read on */
	NETSTRING_BAD,      /* no netstring: leading zero, sign, no digits, missing comma */
	NETSTRING_TOO_LONG, /* announces more than the limit */
};

/* What stands before the payload at most: five digits and the colon. */
enum { NETSTRING_HEAD = 6 };

/* The longest payload that fits that head. */
enum { NETSTRING_MAX = 99999 };

/*
 * Read the netstring that `bytes` begins with. On NETSTRING_COMPLETE `*payload` points into
 * `bytes` and `*consumed` is the length of the whole frame. An error is found at the first byte
 * that shows it, however little has come.
 */
enum netstring_result netstring_parse(const char *bytes, size_t size, size_t limit,
	const char **payload, size_t *payload_size, size_t *consumed);

/*
 * Frame a payload in place: it stands at `payload`, with NETSTRING_HEAD writable bytes before it
 * and one after it, and is at most NETSTRING_MAX bytes long. Returns where the frame begins.
 */
char *netstring_frame(char *payload, size_t payload_size, size_t *frame_size);

#endif
