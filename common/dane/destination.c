#include "common/dane/destination.h"

#include "common/base/text.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

/* The lower-case form of each byte; 0 for a byte that is not allowed in a name. */
static const char name_bytes[256] = {
	['-'] = '-',
	['.'] = '.',
	['_'] = '_',
	['0'] = '0',
	['1'] = '1',
	['2'] = '2',
	['3'] = '3',
	['4'] = '4',
	['5'] = '5',
	['6'] = '6',
	['7'] = '7',
	['8'] = '8',
	['9'] = '9',
	['a'] = 'a',
	['b'] = 'b',
	['c'] = 'c',
	['d'] = 'd',
	['e'] = 'e',
	['f'] = 'f',
	['g'] = 'g',
	['h'] = 'h',
	['i'] = 'i',
	['j'] = 'j',
	['k'] = 'k',
	['l'] = 'l',
	['m'] = 'm',
	['n'] = 'n',
	['o'] = 'o',
	['p'] = 'p',
	['q'] = 'q',
	['r'] = 'r',
	['s'] = 's',
	['t'] = 't',
	['u'] = 'u',
	['v'] = 'v',
	['w'] = 'w',
	['x'] = 'x',
	['y'] = 'y',
	['z'] = 'z',
	['A'] = 'a',
	['B'] = 'b',
	['C'] = 'c',
	['D'] = 'd',
	['E'] = 'e',
	['F'] = 'f',
	['G'] = 'g',
	['H'] = 'h',
	['I'] = 'i',
	['J'] = 'j',
	['K'] = 'k',
	['L'] = 'l',
	['M'] = 'm',
	['N'] = 'n',
	['O'] = 'o',
	['P'] = 'p',
	['Q'] = 'q',
	['R'] = 'r',
	['S'] = 's',
	['T'] = 't',
	['U'] = 'u',
	['V'] = 'v',
	['W'] = 'w',
	['X'] = 'x',
	['Y'] = 'y',
	['Z'] = 'z',
};

static bool label_valid(const char *label, size_t size)
{
	return size > 0 && size <= DESTINATION_LABEL_MAX && label[0] != '-' &&
	       label[size - 1] != '-';
}

/*
 * Check a name by the rules of valid_hostname() and copy it in lower case to `out`, which has room
 * for the longest name and a NUL byte. In one pass, because every request runs it. Returns the
 * number of labels, 0 if it is not a name.
 */
static unsigned normalise(const char *name, size_t size, char *out)
{
	size_t label = 0; /* offset of the current label */
	unsigned labels = 1;
	/* Above 0x0f if any byte is not a digit, as '0' to '9' are 0x30 to 0x39. */
	unsigned char others = 0;

	if (size == 0 || size > DESTINATION_NAME_MAX)
		return 0;
	for (size_t i = 0; i < size; i++) {
		char byte = name_bytes[(unsigned char)name[i]];
		if (byte == 0)
			return 0;
		out[i] = byte;
		if (byte == '.') {
			if (!label_valid(name + label, i - label))
				return 0;
			label = i + 1;
			labels++;
		} else {
			others |= (unsigned char)(byte ^ '0');
		}
	}
	out[size] = '\0';
	return others > 0x0f && label_valid(name + label, size - label) ? labels : 0;
}

bool destination_name_valid(const char *name, size_t size)
{
	char normal[DESTINATION_NAME_MAX + 1];
	return normalise(name, size, normal) > 0;
}

/* An IPv4 or IPv6 address, with or without SMTP's tag (RFC 5321 4.1.3). */
static bool is_address(const char *name, size_t size)
{
	char copy[INET6_ADDRSTRLEN + sizeof "IPv6:"];
	unsigned char address[sizeof(struct in6_addr)];

	if (size == 0 || size >= sizeof copy)
		return false;
	memcpy(copy, name, size);
	copy[size] = '\0';
	if (inet_pton(AF_INET, copy, address) == 1)
		return true;
	return inet_pton(AF_INET6, text_equal_nocase(copy, 5, "IPv6:") ? copy + 5 : copy,
		       address) == 1;
}

static bool port_number(const char *port, size_t size, uint16_t *number)
{
	uint32_t value = 0;
	if (size > 5)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (port[i] < '0' || port[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(port[i] - '0');
	}
	*number = (uint16_t)value;
	return value > 0 && value <= UINT16_MAX;
}

/* Known even if /etc/services does not exist, as in a small container. */
static const struct {
	const char *name;
	uint16_t port;
} mail_services[] = {
	{"smtp", 25},
	{"submission", 587},
	{"submissions", 465},
	{"smtps", 465},
	{"lmtp", 24},
};

/* An empty port is the default one. Other names are looked up in services(5), as Postfix does. */
static bool parse_port(const char *port, size_t size, uint16_t *number)
{
	char name[64];
	char scratch[8192];
	struct servent entry, *found = NULL;

	if (size == 0) {
		*number = DESTINATION_DEFAULT_PORT;
		return true;
	}
	if (port[0] >= '0' && port[0] <= '9')
		return port_number(port, size, number);
	for (size_t i = 0; i < sizeof mail_services / sizeof mail_services[0]; i++) {
		if (strlen(mail_services[i].name) == size &&
			memcmp(mail_services[i].name, port, size) == 0) {
			*number = mail_services[i].port;
			return true;
		}
	}
	if (size >= sizeof name || memchr(port, '\0', size) != NULL)
		return false;
	memcpy(name, port, size);
	name[size] = '\0';
	if (getservbyname_r(name, "tcp", &entry, scratch, sizeof scratch, &found) != 0 || !found)
		return false;
	*number = ntohs((uint16_t)entry.s_port);
	return true;
}

/* Convert to A-labels. False if that is not possible. */
static bool convert_name(const char *name, size_t size, char *out, size_t *out_size)
{
	char input[4 * DESTINATION_NAME_MAX + 1]; /* UTF-8 takes four bytes at most */
	char *ascii = NULL;
	bool converted = false;

	if (size >= sizeof input || memchr(name, '\0', size) != NULL)
		return false;
	memcpy(input, name, size);
	input[size] = '\0';
	if (idn2_to_ascii_8z(input, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK) {
		*out_size = strlen(ascii);
		converted = *out_size <= DESTINATION_NAME_MAX + 1;
		if (converted)
			memcpy(out, ascii, *out_size);
	}
	idn2_free(ascii);
	return converted;
}

static bool is_ascii(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)name[i] >= 0x80)
			return false;
	}
	return true;
}

