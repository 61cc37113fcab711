/*
 * terminal: prints lines of text for people: aligned, wrapped to the terminal's width, coloured.
 *
 * Text is coloured and wrapped only on a terminal, not in a pipe or a file, so that grep(1) finds
 * whole lines. NO_COLOR (no-color.org) and TERM=dumb turn colour off. Text is printable UTF-8; each
 * byte is counted as a column, so a line with non-ASCII letters may be wrapped early.
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
	TERMINAL_WIDTH_MIN = 40, /* columns; a narrower terminal is treated as this wide */
	/* Of the text of a row. A reply of 4096 characters and the words around it fit. */
	TERMINAL_LINE_MAX = 4608,
};

struct terminal {
	FILE *out;
	bool colour;
	unsigned width; /* columns; 0: lines are not broken */
};

/* `out` stays the caller's; it need not be a terminal. */
void terminal_open(struct terminal *terminal, FILE *out);

/*
 * Prints `indent` blanks, the label in its style and padded to `label_width`, a blank and the text.
 * A text that is too long for one line is wrapped at blanks and continues below its beginning. One
 * of TERMINAL_LINE_MAX bytes or more is cut and ends in "...".
 */
void terminal_print_row(const struct terminal *terminal, unsigned indent, enum terminal_style style,
	const char *label, unsigned label_width, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* Prints a line that people copy: it is never wrapped. */
void terminal_print_line(const struct terminal *terminal, unsigned indent, const char *line);

void terminal_print_blank(const struct terminal *terminal);

#endif
