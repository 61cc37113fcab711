#include "common/conf/checks.h"

#include "common/base/endpoint.h"
#include "common/conf/conf.h"
#include "common/dane/destination.h"
#include "common/site/submitters.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

bool check_endpoint(const char *entry, char *error, size_t error_size)
{
	struct endpoint endpoint;
	return endpoint_parse(&endpoint, entry, error, error_size);
}

bool check_control(const char *entry, char *error, size_t error_size)
{
	struct endpoint endpoint;

	if (entry[0] == '\0')
		return true;
	if (!endpoint_parse(&endpoint, entry, error, error_size))
		return false;
	if (endpoint.address.ss_family == AF_UNIX)
		return true;
	snprintf(error, error_size, "write unix:PATH; file permissions decide who may connect");
	return false;
}

bool check_metrics(const char *entry, char *error, size_t error_size)
{
	struct endpoint endpoint;
	return entry[0] == '\0' || endpoint_parse(&endpoint, entry, error, error_size);
}

bool check_network(const char *entry, char *error, size_t error_size)
{
	struct network network;
	return network_parse(&network, entry, error, error_size);
}

bool check_sender(const char *entry, char *error, size_t error_size)
{
	return error_size >= SUBMITTERS_ERROR_SIZE &&
	       submitters_check(SUBMITTERS_SENDERS, entry, error);
}

bool check_sasl_username(const char *entry, char *error, size_t error_size)
{
	return error_size >= SUBMITTERS_ERROR_SIZE &&
	       submitters_check(SUBMITTERS_SASL_USERNAMES, entry, error);
}

bool check_client(const char *entry, char *error, size_t error_size)
{
	return error_size >= SUBMITTERS_ERROR_SIZE &&
	       submitters_check(SUBMITTERS_CLIENTS, entry, error);
}

/*
 * ADDRESS[@PORT]. libunbound reads a port as far as there are digits, and takes any number. Its
 * other errors come at the start only, so the whole form is checked here.
 */
static bool is_server(const char *text, size_t size)
{
	const char *at = memchr(text, '@', size);
	size_t length = at != NULL ? (size_t)(at - text) : size;
	char address[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
	uint8_t bytes[sizeof(struct in6_addr)];

	if (length >= sizeof address)
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	if (at != NULL) {
		unsigned long port = 0;

		for (size_t i = length + 1; i < size; i++) {
			if (text[i] < '0' || text[i] > '9' || port > UINT16_MAX)
				return false;
			port = port * 10 + (unsigned long)(text[i] - '0');
		}
		if (port == 0 || port > UINT16_MAX)
			return false;
	}
	if (inet_pton(AF_INET, address, bytes) == 1)
		return true;
	/* The interface of a link-local address. */
	char *zone = strchr(address, '%');
	if (zone != NULL && zone[1] == '\0')
		return false;
	if (zone != NULL)
		*zone = '\0';
	return inet_pton(AF_INET6, address, bytes) == 1;
}

/* The name in a certificate: of a host, or its address. */
static bool is_tls_name(const char *name)
{
	uint8_t bytes[sizeof(struct in6_addr)];

	return destination_name_valid(name, strlen(name)) || inet_pton(AF_INET, name, bytes) == 1 ||
	       inet_pton(AF_INET6, name, bytes) == 1;
}

bool check_forward(const char *entry, char *error, size_t error_size)
{
	size_t length = strcspn(entry, "#");

	if (is_server(entry, length) && (entry[length] == '\0' || is_tls_name(entry + length + 1)))
		return true;
	snprintf(error, error_size,
		"write ADDRESS, ADDRESS@PORT, ADDRESS#NAME or ADDRESS@PORT#NAME, the address "
		"without brackets");
	return false;
}

/* The dot at the end is optional. */
static bool is_zone(const char *name, size_t size)
{
	if (size == 1 && name[0] == '.')
		return true;
	if (size > 1 && name[size - 1] == '.')
		size--;
	return destination_name_valid(name, size);
}

bool check_stub(const char *entry, char *error, size_t error_size)
{
	size_t length = strcspn(entry, " \t");
	const char *server = entry + length + strspn(entry + length, " \t");

	if (is_zone(entry, length) && is_server(server, strlen(server)))
		return true;
	snprintf(error, error_size,
		"write ZONE ADDRESS or ZONE ADDRESS@PORT, the address without brackets, one server on "
		"a line");
	return false;
}

bool check_absolute(const char *entry, char *error, size_t error_size)
{
	if (entry[0] == '\0' || entry[0] == '/')
		return true;
	snprintf(error, error_size, "write the absolute path, beginning with /");
	return false;
}

/* The path becomes part of a reply, in which blanks and commas separate words (postconf(5)). */
bool check_directory(const char *entry, char *error, size_t error_size)
{
	const char *words = NULL;

	_Static_assert(CONF_DIRECTORY_MAX == 200, "the message says so");
	if (entry[0] != '\0' && entry[0] != '/')
		words = "write the absolute path, beginning with /";
	if (strlen(entry) > CONF_DIRECTORY_MAX)
		words = "the path is longer than 200 bytes; choose a shorter one";
	for (const char *at = entry; *at != '\0'; at++) {
		if (*at <= ' ' || *at >= 0x7f || strchr(",{}:=", *at) != NULL)
			words = "Postfix cannot read a reply with this path; use printable ASCII "
				"without blanks, commas, colons, braces and '='";
	}
	if (words != NULL)
		snprintf(error, error_size, "%s", words);
	return words == NULL;
}
