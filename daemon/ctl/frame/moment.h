/*
 * moment: times and durations in words. Pure.
 */
#ifndef TLSAD_CTL_FRAME_MOMENT_H
#define TLSAD_CTL_FRAME_MOMENT_H

#include <stdint.h>

enum { MOMENT_SIZE = 40, MOMENT_DAY = 24 * 60 * 60 };

/* Seconds since 1970 as "2026-11-25 14:03 UTC". */
const char *moment_date(char words[MOMENT_SIZE], int64_t seconds);

/* In the largest unit of which there are two or more, rounded down: "90 minutes", "13 days". */
const char *moment_duration(char words[MOMENT_SIZE], int64_t seconds);

/* The same for a narrow column: "90m", "13d". */
const char *moment_brief(char words[MOMENT_SIZE], int64_t seconds);

#endif
