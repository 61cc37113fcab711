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
	snprintf(error, error_size, "write unix:PATH; who may ask is a matter of permissions");
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

/* libunbound checks the rest; it does not notice that there is no blank after the zone. */
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
	snprintf(error, error_size, "write the whole path, from / on");
	return false;
}

/* It becomes part of a reply, whose words are separated by blanks and commas (postconf(5)). */
bool check_directory(const char *entry, char *error, size_t error_size)
{
	const char *words = NULL;

	if (entry[0] != '\0' && entry[0] != '/')
		words = "write the whole path, from / on";
	if (strlen(entry) > CONF_DIRECTORY_MAX)
		words = "the path is too long";
	for (const char *at = entry; *at != '\0'; at++) {
		if (*at <= ' ' || *at >= 0x7f || strchr(",{}:=", *at) != NULL)
			words = "in an answer Postfix could not read a path with blanks, commas, "
				"colons, braces or '='";
	}
	if (words != NULL)
		snprintf(error, error_size, "%s", words);
	return words == NULL;
}
