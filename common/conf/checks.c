#include "common/conf/checks.h"

#include "common/base/endpoint.h"
#include "common/conf/conf.h"
#include "common/site/submitters.h"

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

/* libunbound checks the rest, but does not notice a missing blank after the zone. */
bool check_stub(const char *entry, char *error, size_t error_size)
{
	if (strpbrk(entry, " \t") != NULL)
		return true;
	snprintf(error, error_size, "write ZONE ADDRESS[@PORT]");
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
