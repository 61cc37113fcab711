#include "common/sts/sts_address.h"

#include <string.h>

struct network {
	uint8_t address[16];
	uint8_t bits; /* of the address that belong to the network */
};

/* https://www.iana.org/assignments/iana-ipv4-special-registry */
static const struct network special_ipv4[] = {
	{{0}, 8},             /* this network, RFC 791 3.2 */
	{{10}, 8},            /* private, RFC 1918 */
	{{100, 64}, 10},      /* shared, RFC 6598 */
	{{127}, 8},           /* loopback, RFC 1122 3.2.1.3 */
	{{169, 254}, 16},     /* link-local, RFC 3927 */
	{{172, 16}, 12},      /* private, RFC 1918 */
	{{192, 0, 0}, 24},    /* IETF protocol assignments, RFC 6890 2.1 */
	{{192, 0, 2}, 24},    /* documentation, RFC 5737 */
	{{192, 31, 196}, 24}, /* AS112, RFC 7535 */
	{{192, 52, 193}, 24}, /* AMT, RFC 7450 */
	{{192, 88, 99}, 24},  /* 6to4 relays, RFC 7526 */
	{{192, 168}, 16},     /* private, RFC 1918 */
	{{192, 175, 48}, 24}, /* AS112, RFC 7534 */
	{{198, 18}, 15},      /* benchmarks, RFC 2544 */
	{{198, 51, 100}, 24}, /* documentation, RFC 5737 */
	{{203, 0, 113}, 24},  /* the same */
	{{224}, 4},           /* multicast, RFC 5771 */
	{{240}, 4},           /* reserved, and limited broadcast, RFC 1112 4 */
};

/*
 * https://www.iana.org/assignments/iana-ipv6-special-registry; what is outside of global unicast,
 * 2000::/3 (RFC 4291 2.4), is refused as a whole.
 */
static const struct network special_ipv6[] = {
	{{0x20, 0x01, 0x00}, 23},                   /* IETF protocols, Teredo, RFC 2928 */
	{{0x20, 0x01, 0x0d, 0xb8}, 32},             /* documentation, RFC 3849 */
	{{0x20, 0x02}, 16},                         /* 6to4, RFC 3056 */
	{{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48}, /* AS112, RFC 7534 */
	{{0x3f, 0xff, 0x00}, 20},                   /* documentation, RFC 9637 */
};

static const struct network global_unicast = {{0x20}, 3};

static bool is_in(const uint8_t *address, const struct network *network)
{
	size_t whole = network->bits / 8;
	unsigned rest = network->bits % 8;

	if (memcmp(address, network->address, whole) != 0)
		return false;
	return rest == 0 || (address[whole] ^ network->address[whole]) >> (8 - rest) == 0;
}

bool sts_address_is_special(const uint8_t *address, size_t size)
{
	if (size == 4) {
		for (size_t i = 0; i < sizeof special_ipv4 / sizeof special_ipv4[0]; i++) {
			if (is_in(address, &special_ipv4[i]))
				return true;
		}
		return false;
	}
	for (size_t i = 0; i < sizeof special_ipv6 / sizeof special_ipv6[0]; i++) {
		if (is_in(address, &special_ipv6[i]))
			return true;
	}
	return !is_in(address, &global_unicast);
}
