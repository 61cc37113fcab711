/*
 * exception_file: changes an exception in the file that [dane] exceptions_file names.
 *
 * All other lines are kept, comments and invalid lines, too. The new file is written beside the old
 * one, with the same owner and mode, and replaces it with rename(2): a reader sees either the old
 * or the new file, also after a crash. A change locks the directory of the file, so that two
 * changes at the same time are both made.
 */
#ifndef TLSAD_CTL_EXCEPTION_EXCEPTION_FILE_H
#define TLSAD_CTL_EXCEPTION_EXCEPTION_FILE_H

#include "common/site/rules.h"

#include <stddef.h>

enum exception_change {
	EXCEPTION_FAILED, /* `error` says why; the file is unchanged */
	EXCEPTION_ADDED,
	EXCEPTION_REPLACED,
	EXCEPTION_REMOVED,
	EXCEPTION_ABSENT, /* there was no exception to remove */
};

/*
 * Replaces the value of the key, which is in its normal form, or adds a line at the end. A value of
 * NULL removes the line.
 */
enum exception_change exception_file_change(
	const char *path, const char *key, const char *value, char error[RULES_ERROR_SIZE]);

#endif
