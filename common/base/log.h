/*
 * log: one line per event, to standard error or to syslog.
 *
 * Any thread may log. A line is written with one write(2), so lines of several threads never mix;
 * it is cut at LOG_LINE_SIZE bytes. Every byte that is not printable ASCII, and the backslash, is
 * escaped as \xHH here, so that nothing a remote host sends can control a terminal or confuse a log
 * parser. errno is preserved. A line that cannot be written is lost without a message.
 */
#ifndef TLSAD_BASE_LOG_H
#define TLSAD_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum { LOG_LINE_SIZE = 2048 };

/* Ordered: at a level, lines of this level and of all levels before it are logged. */
enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

enum log_target {
	LOG_TARGET_AUTO,   /* standard error; with journal levels if systemd reads it */
	LOG_TARGET_STDERR, /* standard error as text */
	LOG_TARGET_SYSLOG, /* syslog, facility mail */
};

/* Call before other threads are created. The default is text on standard error, level info. */
void log_open(const char *program, enum log_target target, enum log_level level);

/* Call before chroot(2), after which the socket of syslog is out of reach. */
void log_connect(void);

void log_set_level(enum log_level level);

/* Are lines of this level logged? To save the work of preparing one that is not. */
bool log_wants(enum log_level level);

/*
 * Prepare words to be put between double quotes in a line: double quotes become single quotes, so
 * that words from a remote host cannot end the value and add another one. Longer words are cut to
 * `size` - 1 bytes. Returns `out`.
 */
const char *log_quotable(char *out, size_t size, const char *words);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
