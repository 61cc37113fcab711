/*
 * log: one line an event, to standard error or to syslog.
 *
 * Any thread may log. A line is written with one write(2), so lines of several threads never mix;
 * a line is at most LOG_LINE_SIZE bytes. Bytes that are not printable ASCII are escaped here, for
 * every line: nothing that a stranger sends reaches a terminal or a log parser as it is.
 */
#ifndef TLSAD_BASE_LOG_H
#define TLSAD_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum { LOG_LINE_SIZE = 2048 };

/* Ordered: a level lets pass what is as grave or graver. */
enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

enum log_target {
	LOG_TARGET_AUTO,   /* standard error; with journal levels when systemd reads it */
	LOG_TARGET_STDERR, /* standard error as text */
	LOG_TARGET_SYSLOG, /* syslog, facility mail */
};

/* Before any other thread exists. Without it: text on standard error, level info. */
void log_open(const char *program, enum log_target target, enum log_level level);

/* Before the root directory changes: syslog's socket is found now, or never. */
void log_connect(void);

void log_set_level(enum log_level level);
bool log_wants(enum log_level level);

/*
 * Words for between two double quotes in a line: quotes in them become single ones, so that what a
 * stranger wrote cannot end the value and begin another. What does not fit is cut. Returns `out`.
 */
const char *log_quotable(char *out, size_t size, const char *words);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
