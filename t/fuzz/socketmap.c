/*
 * Socketmap: netstrings as such, and a connection of a serving thread, whose replies must not
 * depend on the pieces in which the requests arrive.
 */
#include "daemon/answer/socketmap.h"

#include "common/base/netstring.h"
#include "common/verdict/render.h"
#include "daemon/ctl/frame/socketmap_reply.h"
#include "t/fuzz/still_daemon.h"

#include "t/fuzz/fuzz.h"

enum { PREFIXES_MAX = 24 };

/* A beginning is partial, or shows the same error as the whole. */
static void check_prefixes(const char *bytes, size_t size, enum netstring_result whole)
{
	const char *payload;
	size_t payload_size, consumed;

	for (size_t i = 0; i < size && i < PREFIXES_MAX; i++) {
		enum netstring_result part = netstring_parse(
			bytes, i, SOCKETMAP_REQUEST_MAX, &payload, &payload_size, &consumed);
		CHECK(part == NETSTRING_PARTIAL || part == whole);
	}
}

static void check_round_trip(const char *bytes, size_t size)
{
	size_t payload_size = size < NETSTRING_MAX ? size : NETSTRING_MAX;
	size_t frame_size = 0, consumed = 0, found_size = 0;
	char *memory = malloc(NETSTRING_HEAD + payload_size + 1);
	const char *found;

	CHECK(memory != NULL);
	if (payload_size > 0)
		memcpy(memory + NETSTRING_HEAD, bytes, payload_size);
	const char *frame = netstring_frame(memory + NETSTRING_HEAD, payload_size, &frame_size);
	CHECK(netstring_parse(frame, frame_size, NETSTRING_MAX, &found, &found_size, &consumed) ==
		NETSTRING_COMPLETE);
	CHECK(consumed == frame_size && found_size == payload_size &&
		found == memory + NETSTRING_HEAD);
	free(memory);
}

/* Each reply is a netstring, printable, with a status; returns how many there are. */
static size_t check_replies(const char *replies, size_t size)
{
	size_t count = 0;

	while (size > 0) {
		const char *payload;
		size_t payload_size, consumed;
		struct socketmap_reply reply;

		CHECK(netstring_parse(replies, size, RENDER_REPLY_MAX, &payload, &payload_size,
			      &consumed) == NETSTRING_COMPLETE);
		CHECK(fuzz_is_printable(payload, payload_size));
		char *line = fuzz_string(payload, payload_size);
		CHECK(strlen(line) == payload_size && socketmap_reply_parse(&reply, line));
		free(line);
		replies += consumed;
		size -= consumed;
		count++;
	}
	return count;
}

/* An explanation says how long things are still valid, which may change between two. */
static bool tells_times(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i + 7 <= size; i++) {
		if (text_equal_nocase((const char *)bytes + i, 7, "explain"))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *payload = NULL;
	size_t payload_size = 0, consumed = 0, replies_size[2];
	bool closed[2];
	size_t piece = size > 0 ? bytes[0] % 97u + 1 : 1;

	enum netstring_result whole = netstring_parse((const char *)bytes, size,
		SOCKETMAP_REQUEST_MAX, &payload, &payload_size, &consumed);
	if (whole == NETSTRING_COMPLETE)
		CHECK(consumed <= size && payload_size <= SOCKETMAP_REQUEST_MAX &&
			payload > (const char *)bytes &&
			payload + payload_size + 1 == (const char *)bytes + consumed);
	check_prefixes((const char *)bytes, size, whole);
	check_round_trip((const char *)bytes, size);

	char *at_once = still_daemon_converse(
		&protocol_socketmap, bytes, size, size, &replies_size[0], &closed[0]);
	char *in_pieces = still_daemon_converse(
		&protocol_socketmap, bytes, size, piece, &replies_size[1], &closed[1]);
	CHECK(check_replies(at_once, replies_size[0]) == check_replies(in_pieces, replies_size[1]));
	CHECK(closed[0] == closed[1]);
	if (!tells_times(bytes, size))
		CHECK(replies_size[0] == replies_size[1] &&
			memcmp(at_once, in_pieces, replies_size[0]) == 0);
	free(at_once);
	free(in_pieces);
	return 0;
}
