/* Keys: what Postfix asks for, what an administrator writes, and keys of the cache. */
#include "common/dane/destination.h"

#include "common/part/key.h"
#include "common/site/rules.h"
#include "daemon/ctl/tlsa/host_name.h"
#include "t/fuzz/fuzz.h"

static bool is_same(const struct destination *one, const struct destination *other)
{
	return one->kind == other->kind && one->port == other->port &&
	       one->name_length == other->name_length && strcmp(one->name, other->name) == 0;
}

static void check_name(const char *name, size_t size)
{
	CHECK(size == strlen(name) && size > 0 && size <= DESTINATION_NAME_MAX);
	CHECK(destination_name_valid(name, size) && name[size - 1] != '.');
	for (size_t i = 0; i < size; i++)
		CHECK(!(name[i] >= 'A' && name[i] <= 'Z'));
}

static void check_part_key(const struct destination *destination, enum part_kind kind)
{
	char key[PART_KEY_MAX];
	struct part_key read;
	size_t size = part_named_key(
		key, kind, destination->name, destination->name_length, destination->port);

	CHECK(size <= sizeof key && part_key_read(&read, key, size) && read.kind == kind);
	CHECK(read.name_size == destination->name_length &&
		memcmp(read.name, destination->name, read.name_size) == 0);
	CHECK(read.port == (kind == PART_HOST ? destination->port : 0));
}

/* A destination has a valid name, and prints as a key that gives the same destination. */
static void check_destination(const struct destination *destination)
{
	char key[DESTINATION_KEY_SIZE];
	struct destination again;

	check_name(destination->name, destination->name_length);
	CHECK(strchr(destination->name, '.') != NULL && destination->port > 0);
	destination_print(destination, key);
	CHECK(destination_parse(key, strlen(key), &again) == DESTINATION_OK);
	CHECK(is_same(destination, &again));
	check_part_key(destination, PART_MX);
	check_part_key(destination, PART_HOST);
}

static void check_key_of_rules(const char *string)
{
	char normal[RULES_KEY_SIZE], again[RULES_KEY_SIZE], error[RULES_ERROR_SIZE] = "";

	if (rules_key(string, normal, error)) {
		CHECK(rules_key(normal, again, error) && strcmp(normal, again) == 0);
		if (strcmp(normal, "*") != 0) {
			const char *name = normal + (normal[0] == '.');
			check_name(name, strlen(name));
		}
	} else {
		CHECK(fuzz_is_line(error, sizeof error) || strchr(string, '\n') != NULL);
	}
}

static void check_host_name(const char *string)
{
	char name[DESTINATION_NAME_MAX + 1];

	if (host_name_parse(string, 25, "tcp", name))
		check_name(name, strlen(name));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *key = (const char *)bytes;
	struct destination destination;
	char ascii[DESTINATION_NAME_MAX + 1], again[DESTINATION_NAME_MAX + 1];
	char *string = fuzz_string(bytes, size);

	if (destination_parse(key, size, &destination) == DESTINATION_OK)
		check_destination(&destination);
	if (destination_parse_host(key, size, &destination) == DESTINATION_OK) {
		CHECK(destination.kind == DESTINATION_HOST);
		check_destination(&destination);
	}
	if (destination_name_to_ascii(key, size, ascii)) {
		check_name(ascii, strlen(ascii));
		CHECK(destination_name_to_ascii(ascii, strlen(ascii), again));
		CHECK(strcmp(ascii, again) == 0);
	}
	if (strlen(string) < 1000) {
		check_key_of_rules(string);
		check_host_name(string);
	}
	free(string);
	return 0;
}
