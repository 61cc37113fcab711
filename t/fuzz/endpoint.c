/* Addresses that an administrator writes: endpoints, networks, hosts, stubs, paths. */
#include "common/base/endpoint.h"

#include "common/conf/checks.h"
#include "daemon/ctl/frame/ip_address.h"
#include "t/fuzz/fuzz.h"

#include <arpa/inet.h>

enum { ERROR_SIZE = 256 };

static void check_endpoint_of(const char *string)
{
	char error[ERROR_SIZE] = "", printed[ENDPOINT_TEXT_SIZE], printed_again[ENDPOINT_TEXT_SIZE];
	struct endpoint endpoint, again;

	if (!endpoint_parse(&endpoint, string, error, sizeof error)) {
		CHECK(fuzz_is_line(error, sizeof error));
		return;
	}
	CHECK(endpoint.size <= sizeof endpoint.address);
	endpoint_print(&endpoint, printed);
	CHECK(endpoint_parse(&again, printed, error, sizeof error));
	CHECK(endpoint.size == again.size &&
		memcmp(&endpoint.address, &again.address, endpoint.size) == 0);
	endpoint_print(&again, printed_again);
	CHECK(strcmp(printed, printed_again) == 0);
	const char *path = endpoint_path(&endpoint);
	CHECK((path != NULL) == (endpoint.address.ss_family == AF_UNIX));
	if (path != NULL)
		CHECK(path[0] == '/' && strcmp(path, string + strlen("unix:")) == 0);
}

/* A network contains the address that it is written with. */
static void check_network_of(const char *string)
{
	char error[ERROR_SIZE] = "", alone[INET6_ADDRSTRLEN + 1];
	struct network network;
	struct sockaddr_storage address;
	socklen_t size;

	if (!network_parse(&network, string, error, sizeof error)) {
		CHECK(fuzz_is_line(error, sizeof error));
		return;
	}
	CHECK(network.bits <= 128 && strcspn(string, "/") < sizeof alone);
	snprintf(alone, sizeof alone, "%.*s", (int)strcspn(string, "/"), string);
	CHECK(ip_address_parse(alone, 25, &address, &size));
	CHECK(size <= sizeof address && network_contains(&network, &address));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static entry_check *const checks[] = {check_endpoint, check_control, check_metrics,
		check_network, check_sender, check_sasl_username, check_client, check_stub,
		check_absolute, check_directory};
	char *string = fuzz_string(bytes, size);

	check_endpoint_of(string);
	check_network_of(string);
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		char error[ERROR_SIZE] = "";
		if (!checks[i](string, error, sizeof error))
			CHECK(fuzz_is_line(error, sizeof error) || strchr(string, '\n') != NULL);
	}
	free(string);
	return 0;
}
