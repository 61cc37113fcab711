/*
 * tap: what a unit test prints, in the Test Anything Protocol, for prove(1).
 *
 * A program calls plan() or done_testing(), and one ok() or is_...() a fact. Tables with thousands
 * of rows are groups: many_begin(), many() a row, many_end() prints one line for all of them and
 * names the rows that failed. A group in which nothing was asked has failed. main() returns
 * done_testing(), which is 1 when anything has failed. For a program of one file and one thread.
 */
#ifndef TLSAD_T_UNIT_TAP_H
#define TLSAD_T_UNIT_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	/* [s] A program that hangs ends itself. The slowest need half a minute with a sanitizer. */
	TAP_LONGEST = 600,
};

__attribute__((constructor)) static void tap_limit_time(void)
{
	alarm(TAP_LONGEST);
}

/* Rows of one group that are named when they fail: more would bury the first. */
enum { TAP_NAMED_MAX = 10 };

static struct {
	unsigned planned, run, failed;
	const char *group;
	unsigned rows, bad_rows;
} tap;

static inline void diag(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline bool ok(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline bool is_string(const char *got, const char *expected, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static inline bool is_number(int64_t got, int64_t expected, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static inline void skip(const char *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static inline bool many(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A diagnostic; every line of it begins with the sign that makes it one. */
static inline void tap_vdiag(const char *format, va_list arguments)
{
	char words[4096];

	vsnprintf(words, sizeof words, format, arguments);
	fputs("# ", stdout);
	for (const char *at = words; *at != '\0'; at++) {
		unsigned char byte = (unsigned char)*at;
		if (byte == '\n')
			fputs("\n# ", stdout);
		else if (byte < 0x20 || byte >= 0x7f)
			printf("\\x%02x", byte);
		else
			putchar(byte);
	}
	putchar('\n');
	fflush(stdout);
}

static inline void diag(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tap_vdiag(format, arguments);
	va_end(arguments);
}

static inline void plan(unsigned tests)
{
	tap.planned = tests;
	printf("1..%u\n", tests);
}

static inline bool tap_result(bool good, const char *format, va_list arguments)
{
	char name[1024];

	vsnprintf(name, sizeof name, format, arguments);
	for (char *at = name; *at != '\0'; at++) {
		if (*at < 0x20 || *at > 0x7e || *at == '#')
			*at = '?';
	}
	tap.run++;
	tap.failed += !good;
	printf("%s %u - %s\n", good ? "ok" : "not ok", tap.run, name);
	fflush(stdout);
	return good;
}

static inline bool ok(bool good, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tap_result(good, format, arguments);
	va_end(arguments);
	return good;
}

static inline bool is_string(const char *got, const char *expected, const char *format, ...)
{
	va_list arguments;
	bool good = got != NULL && strcmp(got, expected) == 0;

	va_start(arguments, format);
	tap_result(good, format, arguments);
	va_end(arguments);
	if (!good)
		diag("     got: %s\nexpected: %s", got != NULL ? got : "(null)", expected);
	return good;
}

static inline bool is_number(int64_t got, int64_t expected, const char *format, ...)
{
	va_list arguments;
	bool good = got == expected;

	va_start(arguments, format);
	tap_result(good, format, arguments);
	va_end(arguments);
	if (!good)
		diag("     got: %jd\nexpected: %jd", (intmax_t)got, (intmax_t)expected);
	return good;
}

/* A test that cannot be made here, and the reason. */
static inline void skip(const char *why, const char *format, ...)
{
	char name[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(name, sizeof name, format, arguments);
	va_end(arguments);
	tap.run++;
	printf("ok %u - %s # SKIP %s\n", tap.run, name, why);
	fflush(stdout);
}

static inline void many_begin(const char *group)
{
	tap.group = group;
	tap.rows = 0;
	tap.bad_rows = 0;
}

/* One row of the group; the words tell which one it is and what was wrong. */
static inline bool many(bool good, const char *format, ...)
{
	va_list arguments;

	tap.rows++;
	if (good)
		return true;
	if (++tap.bad_rows <= TAP_NAMED_MAX) {
		va_start(arguments, format);
		tap_vdiag(format, arguments);
		va_end(arguments);
	}
	return false;
}

static inline bool many_end(void)
{
	if (tap.bad_rows > TAP_NAMED_MAX)
		diag("and %u more", tap.bad_rows - TAP_NAMED_MAX);
	if (tap.rows == 0)
		diag("nothing was asked");
	return ok(tap.rows > 0 && tap.bad_rows == 0, "%s (%u of %u)", tap.group,
		tap.rows - tap.bad_rows, tap.rows);
}

/* What main() returns. */
static inline int done_testing(void)
{
	if (tap.planned == 0)
		printf("1..%u\n", tap.run);
	else if (tap.planned != tap.run)
		diag("planned %u, run %u", tap.planned, tap.run);
	fflush(stdout);
	return tap.failed == 0 && tap.run > 0 && (tap.planned == 0 || tap.planned == tap.run) ? 0
											      : 1;
}

/* The test itself cannot go on: no test has failed, so say it as TAP does. */
__attribute__((noreturn)) static inline void bail_out(const char *why)
{
	printf("Bail out! %s\n", why);
	fflush(stdout);
	exit(1);
}

/* A small generator of numbers that are the same in every run (xorshift64). */
static inline uint64_t tap_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
