#include "daemon/ctl/doctor/root_anchor.h"

#include "common/base/text.h"
#include "daemon/ctl/doctor/text_file.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 4096, RDATA_SIZE = 2048 };

/* --- reading ------------------------------------------------------------------------------- */

/* RFC 4034, appendix B. */
static uint16_t key_tag(const uint8_t *rdata, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += i & 1 ? rdata[i] : (uint32_t)rdata[i] << 8;
	return (uint16_t)(sum + (sum >> 16 & 0xffff));
}

/* Removes blanks from the rest of a line: long data may contain some. */
static void join(char *rest, char *out, size_t size)
{
	struct text text;

	text_init(&text, out, size);
	for (const char *at = rest; at != NULL && *at != '\0'; at++) {
		if (*at != ' ' && *at != '\t')
			text_add_bytes(&text, at, 1);
	}
}

static bool read_ds(const unsigned long numbers[3], const char *hex, struct anchor_key *key)
{
	size_t size = 0;

	key->tag = (uint16_t)numbers[0];
	key->digested =
		numbers[2] == 2 &&
		OPENSSL_hexstr2buf_ex(key->digest, sizeof key->digest, &size, hex, '\0') == 1 &&
		size == sizeof key->digest;
	return true;
}

/* Computes the digest of the DS record (RFC 4034 5.1.4) of the root. */
static bool read_dnskey(const unsigned long numbers[3], const char *base64, struct anchor_key *key)
{
	/* The name of the root, then RDATA. */
	uint8_t bytes[1 + 4 + RDATA_SIZE] = {0, (uint8_t)(numbers[0] >> 8), (uint8_t)numbers[0],
		(uint8_t)numbers[1], (uint8_t)numbers[2]};
	size_t length = strlen(base64);

	if (length == 0 || length % 4 != 0 || length / 4 * 3 > RDATA_SIZE)
		return false;
	int size = EVP_DecodeBlock(bytes + 5, (const unsigned char *)base64, (int)length);
	if (size < 0)
		return false;
	/* EVP_DecodeBlock(3) includes the padding in the size. */
	size -= (base64[length - 1] == '=') + (base64[length - 2] == '=');
	key->tag = key_tag(bytes + 1, 4 + (size_t)size);
	key->digested =
		EVP_Digest(bytes, 5 + (size_t)size, key->digest, NULL, EVP_sha256(), NULL) == 1;
	return true;
}

/*
 * The state that libunbound writes after a key (validator/autotrust.c): 2 is VALID, 3 MISSING for
 * the moment.
 */
static bool is_trusted(const char *comment)
{
	const char *state = strstr(comment, ";;state=");

	return state == NULL || state[8] == '2' || state[8] == '3';
}

/* OWNER [TTL] [CLASS] DS|DNSKEY NUMBER NUMBER NUMBER DATA. */
static bool read_line(char *line, struct anchor_key *key)
{
	char data[LINE_SIZE], *rest = NULL;
	char *comment = strchr(line, ';');
	unsigned long numbers[3];

	if (comment != NULL && !is_trusted(comment))
		return false;
	if (comment != NULL)
		*comment = '\0';
	const char *word = strtok_r(line, " \t\r", &rest);
	if (word == NULL || strcmp(word, ".") != 0)
		return false;
	while ((word = strtok_r(NULL, " \t\r", &rest)) != NULL && strcasecmp(word, "DS") != 0 &&
		strcasecmp(word, "DNSKEY") != 0)
		;
	bool is_ds = word != NULL && strcasecmp(word, "DS") == 0;
	for (int i = 0; i < 3; i++) {
		const char *number = word != NULL ? strtok_r(NULL, " \t\r", &rest) : NULL;
		if (number == NULL)
			return false;
		numbers[i] = strtoul(number, NULL, 10);
	}
	join(rest, data, sizeof data);
	return is_ds ? read_ds(numbers, data, key) : read_dnskey(numbers, data, key);
}

size_t anchor_keys_read(const char *text, struct anchor_key keys[ANCHOR_KEYS_MAX])
{
	size_t count = 0;

	while (*text != '\0' && count < ANCHOR_KEYS_MAX) {
		char line[LINE_SIZE];
		size_t length = strcspn(text, "\n");
		snprintf(line, sizeof line, "%.*s", (int)length, text);
		memset(&keys[count], 0, sizeof keys[count]);
		count += length < sizeof line && read_line(line, &keys[count]);
		text += length + (text[length] == '\n');
	}
	return count;
}

/* --- findings ----------------------------------------------------------------------------- */

static void list_tags(struct text *text, const struct anchor_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		text_add_format(text, "%s%u", i > 0 ? ", " : "", keys[i].tag);
}

/* The result of the search for one of IANA's keys: found, another key has its tag, or absent. */
enum key_search { KEY_FOUND, KEY_OTHER, KEY_ABSENT };

static enum key_search find(
	const struct anchor_key *wanted, const struct anchor_key *keys, size_t count)
{
	enum key_search found = KEY_ABSENT;

	for (size_t i = 0; i < count; i++) {
		if (keys[i].tag != wanted->tag)
			continue;
		if (!keys[i].digested ||
			memcmp(keys[i].digest, wanted->digest, sizeof wanted->digest) == 0)
			return KEY_FOUND;
		found = KEY_OTHER;
	}
	return found;
}

/* The line with IANA's older (0) or newer (1) key. */
static const char *built_in_line(unsigned which, int *length)
{
	const char *line = root_anchor_built_in();

	for (unsigned i = 0; i < which; i++)
		line += strcspn(line, "\n") + 1;
	*length = (int)strcspn(line, "\n");
	return line;
}

struct source {
	const char *file;
	bool is_state;
};

