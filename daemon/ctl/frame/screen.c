#include "daemon/ctl/frame/screen.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ECMA-48, select graphic rendition. */
static const char *const styles[SCREEN_STYLE_COUNT] = {
	[SCREEN_PLAIN] = "",
	[SCREEN_GOOD] = "\033[32m",
	[SCREEN_BAD] = "\033[1;31m",
	[SCREEN_WARNING] = "\033[33m",
	[SCREEN_FAINT] = "\033[2m",
	[SCREEN_STRONG] = "\033[1m",
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
	return size.ws_col < SCREEN_NARROWEST ? SCREEN_NARROWEST : size.ws_col;
}

void screen_open(struct screen *screen, FILE *out)
{
	const char *terminal = getenv("TERM");
	int fd = fileno(out);
	bool is_terminal = fd >= 0 && isatty(fd) == 1;

	screen->out = out;
	screen->width = is_terminal ? terminal_width(fd) : 0;
	screen->colour = is_terminal && !is_set("NO_COLOR") && terminal != NULL &&
			 strcmp(terminal, "dumb") != 0;
}

static void print_label(
	const struct screen *screen, enum screen_style style, const char *label, unsigned width)
{
	bool styled = screen->colour && style != SCREEN_PLAIN;
	unsigned length = (unsigned)strlen(label);

	fprintf(screen->out, "%s%s%s", styled ? styles[style] : "", label, styled ? "\033[0m" : "");
	if (length < width)
		fprintf(screen->out, "%*s", (int)(width - length), "");
}

/* How many bytes of the text fit: up to a blank, or one word however long. */
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

void screen_row(const struct screen *screen, unsigned indent, enum screen_style style,
	const char *label, unsigned label_width, const char *format, ...)
{
	char text[SCREEN_LINE_MAX];
	va_list arguments;
	unsigned length = (unsigned)strlen(label);
	unsigned column = indent + (length > label_width ? length : label_width);
	const char *at = text;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	fprintf(screen->out, "%*s", (int)indent, "");
	if (text[0] == '\0') {
		print_label(screen, style, label, 0);
		fputc('\n', screen->out);
		return;
	}
	print_label(screen, style, label, label_width);
	column += column > indent;
	if (column > indent)
		fputc(' ', screen->out);
	/* A label that leaves no room for words: they go as they are. */
	size_t room = screen->width > column + SCREEN_NARROWEST / 2 ? screen->width - column : 0;
	for (;;) {
		size_t fits = measure(at, room);
		fprintf(screen->out, "%.*s\n", (int)fits, at);
		at += fits;
		at += strspn(at, " ");
		if (*at == '\0')
			return;
		fprintf(screen->out, "%*s", (int)column, "");
	}
}

void screen_verbatim(const struct screen *screen, unsigned indent, const char *line)
{
	fprintf(screen->out, "%*s%s\n", (int)indent, "", line);
}

void screen_blank(const struct screen *screen)
{
	fputc('\n', screen->out);
}
