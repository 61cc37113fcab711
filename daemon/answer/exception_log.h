/*
 * exception_log: log lines about exceptions: the first use in a day (UTC), and the end.
 *
 * Any thread: the first thread that notices writes the line.
 */
#ifndef TLSAD_ANSWER_EXCEPTION_LOG_H
#define TLSAD_ANSWER_EXCEPTION_LOG_H

#include "common/site/rules.h"

void exception_log_note_use(struct exception *exception, const struct destination *destination);
void exception_log_note_end(struct exception *exception);

/* Log the end of every exception that has ended since the last call. */
void exception_log_note_ends(const struct rules *rules);

/*
 * Call before new rules are used: uses and ends that were logged with the `old` rules (NULL: none),
 * and exceptions that ended more than a day ago, are not logged again.
 */
void exception_log_begin(struct rules *rules, const struct rules *old);

#endif
