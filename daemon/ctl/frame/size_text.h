/*
 * size_text: sizes in bytes as people read them: "512 bytes", "17.9 MiB", "1 GiB". Pure.
 */
#ifndef TLSAD_CTL_FRAME_SIZE_TEXT_H
#define TLSAD_CTL_FRAME_SIZE_TEXT_H

#include <stdint.h>

enum { SIZE_TEXT_SIZE = 24 };

/*
 * Uses the largest binary unit (IEC 80000-13) that is not larger than the size; rounds down to one
 * digit after the point. Returns `text`.
 */
const char *size_text(char text[SIZE_TEXT_SIZE], uint64_t bytes);

#endif
