#include "common/base/list_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much of the file's name to show, so that a long one leaves room for the reason. */
static int name_shown(const struct list_file *list)
{
	return (int)(list->error_size * 5 / 16);
}

static bool refuse_file(struct list_file *list, const char *words)
{
	if (!list->failed)
		snprintf(list->error, list->error_size,
			"%.*s: cannot read the file: %s; correct its path or permissions",
			(int)(list->error_size / 2 - 8), list->name, words);
	list->failed = true;
	return false;
}

void list_file_refuse(struct list_file *list, const char *words)
{
	if (!list->failed)
		snprintf(list->error, list->error_size, "%.*s:%u: %s", name_shown(list), list->name,
			list->line, words);
	list->failed = true;
}

static bool open_stream(struct list_file *list)
{
	/* Without O_NONBLOCK, open(2) of a pipe waits for a writer. */
	int fd = open(list->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd < 0 && errno == ENOENT && list->may_be_absent)
		return true;
	if (fd < 0 || fstat(fd, &status) != 0) {
		refuse_file(list, strerror(errno));
	} else if (!S_ISREG(status.st_mode)) {
		refuse_file(list, "it is not a regular file");
	} else {
		list->stream = fdopen(fd, "r");
		if (list->stream != NULL)
			return true;
		refuse_file(list, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	return false;
}

bool list_file_open(struct list_file *list)
{
	list->line = 0;
	list->stream = NULL;
	list->bytes = NULL;
	list->failed = false;
	if (!open_stream(list))
		return false;
	list->bytes = malloc(list->line_max + 1);
	if (list->bytes != NULL)
		return true;
	refuse_file(list, "out of memory");
	list_file_close(list);
	return false;
}

/* Read one line without its end; false at the end of the file or after an error. */
static bool read_line(struct list_file *list)
{
	size_t size = 0;
	int byte = getc_unlocked(list->stream);

	if (byte == EOF)
		return false;
	list->line++;
	for (; byte != EOF && byte != '\n'; byte = getc_unlocked(list->stream)) {
		if (byte == '\0')
			list_file_refuse(list, "the line contains a NUL byte; remove it");
		else if (size == list->line_max)
			list_file_refuse(list, list->too_long);
		if (list->failed)
			return false;
		list->bytes[size++] = (char)byte;
	}
	list->bytes[size] = '\0';
	return true;
}

static char *trim(char *line)
{
	size_t size = strlen(line);

	while (size > 0 && strchr(" \t\r", line[size - 1]) != NULL)
		line[--size] = '\0';
	return line + strspn(line, " \t");
}

char *list_file_next(struct list_file *list)
{
	while (!list->failed && list->stream != NULL && read_line(list)) {
		char *line = trim(list->bytes);

		if (line[0] != '\0' && line[0] != '#' && line[0] != ';')
			return line;
	}
	if (!list->failed && list->stream != NULL && ferror(list->stream))
		refuse_file(list, strerror(errno));
	return NULL;
}

bool list_file_close(struct list_file *list)
{
	if (list->stream != NULL)
		fclose(list->stream);
	free(list->bytes);
	list->stream = NULL;
	list->bytes = NULL;
	return !list->failed;
}
