/*
 * verbs: the requests of the control socket, in one table; control.h has the protocol.
 *
 * A verb gets the request and responds at once, or if it needs a lookup or a flush, when the lookup
 * thread has finished. To add a verb, add a row to the table in verbs.c. Main thread.
 */
#ifndef TLSAD_CONTROL_VERBS_H
#define TLSAD_CONTROL_VERBS_H

#include "daemon/control/connection.h"

typedef void control_verb(struct control_connection *connection, json_t *id, json_t *request);

/* Parse the payload of a request, and run its verb or respond with an error. */
void control_run_payload(struct control_connection *connection, const char *payload, size_t size);

/*
 * The handler of control->mailbox, for results of the lookup thread; `control` is a struct control.
 */
void control_take_message(void *control, struct message *message);

/* The connection ends: its running requests will get no response. */
void control_verbs_forget(const struct control_connection *connection);

/*
 * Free requests that still wait. Call it after the last connection and the lookup thread have
 * ended.
 */
void control_verbs_clear(struct control *control);

control_verb control_status; /* status.c */

#endif
