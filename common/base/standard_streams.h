/*
 * standard_streams: standard input, output and error of a program
 *
 * For main(), before other threads exist.
 */
#ifndef TLSAD_BASE_STANDARD_STREAMS_H
#define TLSAD_BASE_STANDARD_STREAMS_H

#include <stdbool.h>

/*
 * Occupies the descriptors 0 to 2 where they are closed. Otherwise the next socket or file would
 * get one of these numbers, and the output would go into it. Reading from them and writing to them
 * still fails. Also ignores SIGPIPE: if a reader closes its end, the write reports it.
 */
void standard_streams_begin(void);

/*
 * Writes what is still in the buffer of standard output. False if any of the output could not be
 * written; this is logged, except when a reader has closed the pipe, as head(1) does.
 */
bool standard_streams_end(void);

#endif
