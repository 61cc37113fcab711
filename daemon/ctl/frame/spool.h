/*
 * spool: output that is shown when all of it is there, and not at all otherwise.
 *
 * Half of a table or of a JSON array looks like a whole one, or breaks who reads it. So both wait
 * in a file without a name, in TMPDIR or /tmp, however long they become: no memory grows with them.
 */
#ifndef TLSAD_CTL_FRAME_SPOOL_H
#define TLSAD_CTL_FRAME_SPOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct spool {
	FILE *file;
	bool json; /* one array: begun, and its elements separated */
	size_t count;
};

/* False when there can be no such file; that has been said. spool_close() in both cases. */
bool spool_open(struct spool *spool, bool json);

/* Add an element to the array. False after an error, which spool_print() says. */
bool spool_add(struct spool *spool, const json_t *element);

/*
 * Copies everything to standard output, behind the words `before`. False after an error, which has
 * been said; of one in writing to the file nothing is to be seen, not even these words.
 */
bool spool_print(struct spool *spool, const char *before);

void spool_close(struct spool *spool);

#endif
