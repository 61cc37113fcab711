/*
 * netstring: the framing of socketmap requests and replies, `LENGTH:BYTES,`
 * (https://cr.yp.to/proto/netstrings.txt, socketmap_table(5)). Pure; allocates nothing.
 */
#ifndef TLSAD_BASE_NETSTRING_H
#define TLSAD_BASE_NETSTRING_H

#include <stddef.h>

enum netstring_result {
	NETSTRING_COMPLETE,
	NETSTRING_PARTIAL,  /* correct so far: more bytes are needed */
	NETSTRING_BAD,      /* not a netstring: leading zero, sign, no digits, missing comma */
	NETSTRING_TOO_LONG, /* the length is larger than the limit */
};

/* Most bytes before the payload: five digits and the colon. */
enum { NETSTRING_HEAD = 6 };

/* The longest payload [bytes] whose length has five digits. */
enum { NETSTRING_MAX = 99999 };

/*
 * Read the netstring at the beginning of `bytes`. On NETSTRING_COMPLETE `*payload` points into
 * `bytes` and `*consumed` is the length of the whole frame; otherwise they are not set. An error is
 * reported at the first wrong byte, even if the rest has not arrived yet.
 */
enum netstring_result netstring_parse(const char *bytes, size_t size, size_t limit,
	const char **payload, size_t *payload_size, size_t *consumed);

/*
 * Frame a payload in place. It is at most NETSTRING_MAX bytes long, with NETSTRING_HEAD writable
 * bytes before it and one after it. Returns the beginning of the frame.
 */
char *netstring_frame(char *payload, size_t payload_size, size_t *frame_size);

#endif
