/*
 * stream: sends lists of the cache, some entries at a time, as fast as the client reads them.
 *
 * In between no transaction of the cache is open: the next entry is searched after the key of the
 * last one. So a slow client costs the daemon the memory of one key. Changes during a list may or
 * may not be seen. Main thread.
 */
#ifndef TLSAD_CONTROL_STREAM_H
#define TLSAD_CONTROL_STREAM_H

#include "daemon/control/connection.h"

/* The verbs list and export. */
void control_list(struct control_connection *connection, json_t *id, json_t *request);
void control_export(struct control_connection *connection, json_t *id, json_t *request);

/* Send more entries. connection->stream must not be NULL. */
void control_stream_continue(struct control_connection *connection);

/* Free the stream, if there is one. */
void control_stream_end(struct control_connection *connection);

#endif
