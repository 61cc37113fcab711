/*
 * terminal: lines of text for people: aligned, wrapped to the terminal's width, coloured.
 *
 * Colour and wrapping are for terminals alone: what goes into a pipe or a file has neither, so
 * that a line stays a line for grep(1). NO_COLOR (no-color.org) and TERM=dumb turn colour off.
 * Text is printable UTF-8; a byte counts as a column, so a line with other letters may break early.
 */
#ifndef TLSAD_CTL_FRAME_TERMINAL_H
#define TLSAD_CTL_FRAME_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

enum terminal_style {
	TERMINAL_PLAIN,
	TERMINAL_GOOD,
	TERMINAL_BAD,
	TERMINAL_WARNING,
	TERMINAL_FAINT,
	TERMINAL_STRONG,
	TERMINAL_STYLE_COUNT,
};

enum {
	TERMINAL_WIDTH_MIN = 40, /* columns: below it nothing is gained by breaking lines */
	TERMINAL_LINE_MAX = 4096,
};

struct terminal {
	FILE *out;
	bool colour;
	unsigned width; /* columns; 0: lines are not broken */
};

/* `out` stays the caller's; it need not be a terminal. */
void terminal_open(struct terminal *terminal, FILE *out);

/*
 * `indent` blanks, the label in its style and padded to `label_width`, a blank, the text. A text
 * that is too long for one line continues on the next, under its beginning; lines break at blanks.
 */
void terminal_print_row(const struct terminal *terminal, unsigned indent, enum terminal_style style,
	const char *label, unsigned label_width, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* A line for the reader to copy: never broken. */
void terminal_print_line(const struct terminal *terminal, unsigned indent, const char *line);

void terminal_print_blank(const struct terminal *terminal);

#endif
