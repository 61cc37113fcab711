/*
 * time_text: dates and durations as text. UTC. No state, no I/O.
 */
#ifndef TLSAD_CTL_FRAME_TIME_TEXT_H
#define TLSAD_CTL_FRAME_TIME_TEXT_H

#include <stdint.h>

enum { TIME_TEXT_SIZE = 40 };

/* Seconds since 1970 as "2026-11-25 14:03 UTC". */
const char *time_text_date(char text[TIME_TEXT_SIZE], int64_t seconds);

/* In the largest unit of which there are at least two, rounded down: "90 minutes", "13 days". */
const char *time_text_duration(char text[TIME_TEXT_SIZE], int64_t seconds);

/* The same for a narrow column: "90m", "13d". */
const char *time_text_duration_short(char text[TIME_TEXT_SIZE], int64_t seconds);

#endif
