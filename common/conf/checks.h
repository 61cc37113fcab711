/*
 * checks: is this a valid value of a setting, or a valid entry of its list? For the table of
 * settings.
 *
 * The functions check the form only: they open no file and look nothing up. consistency.h checks
 * what one setting requires of another.
 */
#ifndef TLSAD_CONF_CHECKS_H
#define TLSAD_CONF_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

/* False and one line that says what is wrong, without section and key. `error_size`: 256. */
typedef bool entry_check(const char *entry, char *error, size_t error_size);

/*
 * Endpoints, `unix:PATH` or `inet:HOST:PORT`; the control socket is a unix socket. The second and
 * third may be empty.
 */
entry_check check_endpoint, check_control, check_metrics;

entry_check check_network; /* `ADDRESS/BITS` or an address */

/* Entries of [policy] senders, sasl_usernames and clients (common/site/submitters.h). */
entry_check check_sender, check_sasl_username, check_client;

entry_check check_forward;   /* `ADDRESS[@PORT][#NAME]` */
entry_check check_stub;      /* `ZONE ADDRESS[@PORT]` */
entry_check check_absolute;  /* an absolute path, or empty */
entry_check check_directory; /* the same, in a form that a reply to Postfix can contain */

#endif
