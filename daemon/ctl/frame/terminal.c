#include "daemon/ctl/frame/terminal.h"

#include "common/base/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ECMA-48, select graphic rendition. */
static const char *const styles[TERMINAL_STYLE_COUNT] = {
	[TERMINAL_PLAIN] = "",
	[TERMINAL_GOOD] = "\033[32m",
	[TERMINAL_BAD] = "\033[1;31m",
	[TERMINAL_WARNING] = "\033[33m",
	[TERMINAL_FAINT] = "\033[2m",
	[TERMINAL_STRONG] = "\033[1m",
};

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);
	return value != NULL && value[0] != '\0';
}

static unsigned terminal_width(int fd)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col < TERMINAL_WIDTH_MIN ? TERMINAL_WIDTH_MIN : size.ws_col;
}

void terminal_open(struct terminal *terminal, FILE *out)
{
	const char *term = getenv("TERM");
	int fd = fileno(out);
	bool is_terminal = fd >= 0 && isatty(fd) == 1;

	terminal->out = out;
	terminal->width = is_terminal ? terminal_width(fd) : 0;
	terminal->colour =
		is_terminal && !is_set("NO_COLOR") && term != NULL && strcmp(term, "dumb") != 0;
}

static void print_label(const struct terminal *terminal, enum terminal_style style,
	const char *label, unsigned width)
{
	bool styled = terminal->colour && style != TERMINAL_PLAIN;
	unsigned length = (unsigned)strlen(label);

	fprintf(terminal->out, "%s%s%s", styled ? styles[style] : "", label,
		styled ? "\033[0m" : "");
	if (length < width)
		fprintf(terminal->out, "%*s", (int)(width - length), "");
}

/* The number of bytes of the text that fit: up to a blank, or one word of any length. */
static size_t measure(const char *text, size_t room)
{
	size_t length = strlen(text), fits = 0;

	if (room == 0 || length <= room)
		return length;
	for (size_t i = 1; i <= room; i++) {
		if (text[i] == ' ')
			fits = i;
	}
	return fits > 0 ? fits : strcspn(text, " ");
}

void terminal_print_row(const struct terminal *terminal, unsigned indent, enum terminal_style style,
	const char *label, unsigned label_width, const char *format, ...)
{
	char text[TERMINAL_LINE_MAX];
	struct text line = {text, sizeof text, 0, false};
	va_list arguments;
	unsigned length = (unsigned)strlen(label);
	unsigned column = indent + (length > label_width ? length : label_width);
	const char *at = text;

	va_start(arguments, format);
	line.cut = vsnprintf(text, sizeof text, format, arguments) >= (int)sizeof text;
	va_end(arguments);
	line.used = strlen(text);
	text_mark_cut(&line);
	fprintf(terminal->out, "%*s", (int)indent, "");
	if (text[0] == '\0') {
		print_label(terminal, style, label, 0);
		fputc('\n', terminal->out);
		return;
	}
	print_label(terminal, style, label, label_width);
	column += column > indent;
	if (column > indent)
		fputc(' ', terminal->out);
	/* If the label leaves too little room, the text is not wrapped. */
	size_t room =
		terminal->width > column + TERMINAL_WIDTH_MIN / 2 ? terminal->width - column : 0;
	for (;;) {
		size_t fits = measure(at, room);
		fprintf(terminal->out, "%.*s\n", (int)fits, at);
		at += fits;
		at += strspn(at, " ");
		if (*at == '\0')
			return;
		fprintf(terminal->out, "%*s", (int)column, "");
	}
}

void terminal_print_line(const struct terminal *terminal, unsigned indent, const char *line)
{
	fprintf(terminal->out, "%*s%s\n", (int)indent, "", line);
}

void terminal_print_blank(const struct terminal *terminal)
{
	fputc('\n', terminal->out);
}
