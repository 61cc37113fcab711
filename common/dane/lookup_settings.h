/*
 * lookup_settings: the settings of every lookup in this folder: its event loop, its resolver and
 * its time limit.
 *
 * A lookup calls its callback exactly once, from the event loop, at the latest when its time is
 * over, and never inside the function that starts it. The facts passed to the callback are valid
 * until it returns. The owner frees the lookup, in the callback or earlier; freeing it earlier
 * stops it, and the callback is then not called.
 */
#ifndef TLSAD_DANE_LOOKUP_SETTINGS_H
#define TLSAD_DANE_LOOKUP_SETTINGS_H

#include "common/dns/dns.h"

struct lookup_settings {
	struct event_base *base; /* that of `dns` */
	struct dns *dns;
	enum dns_view view;
	uint32_t timeout; /* for all queries of the lookup together [s] */
};

#endif
