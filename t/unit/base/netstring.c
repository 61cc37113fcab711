/*
 * netstring: every kind of error is found at its first byte, every beginning of a correct frame is
 * partial, limits are exact to the byte, and a framed payload reads back.
 */
#include "common/base/netstring.h"

#include "t/unit/tap.h"

enum { LIMIT = 10000 };

static const char *result_name(enum netstring_result result)
{
	switch (result) {
	case NETSTRING_COMPLETE:
		return "complete";
	case NETSTRING_PARTIAL:
		return "partial";
	case NETSTRING_BAD:
		return "bad";
	case NETSTRING_TOO_LONG:
		return "too long";
	}
	return "?";
}

static const struct {
	const char *name;
	const char *bytes;
	size_t size; /* 0: the length of the string */
	size_t limit;
	enum netstring_result expected;
	const char *payload;
} rows[] = {
	{"nothing yet", "", 0, LIMIT, NETSTRING_PARTIAL, NULL},
	{"a request", "20:policy a.example.com,", 0, LIMIT, NETSTRING_COMPLETE,
		"policy a.example.com"},
	{"a request that announces one byte too few", "19:policy a.example.com,", 0, LIMIT,
		NETSTRING_BAD, NULL},
	{"a request that announces one byte too many", "21:policy a.example.com,", 0, LIMIT,
		NETSTRING_PARTIAL, NULL},
	{"empty payload", "0:,", 0, LIMIT, NETSTRING_COMPLETE, ""},
	{"one byte", "1:a,", 0, LIMIT, NETSTRING_COMPLETE, "a"},
	{"a second frame after it", "1:a,1:b,", 0, LIMIT, NETSTRING_COMPLETE, "a"},
	{"commas and colons in the payload", "5:,:,:,,", 0, LIMIT, NETSTRING_COMPLETE, ",:,:,"},
	{"exactly at the limit", "3:abc,", 0, 3, NETSTRING_COMPLETE, "abc"},
	{"one over the limit", "4:abcd,", 0, 3, NETSTRING_TOO_LONG, NULL},
	{"over the limit, seen at the digit", "4", 0, 3, NETSTRING_TOO_LONG, NULL},
	{"the limit itself, announced", "10000:", 0, LIMIT, NETSTRING_PARTIAL, NULL},
	{"one over it, announced", "10001", 0, LIMIT, NETSTRING_TOO_LONG, NULL},
	{"an endless length", "99999999999999999999999999", 0, LIMIT, NETSTRING_TOO_LONG, NULL},
	{"a length that wraps 64 bits", "18446744073709551617:a,", 0, LIMIT, NETSTRING_TOO_LONG,
		NULL},
	{"a length that wraps 32 bits", "4294967297:a,", 0, LIMIT, NETSTRING_TOO_LONG, NULL},
	{"one digit too many for the limit", "100000", 0, LIMIT, NETSTRING_TOO_LONG, NULL},
	{"leading zero", "01:a,", 0, LIMIT, NETSTRING_BAD, NULL},
	{"leading zero, seen at the second digit", "01", 0, LIMIT, NETSTRING_BAD, NULL},
	{"two zeroes", "00:,", 0, LIMIT, NETSTRING_BAD, NULL},
	{"a lone zero", "0", 0, LIMIT, NETSTRING_PARTIAL, NULL},
	{"zero and its colon", "0:", 0, LIMIT, NETSTRING_PARTIAL, NULL},
	{"zero with a payload", "0:a", 0, LIMIT, NETSTRING_BAD, NULL},
	{"plus sign", "+1:a,", 0, LIMIT, NETSTRING_BAD, NULL},
	{"minus sign", "-1:a,", 0, LIMIT, NETSTRING_BAD, NULL},
	{"blank before it", " 1:a,", 0, LIMIT, NETSTRING_BAD, NULL},
	{"blank before the colon", "1 :a,", 0, LIMIT, NETSTRING_BAD, NULL},
	{"no digits", ":a,", 0, LIMIT, NETSTRING_BAD, NULL},
	{"only a comma", ",", 0, LIMIT, NETSTRING_BAD, NULL},
	{"hexadecimal", "0x1:a,", 0, LIMIT, NETSTRING_BAD, NULL},
	{"letters", "GET / HTTP/1.1\r\n", 0, LIMIT, NETSTRING_BAD, NULL},
	{"a newline for the colon", "1\n", 0, LIMIT, NETSTRING_BAD, NULL},
	{"something else for the comma", "1:a;", 0, LIMIT, NETSTRING_BAD, NULL},
	{"a longer payload than announced", "1:ab,", 0, LIMIT, NETSTRING_BAD, NULL},
	{"a shorter payload than announced", "3:ab,", 0, LIMIT, NETSTRING_PARTIAL, NULL},
	{"the comma is still to come", "1:a", 0, LIMIT, NETSTRING_PARTIAL, NULL},
	{"a NUL byte in the payload", "3:a\0b,", 6, LIMIT, NETSTRING_COMPLETE, "a"},
	{"a NUL byte for a digit", "\0", 1, LIMIT, NETSTRING_BAD, NULL},
	{"a NUL byte for the colon", "1\0", 2, LIMIT, NETSTRING_BAD, NULL},
	{"a NUL byte for the comma", "1:a\0", 4, LIMIT, NETSTRING_BAD, NULL},
	{"Arabic digits", "\xd9\xa1:a,", 0, LIMIT, NETSTRING_BAD, NULL},
	{"nothing is allowed but nothing", "0:,", 0, 0, NETSTRING_COMPLETE, ""},
	{"nothing is allowed, and one comes", "1:a,", 0, 0, NETSTRING_TOO_LONG, NULL},
};

