/*
 * checks: can this be the value of a setting, or one entry of its list? For the table of settings.
 *
 * Pure but for libidn2 and the C library's address parsing: nothing is opened or looked up. What
 * one setting demands of another is consistency.h's.
 */
#ifndef TLSAD_CONF_CHECKS_H
#define TLSAD_CONF_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

/* False and what is wrong, words without section and key. */
typedef bool entry_check(const char *entry, char *error, size_t error_size);

/* Endpoints, `unix:PATH` or `inet:HOST:PORT`; the second and third may be empty. */
entry_check check_endpoint, check_control, check_metrics;

entry_check check_network; /* `ADDRESS/BITS` or an address */

/* Entries of [policy] senders, sasl_usernames and clients (common/site/submitters.h). */
entry_check check_sender, check_sasl_username, check_client;

entry_check check_stub;      /* `ZONE ADDRESS[@PORT]` */
entry_check check_absolute;  /* a path from / on, or empty */
entry_check check_directory; /* the same, as a reply to Postfix can name it */

#endif
