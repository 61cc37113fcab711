/*
 * ip_address: numeric addresses of both families with their port, and what is not one.
 */
#include "daemon/ctl/frame/ip_address.h"

#include "t/unit/tap.h"

#include <arpa/inet.h>

static const struct {
	const char *text;
	int family; /* AF_UNSPEC: not an address */
	const char *printed;
} rows[] = {
	{"192.0.2.1", AF_INET, "192.0.2.1"},
	{"2001:DB8:0:0::1", AF_INET6, "2001:db8::1"},
	{"::ffff:192.0.2.1", AF_INET6, "::ffff:192.0.2.1"},
	{"", AF_UNSPEC, NULL},
	{"192.0.2", AF_UNSPEC, NULL},
	{"192.0.2.1:25", AF_UNSPEC, NULL},
	{"[2001:db8::1]", AF_UNSPEC, NULL},
	{"mx.example.com", AF_UNSPEC, NULL},
};

static void test_row(size_t row)
{
	struct sockaddr_storage address;
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&address;
	char text[INET6_ADDRSTRLEN];
	socklen_t size = 0;
	bool is_ipv4 = rows[row].family == AF_INET;
	bool good = ip_address_parse(rows[row].text, 2525, &address, &size);

	if (!ok(good == (rows[row].family != AF_UNSPEC), "'%s'", rows[row].text) || !good)
		return;
	is_number(address.ss_family, rows[row].family, "'%s': family", rows[row].text);
	is_number(size, is_ipv4 ? sizeof *ipv4 : sizeof *ipv6, "'%s': size", rows[row].text);
	is_number(ntohs(is_ipv4 ? ipv4->sin_port : ipv6->sin6_port), 2525, "'%s': port",
		rows[row].text);
	is_string(inet_ntop(address.ss_family,
			  is_ipv4 ? (const void *)&ipv4->sin_addr : (const void *)&ipv6->sin6_addr,
			  text, sizeof text),
		rows[row].printed, "'%s': address", rows[row].text);
}

int main(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		test_row(i);
	return done_testing();
}
