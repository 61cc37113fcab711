/*
 * verbs: what a client of the control socket may ask, in one table; control.h has the protocol.
 *
 * A verb gets the request and responds, at once or, where a lookup or a flush is needed, when the
 * lookup thread has done it. A new verb is a row of the table in verbs.c.
 */
#ifndef TLSAD_CONTROL_VERBS_H
#define TLSAD_CONTROL_VERBS_H

#include "daemon/control/connection.h"

typedef void control_verb(struct control_connection *connection, json_t *id, json_t *request);

/* A payload: find the verb and run it, or respond with an error. */
void control_run_payload(struct control_connection *connection, const char *payload, size_t size);

/* From the lookup thread: the handler of control->mailbox, whose context is the struct control. */
void control_take_message(void *control, struct message *message);

/* The connection ends: what it waits for has nobody left to respond to. */
void control_verbs_forget(const struct control_connection *connection);

/* Free what is still waited for, after the last connection and the lookup thread. */
void control_verbs_clear(struct control *control);

control_verb control_status; /* status.c */

#endif
