#include "requests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { KEY_MAX = 9000 }; /* socketmap_table(5): a request has at most 10,000 bytes */

static void *grow(void *memory, size_t size)
{
	void *grown = realloc(memory, size);
	if (grown == NULL) {
		fputs("out of memory\n", stderr);
		exit(1);
	}
	return grown;
}

/* What Postfix 3.8 sends at RCPT for a client without TLS. */
static const char policy_form[] =
	"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
	"client_address=192.0.2.1\nclient_name=client.example.org\nclient_port=51234\n"
	"reverse_client_name=client.example.org\nserver_address=192.0.2.25\nserver_port=25\n"
	"helo_name=client.example.org\nsender=somebody@example.org\nrecipient=somebody@%s\n"
	"recipient_count=0\nqueue_id=\ninstance=1ab3.56f0a1b2.7c8d9.0\nsize=12345\n"
	"etrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\n"
	"ccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n"
	"encryption_protocol=\nencryption_cipher=\nencryption_keysize=0\npolicy_context=\n"
	"compatibility_level=3.6\nmail_version=3.8.0\n\n";

static int frame_request(char *place, size_t room, const char *map, const char *key)
{
	if (map == NULL)
		return snprintf(place, room, policy_form, key);
	return snprintf(place, room, "%zu:%s %s,", strlen(map) + 1 + strlen(key), map, key);
}

static void add_request(struct requests *requests, const char *map, const char *key)
{
	size_t most = strlen(key) + (map != NULL ? strlen(map) + 16 : sizeof policy_form);

	if (requests->room - requests->used < most) {
		requests->room = requests->room * 2 + most;
		requests->bytes = grow(requests->bytes, requests->room);
	}
	if (requests->count == requests->item_room) {
		requests->item_room = requests->item_room * 2 + 1024;
		requests->items =
			grow(requests->items, requests->item_room * sizeof requests->items[0]);
	}
	int size = frame_request(requests->bytes + requests->used, most, map, key);
	requests->items[requests->count++] =
		(struct request){.offset = requests->used, .size = (size_t)size};
	requests->used += (size_t)size;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The bytes are shuffled too, so that the run reads its memory sequentially. */
static void shuffle(struct requests *requests, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15U;
	char *shuffled = grow(NULL, requests->used);
	size_t used = 0;

	for (size_t i = requests->count; i > 1; i--) {
		size_t other = (size_t)(next_random(&state) % i);
		struct request swapped = requests->items[i - 1];
		requests->items[i - 1] = requests->items[other];
		requests->items[other] = swapped;
	}
	for (size_t i = 0; i < requests->count; i++) {
		struct request *request = &requests->items[i];
		memcpy(shuffled + used, requests->bytes + request->offset, request->size);
		request->offset = used;
		used += request->size;
	}
	free(requests->bytes);
	requests->bytes = shuffled;
	requests->room = used;
}

bool requests_read(struct requests *requests, const char *file_name, const char *map,
	unsigned long limit, uint64_t seed)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t size;
	FILE *file = fopen(file_name, "r");

	memset(requests, 0, sizeof *requests);
	if (file == NULL) {
		fprintf(stderr, "%s: %s\n", file_name, strerror(errno));
		return false;
	}
	while (requests->count < limit && (size = getline(&line, &room, file)) > 0) {
		if (line[size - 1] == '\n')
			line[--size] = '\0';
		if (size > 0 && size < KEY_MAX)
			add_request(requests, map, line);
	}
	fclose(file);
	free(line);
	if (requests->count == 0) {
		fprintf(stderr, "%s: no keys\n", file_name);
		return false;
	}
	if (seed != 0)
		shuffle(requests, seed);
	return true;
}
