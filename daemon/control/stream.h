/*
 * stream: lists of the cache, some entries at a time, as fast as they are read.
 *
 * Between two times nothing of the cache is held: the next entry is looked for behind the key of
 * the last one. So a slow reader costs the daemon one key, and what changes meanwhile is seen or
 * not.
 */
#ifndef TLSAD_CONTROL_STREAM_H
#define TLSAD_CONTROL_STREAM_H

#include "daemon/control/connection.h"

/* Verbs. */
void control_list(struct control_connection *connection, json_t *id, json_t *request);
void control_export(struct control_connection *connection, json_t *id, json_t *request);

/* Send more; there is a stream. */
void control_stream_continue(struct control_connection *connection);

/* Stop it, if there is one. */
void control_stream_end(struct control_connection *connection);

#endif