/* Parse a name without brackets and port. Returns the number of labels, 0 if it is not a name. */
static unsigned parse_labels(
	const char *name, size_t size, struct destination *destination, bool *address)
{
	char ascii[DESTINATION_NAME_MAX + 2];
	size_t whole = size;

	if (size > 0 && name[size - 1] == '.')
		size--;
	unsigned labels = normalise(name, size, destination->name);
	if (labels == 0 && !is_ascii(name, whole)) {
		if (!convert_name(name, whole, ascii, &size))
			return 0;
		name = ascii;
		if (size > 0 && name[size - 1] == '.')
			size--;
		labels = normalise(name, size, destination->name);
	}
	*address = labels == 0 && is_address(name, size);
	destination->name_length = (uint8_t)size;
	return labels;
}

bool destination_name_to_ascii(const char *name, size_t size, char ascii[DESTINATION_NAME_MAX + 1])
{
	struct destination destination;
	bool address;

	if (parse_labels(name, size, &destination, &address) == 0)
		return false;
	memcpy(ascii, destination.name, destination.name_length + (size_t)1);
	return true;
}

static enum destination_result parse_name(
	const char *name, size_t size, struct destination *destination)
{
	bool address = false;
	unsigned labels = parse_labels(name, size, destination, &address);

	if (labels == 0)
		return address ? DESTINATION_ADDRESS : DESTINATION_INVALID;
	/* A single label is ambiguous: the search list of a host may complete it. */
	return labels > 1 ? DESTINATION_OK : DESTINATION_INVALID;
}

enum destination_result destination_parse(
	const char *key, size_t key_size, struct destination *destination)
{
	const char *name = key, *port, *end = key + key_size;
	size_t name_size;

	if (key_size == 0 || key[0] == '/')
		return DESTINATION_INVALID;
	if (key[0] == '.')
		return DESTINATION_PARENT;
	if (key[0] == '[') {
		const char *bracket = memchr(key, ']', key_size);
		if (bracket == NULL || (bracket + 1 < end && bracket[1] != ':'))
			return DESTINATION_INVALID;
		destination->kind = DESTINATION_HOST;
		name = key + 1;
		name_size = (size_t)(bracket - name);
		port = bracket + 1 < end ? bracket + 2 : end;
	} else {
		const char *colon = memchr(key, ':', key_size);
		destination->kind = DESTINATION_DOMAIN;
		/* With a second colon it is not host and port, but perhaps an IPv6 address. */
		if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL)
			return is_address(key, key_size) ? DESTINATION_ADDRESS
							 : DESTINATION_INVALID;
		name_size = colon != NULL ? (size_t)(colon - key) : key_size;
		port = colon != NULL ? colon + 1 : end;
	}
	enum destination_result result = parse_name(name, name_size, destination);
	if (result != DESTINATION_OK)
		return result;
	if (!parse_port(port, (size_t)(end - port), &destination->port))
		return DESTINATION_INVALID;
	return DESTINATION_OK;
}

/* The length of a prefix like `_25._tcp.` and its port, or 0 without one. */
static size_t service_labels(const char *key, size_t key_size, uint16_t *port)
{
	static const char protocol[] = "._tcp.";
	const char *dot = memchr(key, '.', key_size);
	size_t digits = dot != NULL ? (size_t)(dot - key) : 0;

	if (digits < 2 || key[0] != '_' || key_size - digits < sizeof protocol - 1 ||
		!text_equal_nocase(dot, sizeof protocol - 1, protocol) ||
		!port_number(key + 1, digits - 1, port))
		return 0;
	return digits + sizeof protocol - 1;
}

enum destination_result destination_parse_host(
	const char *key, size_t key_size, struct destination *destination)
{
	uint16_t port = 0;
	size_t labels = service_labels(key, key_size, &port);
	enum destination_result result =
		destination_parse(key + labels, key_size - labels, destination);

	if (labels > 0) {
		/* A second port, or a prefix before brackets, is an error. */
		if (labels == key_size || key[labels] == '[' ||
			memchr(key + labels, ':', key_size - labels) != NULL)
			return DESTINATION_INVALID;
		destination->port = port;
	}
	destination->kind = DESTINATION_HOST;
	return result;
}

void destination_print(const struct destination *destination, char key[DESTINATION_KEY_SIZE])
{
	struct text text;
	bool host = destination->kind == DESTINATION_HOST;

	text_init(&text, key, DESTINATION_KEY_SIZE);
	if (host)
		text_add(&text, "[");
	text_add_bytes(&text, destination->name, destination->name_length);
	if (host)
		text_add(&text, "]");
	if (destination->port != DESTINATION_DEFAULT_PORT) {
		text_add(&text, ":");
		text_add_number(&text, destination->port);
	}
}