static void test_table(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *payload = NULL;
		size_t payload_size = 0, consumed = 0;
		size_t size = rows[i].size != 0 ? rows[i].size : strlen(rows[i].bytes);
		/* A copy of exactly this size, so that a sanitizer sees a read past its end. */
		char *bytes = malloc(size + 1);
		memcpy(bytes, rows[i].bytes, size);
		bytes = realloc(bytes, size > 0 ? size : 1);
		enum netstring_result result = netstring_parse(
			bytes, size, rows[i].limit, &payload, &payload_size, &consumed);
		is_string(result_name(result), result_name(rows[i].expected), "%s", rows[i].name);
		if (result == NETSTRING_COMPLETE && rows[i].payload != NULL)
			ok(payload > bytes && payload + payload_size < bytes + size &&
					strncmp(payload, rows[i].payload, payload_size) == 0 &&
					(size_t)(payload - bytes) + payload_size + 1 == consumed,
				"%s: the payload and what was used up", rows[i].name);
		free(bytes);
	}
}

/* Every byte value at every position of a small frame: only one is correct. */
static void test_every_byte(void)
{
	static const char frame[] = "12:policy a.b.c,";
	size_t size = sizeof frame - 1;

	many_begin("every byte value in every place of the frame");
	for (size_t place = 0; place < size; place++) {
		for (int byte = 0; byte < 256; byte++) {
			char bytes[sizeof frame];
			const char *payload;
			size_t payload_size, consumed;
			bool in_payload = place >= 3 && place < size - 1;

			memcpy(bytes, frame, sizeof frame);
			bytes[place] = (char)byte;
			enum netstring_result result = netstring_parse(
				bytes, size, LIMIT, &payload, &payload_size, &consumed);
			bool good = in_payload || (char)byte == frame[place];
			enum netstring_result expected = good ? NETSTRING_COMPLETE : NETSTRING_BAD;
			if (!good && place < 2 && byte >= '0' && byte <= '9') {
				/* Another length: with a shorter one the comma is missing, a longer
				 * one is partial. */
				int length = place == 0 ? (byte - '0') * 10 + 2 : 10 + byte - '0';
				bool leading = place == 0 && byte == '0';
				expected =
					!leading && length > 12 ? NETSTRING_PARTIAL : NETSTRING_BAD;
			} else if (place == 2 && byte >= '0' && byte <= '9') {
				/* 120 to 129, and then no colon. */
				expected = NETSTRING_BAD;
			}
			many(result == expected, "byte %d at %zu: %s, expected %s", byte, place,
				result_name(result), result_name(expected));
		}
	}
	many_end();
}

