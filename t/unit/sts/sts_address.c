/*
 * sts_address: which addresses a policy server may have.
 */
#include "common/sts/sts_address.h"

#include "t/unit/tap.h"

#include <arpa/inet.h>

static const struct {
	const char *address;
	bool special;
} rows[] = {
	{"0.0.0.0", true},
	{"0.255.255.255", true},
	{"1.0.0.0", false},
	{"8.8.8.8", false},
	{"9.255.255.255", false},
	{"10.0.0.0", true},
	{"10.255.255.255", true},
	{"11.0.0.0", false},
	{"100.63.255.255", false},
	{"100.64.0.0", true},
	{"100.127.255.255", true},
	{"100.128.0.0", false},
	{"126.255.255.255", false},
	{"127.0.0.1", true},
	{"127.255.255.255", true},
	{"128.0.0.0", false},
	{"169.254.0.1", true},
	{"169.255.0.0", false},
	{"172.15.255.255", false},
	{"172.16.0.0", true},
	{"172.31.255.255", true},
	{"172.32.0.0", false},
	{"192.0.0.1", true},
	{"192.0.1.0", false},
	{"192.0.2.1", true},
	{"192.0.3.0", false},
	{"192.31.196.1", true},
	{"192.52.193.1", true},
	{"192.88.99.1", true},
	{"192.167.255.255", false},
	{"192.168.0.0", true},
	{"192.168.255.255", true},
	{"192.169.0.0", false},
	{"192.175.48.1", true},
	{"198.17.255.255", false},
	{"198.18.0.0", true},
	{"198.19.255.255", true},
	{"198.20.0.0", false},
	{"198.51.100.1", true},
	{"203.0.113.1", true},
	{"203.0.114.1", false},
	{"223.255.255.255", false},
	{"224.0.0.1", true},
	{"239.255.255.255", true},
	{"240.0.0.1", true},
	{"255.255.255.255", true},
	{"::", true},
	{"::1", true},
	{"::127.0.0.1", true},
	{"::8.8.8.8", true},
	{"::ffff:8.8.8.8", true},
	{"::ffff:127.0.0.1", true},
	{"64:ff9b::8.8.8.8", true},
	{"64:ff9b:1::1", true},
	{"100::1", true},
	{"1fff:ffff::1", true},
	{"2000::1", false},
	{"2001::1", true},
	{"2001:1ff:ffff::1", true},
	{"2001:200::1", false},
	{"2001:db7:ffff::1", false},
	{"2001:db8::1", true},
	{"2001:db9::1", false},
	{"2001:4860:4860::8888", false},
	{"2002:7f00:1::1", true},
	{"2003::1", false},
	{"2620:4f:8000::1", true},
	{"2620:4f:8001::1", false},
	{"3ffe:ffff::1", false},
	{"3fff::1", true},
	{"3fff:fff:ffff::1", true},
	{"3fff:1000::1", false},
	{"4000::1", true},
	{"5f00::1", true},
	{"fc00::1", true},
	{"fdff::1", true},
	{"fe80::1", true},
	{"fec0::1", true},
	{"ff02::1", true},
};

int main(void)
{
	many_begin("addresses");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t address[16];
		size_t size = strchr(rows[i].address, ':') != NULL ? 16 : 4;
		int family = size == 16 ? AF_INET6 : AF_INET;
		bool read = inet_pton(family, rows[i].address, address) == 1;
		many(read && sts_address_is_special(address, size) == rows[i].special, "%s",
			rows[i].address);
	}
	many_end();
	return done_testing();
}