static void add_missing(struct doctor *doctor, const struct source *source, unsigned which,
	const struct anchor_key *wanted, enum key_search found)
{
	int length;
	const char *line = built_in_line(which, &length);

	/*
	 * A missing newer key is a fault, because it signs; the older one is only for zones not yet
	 * signed again.
	 */
	doctor_add(doctor, DOCTOR_TRUST_ANCHOR, source->file,
		found == KEY_OTHER || which == 1 ? DOCTOR_FAULT : DOCTOR_WARNING,
		found == KEY_OTHER ? "the key %u in this file is not IANA's"
				   : "IANA's root key %u%s is missing",
		wanted->tag, which == 1 ? ", which has signed the root since October 2026," : "");
	if (source->is_state)
		doctor_remedy(doctor, "stop tlsad; rm %s; start it", source->file);
	else if (found == KEY_OTHER)
		doctor_remedy(doctor, "replace the line of this key with: %.*s", length, line);
	else
		doctor_remedy(doctor, "echo '%.*s' >>%s", length, line, source->file);
}

static void examine_keys(struct doctor *doctor, const struct source *source,
	const struct anchor_key *keys, size_t count)
{
	struct anchor_key iana[ANCHOR_KEYS_MAX] = {0};
	enum key_search found[2];
	char words[256];
	struct text tags;

	anchor_keys_read(root_anchor_built_in(), iana);
	text_init(&tags, words, sizeof words);
	list_tags(&tags, keys, count);
	for (int i = 0; i < 2; i++)
		found[i] = find(&iana[i], keys, count);
	if (found[0] == KEY_ABSENT && found[1] == KEY_ABSENT) {
		doctor_add(doctor, DOCTOR_TRUST_ANCHOR, source->file, DOCTOR_NOTE,
			"a private root is trusted, key %s, and no key of IANA's", words);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (found[i] != KEY_FOUND)
			add_missing(doctor, source, i, &iana[i], found[i]);
	}
	if (found[0] == KEY_FOUND && found[1] == KEY_FOUND)
		doctor_add(doctor, DOCTOR_TRUST_ANCHOR, source->file, DOCTOR_OK,
			"both of IANA's root keys are trusted: %s", words);
}

static void examine_seed(struct doctor *doctor, const char *seed, bool state_counts)
{
	struct anchor_key keys[ANCHOR_KEYS_MAX];
	struct source source = {doctor->conf->resolver.trust_anchor, false};
	size_t count = anchor_keys_read(seed != NULL ? seed : root_anchor_built_in(), keys);
	const char *newer;
	int length;
	bool is_default = strcmp(source.file, TLSAD_CONFDIR "/root.key") == 0;

	if (seed == NULL) {
		doctor_add(doctor, DOCTOR_TRUST_ANCHOR, source.file,
			is_default ? DOCTOR_OK : DOCTOR_WARNING,
			"the file does not exist; IANA's root keys, which are built in, are used");
		if (!is_default)
			doctor_remedy(doctor,
				"correct [resolver] trust_anchor in tlsad.conf, or create the "
				"file");
	} else if (count == 0) {
		doctor_add(doctor, DOCTOR_TRUST_ANCHOR, source.file, DOCTOR_WARNING,
			"no trust anchor for the root: only the zones in this file can be secure");
		newer = built_in_line(1, &length);
		doctor_remedy(doctor, "echo '%.*s' >>%s", length, newer, source.file);
	} else if (!state_counts) {
		examine_keys(doctor, &source, keys, count);
	} else {
		doctor_add(doctor, DOCTOR_TRUST_ANCHOR, source.file, DOCTOR_OK,
			"%zu root key%s to start with", count, count > 1 ? "s" : "");
	}
}

static void examine_state(struct doctor *doctor, const struct root_anchors *anchors)
{
	struct source source = {root_anchor_state_file(anchors), true};
	struct anchor_key keys[ANCHOR_KEYS_MAX];

	switch (root_anchor_state(anchors)) {
	case ROOT_ANCHOR_STATE_USED: {
		char *state = text_file_read(source.file);
		size_t count = state != NULL ? anchor_keys_read(state, keys) : 0;
		if (count > 0)
			examine_keys(doctor, &source, keys, count);
		free(state);
		return;
	}
	case ROOT_ANCHOR_STATE_NONE:
		if (root_anchor_tracked_file(anchors) != NULL)
			doctor_add(doctor, DOCTOR_TRUST_ANCHOR, source.file, DOCTOR_OK,
				"no state yet: tlsad creates it when validation works");
		return;
	case ROOT_ANCHOR_STATE_UNREADABLE:
		doctor_add(doctor, DOCTOR_TRUST_ANCHOR, source.file, DOCTOR_UNKNOWN,
			"the state of the root's keys cannot be read");
		doctor_remedy(doctor, "run doctor as root");
		return;
	case ROOT_ANCHOR_STATE_OLD:
		doctor_add(doctor, DOCTOR_TRUST_ANCHOR, source.file, DOCTOR_NOTE,
			"the state belongs to another trust anchor; tlsad will replace it");
		return;
	case ROOT_ANCHOR_STATE_DAMAGED:
		doctor_add(doctor, DOCTOR_TRUST_ANCHOR, source.file, DOCTOR_WARNING,
			"the state of the root's keys is damaged and not used");
		doctor_remedy(doctor, "rm %s", source.file);
	}
}

void doctor_examine_root_anchors(struct doctor *doctor, const struct root_anchors *anchors)
{
	/* root_anchor_open() has read the file, or it does not exist. */
	char *seed = text_file_read(doctor->conf->resolver.trust_anchor);

	examine_seed(doctor, seed, root_anchor_state(anchors) == ROOT_ANCHOR_STATE_USED);
	examine_state(doctor, anchors);
	free(seed);
}
