/*
 * exception_log: what is logged of exceptions: the first use in a day (UTC), and the end.
 *
 * Any thread: each line is written by the first thread that notices.
 */
#ifndef TLSAD_ANSWER_EXCEPTION_LOG_H
#define TLSAD_ANSWER_EXCEPTION_LOG_H

#include "common/site/rules.h"

void exception_log_note_use(struct exception *exception, const struct destination *destination);
void exception_log_note_end(struct exception *exception);

/* Of all that have ended. */
void exception_log_note_ends(const struct rules *rules);

/*
 * Before new rules are used: what has been logged by the `old` ones (NULL: none), and what ended
 * long before, is not logged again.
 */
void exception_log_begin(struct rules *rules, const struct rules *old);

#endif
