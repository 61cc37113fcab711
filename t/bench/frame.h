/*
 * frame: reads netstrings from a stream, or lines that end with an empty line as in the policy
 * delegation protocol, in pieces of any size, without storing them.
 *
 * Unlike common/base/netstring.h it needs no buffer for a whole frame, so that the programs of
 * t/bench can reuse one buffer for each read.
 */
#ifndef TLSAD_BENCH_FRAME_H
#define TLSAD_BENCH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum frame_result { FRAME_PARTIAL, FRAME_COMPLETE, FRAME_BAD };

enum { FRAME_WORD = 12 };

/* Between two frames it is all zero. */
struct frame {
	enum { FRAME_LENGTH, FRAME_PAYLOAD, FRAME_COMMA } state;
	uint32_t digits;       /* of the length, read so far */
	uint32_t length;       /* of the payload [bytes] */
	uint32_t left;         /* of the payload, still to come [bytes] */
	char word[FRAME_WORD]; /* the payload's first bytes */
	bool ended;            /* of lines: the last byte ended one */
};

/*
 * Read bytes up to the end of the frame or of the piece; `*used` is their number. After
 * FRAME_COMPLETE the next call begins a new frame; `length` and `word` are those of the last one.
 */
static inline enum frame_result frame_feed(
	struct frame *frame, const char *bytes, size_t size, uint32_t limit, size_t *used)
{
	const char *at = bytes, *end = bytes + size;

	if (frame->state == FRAME_LENGTH) {
		if (frame->digits == 0)
			frame->length = 0;
		while (at < end && *at >= '0' && *at <= '9') {
			if (frame->digits > 0 && frame->length == 0)
				return FRAME_BAD; /* a leading zero */
			frame->length = frame->length * 10 + (uint32_t)(*at++ - '0');
			frame->digits++;
			if (frame->length > limit)
				return FRAME_BAD;
		}
		if (at < end) {
			if (*at++ != ':' || frame->digits == 0)
				return FRAME_BAD;
			frame->digits = 0;
			frame->left = frame->length;
			frame->state = FRAME_PAYLOAD;
		}
	}
	if (frame->state == FRAME_PAYLOAD) {
		size_t have = (size_t)(end - at) < frame->left ? (size_t)(end - at) : frame->left;
		uint32_t seen = frame->length - frame->left;
		if (seen < FRAME_WORD) {
			size_t room = FRAME_WORD - seen;
			memcpy(frame->word + seen, at, have < room ? have : room);
		}
		at += have;
		frame->left -= (uint32_t)have;
		if (frame->left == 0)
			frame->state = FRAME_COMMA;
	}
	if (frame->state == FRAME_COMMA && at < end) {
		if (*at++ != ',')
			return FRAME_BAD;
		frame->state = FRAME_LENGTH;
		*used = (size_t)(at - bytes);
		return FRAME_COMPLETE;
	}
	*used = size;
	return FRAME_PARTIAL;
}

/* The same for lines; `length` is that of all lines together, without the empty one. */
static inline enum frame_result lines_feed(
	struct frame *frame, const char *bytes, size_t size, uint32_t limit, size_t *used)
{
	const char *at = bytes, *end = bytes + size;

	if (frame->state == FRAME_LENGTH) {
		frame->length = 0;
		frame->ended = false;
		frame->state = FRAME_PAYLOAD;
	}
	while (at < end) {
		if (frame->ended && *at == '\n') {
			frame->state = FRAME_LENGTH;
			*used = (size_t)(at + 1 - bytes);
			return FRAME_COMPLETE;
		}
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t have = (size_t)((newline != NULL ? newline + 1 : end) - at);
		if (frame->length < FRAME_WORD) {
			size_t room = FRAME_WORD - frame->length;
			memcpy(frame->word + frame->length, at, have < room ? have : room);
		}
		frame->length += (uint32_t)have;
		if (frame->length > limit)
			return FRAME_BAD;
		frame->ended = newline != NULL;
		at += have;
	}
	*used = size;
	return FRAME_PARTIAL;
}

#endif