/* A frame of this length, read back whole and cut at the given positions. */
static void check_round_trip(size_t length, bool every_cut)
{
	char *memory = malloc(NETSTRING_HEAD + length + 1);
	char *payload = memory + NETSTRING_HEAD;
	size_t frame_size = 0, read_size = 0, consumed = 0;
	const char *read = NULL;

	for (size_t i = 0; i < length; i++)
		payload[i] = (char)(i * 7 + 3);
	char *frame = netstring_frame(payload, length, &frame_size);
	char head[16];
	int head_size = snprintf(head, sizeof head, "%zu:", length);
	many(frame == payload - head_size && frame_size == (size_t)head_size + length + 1 &&
			memcmp(frame, head, (size_t)head_size) == 0 && payload[length] == ',',
		"length %zu: the frame encloses its payload", length);
	many(netstring_parse(frame, frame_size, NETSTRING_MAX, &read, &read_size, &consumed) ==
				NETSTRING_COMPLETE &&
			read == payload && read_size == length && consumed == frame_size,
		"length %zu: reads back", length);
	many(netstring_parse(frame, frame_size, length, &read, &read_size, &consumed) ==
			NETSTRING_COMPLETE,
		"length %zu: is within a limit of that length", length);
	many(length == 0 || netstring_parse(frame, frame_size, length - 1, &read, &read_size,
				    &consumed) == NETSTRING_TOO_LONG,
		"length %zu: is over a limit of one less", length);
	for (size_t cut = 0; cut < frame_size;
		cut += every_cut || cut < 8 || cut + 8 > frame_size ? 1 : frame_size / 5) {
		char *piece = malloc(cut > 0 ? cut : 1);
		memcpy(piece, frame, cut);
		many(netstring_parse(piece, cut, NETSTRING_MAX, &read, &read_size, &consumed) ==
				NETSTRING_PARTIAL,
			"length %zu: cut after %zu bytes it is a good beginning", length, cut);
		free(piece);
	}
	size_t same = 0;
	while (same < length && payload[same] == (char)(same * 7 + 3))
		same++;
	many(same == length, "length %zu: byte %zu of the payload has changed", length, same);
	free(memory);
}

static void test_round_trips(void)
{
	static const size_t lengths[] = {999, 1000, 1001, 4095, 4096, 9999, 10000, 10001, 65535,
		65536, 99000, 99998, NETSTRING_MAX};

	many_begin("framing, reading back and every cut, lengths 0 to 128");
	for (size_t length = 0; length <= 128; length++)
		check_round_trip(length, true);
	many_end();
	many_begin("framing, reading back and cuts, long payloads");
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
		check_round_trip(lengths[i], false);
	many_end();
}

/* A stream of frames that arrives in pieces of every size: all are found, in order. */
static void test_pipelined(void)
{
	char stream[4096];
	size_t size = 0;

	for (int i = 0; i < 100; i++) {
		char request[64];
		int length = snprintf(request, sizeof request, "policy %d.example", i * i);
		size += (size_t)snprintf(
			stream + size, sizeof stream - size, "%d:%s,", length, request);
	}
	many_begin("a hundred pipelined requests in pieces of every size");
	for (size_t piece = 1; piece < 64; piece++) {
		size_t at = 0, here = 0;
		int found = 0;
		while (here < size) {
			here = here + piece < size ? here + piece : size;
			const char *payload;
			size_t payload_size, consumed;
			while (netstring_parse(stream + at, here - at, LIMIT, &payload,
				       &payload_size, &consumed) == NETSTRING_COMPLETE) {
				char expected[64];
				snprintf(expected, sizeof expected, "policy %d.example",
					found * found);
				many(payload_size == strlen(expected) &&
						memcmp(payload, expected, payload_size) == 0,
					"pieces of %zu: request %d is as it was sent", piece,
					found);
				found++;
				at += consumed;
			}
		}
		many(found == 100 && at == size, "pieces of %zu: %d requests", piece, found);
	}
	many_end();
}

int main(void)
{
	test_table();
	test_every_byte();
	test_round_trips();
	test_pipelined();
	return done_testing();
}
