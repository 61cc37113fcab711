/*
 * lookup_settings: what every lookup of this folder is given: on which event loop it runs, whom it
 * asks, and for how long.
 *
 * A lookup calls back once, from the loop, at the latest when its time is over, and never inside
 * the function that starts it. What the callback is given lives until it returns; the lookup is
 * freed by its owner, in the callback or earlier, which stops it.
 */
#ifndef TLSAD_DANE_LOOKUP_SETTINGS_H
#define TLSAD_DANE_LOOKUP_SETTINGS_H

#include "common/dns/dns.h"

struct lookup_settings {
	struct event_base *base; /* that of `dns` */
	struct dns *dns;
	enum dns_view view;
	uint32_t timeout; /* [s] for all questions together */
};

#endif
