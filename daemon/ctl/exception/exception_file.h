/*
 * exception_file: changes an exception in the file that [dane] exceptions_file names.
 *
 * All other lines stay as they are, comments and broken ones too. The new file is written beside
 * the old one, with its owner and mode, and takes its place at once: a reader sees
 * one of them whole, also after a crash. A change holds a lock on the directory of the file, so
 * that of two changes at the same time none is lost.
 */
#ifndef TLSAD_CTL_EXCEPTION_EXCEPTION_FILE_H
#define TLSAD_CTL_EXCEPTION_EXCEPTION_FILE_H

#include "common/site/rules.h"

#include <stddef.h>

enum exception_change {
	EXCEPTION_FAILED, /* and `error` says why; the file is as it was */
	EXCEPTION_ADDED,
	EXCEPTION_REPLACED,
	EXCEPTION_REMOVED,
	EXCEPTION_ABSENT, /* there was none to remove */
};

/*
 * Give the key, in its normal form, this value, in place of the one it has, or after all others. A
 * value of NULL removes it.
 */
enum exception_change exception_file_change(
	const char *path, const char *key, const char *value, char error[RULES_ERROR_SIZE]);

#endif
