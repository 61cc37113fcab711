/*
 * screen: lines for people: aligned, wrapped to the terminal's width, coloured.
 *
 * Colour and wrapping are for terminals alone: what goes into a pipe or a file has neither, so
 * that a line stays a line for grep(1). NO_COLOR (no-color.org) and TERM=dumb turn colour off.
 * Text is printable ASCII; a byte is a column.
 */
#ifndef TLSAD_CTL_FRAME_SCREEN_H
#define TLSAD_CTL_FRAME_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

enum screen_style {
	SCREEN_PLAIN,
	SCREEN_GOOD,
	SCREEN_BAD,
	SCREEN_WARNING,
	SCREEN_FAINT,
	SCREEN_STRONG,
	SCREEN_STYLE_COUNT,
};

enum {
	SCREEN_NARROWEST = 40, /* columns: below it nothing is gained by breaking lines */
	SCREEN_LINE_MAX = 4096,
};

struct screen {
	FILE *out;
	bool colour;
	unsigned width; /* columns; 0: lines are not broken */
};

/* For `out`, which is a terminal or is not. */
void screen_open(struct screen *screen, FILE *out);

/*
 * `indent` blanks, the label in its style and padded to `label_width`, a blank, the text. What is
 * too long for one line goes on below, under the text's beginning, and is broken at blanks only.
 */
void screen_row(const struct screen *screen, unsigned indent, enum screen_style style,
	const char *label, unsigned label_width, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* A line that is there to be copied: never broken. */
void screen_verbatim(const struct screen *screen, unsigned indent, const char *line);

void screen_blank(const struct screen *screen);

#endif
