#include "daemon/ctl/frame/temp_file.h"

#include "common/base/log.h"
#include "daemon/ctl/frame/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 512, COPY_SIZE = 65536 };

static void complain(const struct temp_file *temp)
{
	log_error("%.480s: cannot write a temporary file: %s; set TMPDIR to another directory",
		temp->directory, strerror(errno));
}

bool temp_file_open(struct temp_file *temp, bool json)
{
	const char *directory = getenv("TMPDIR");
	char path[PATH_SIZE];

	memset(temp, 0, sizeof *temp);
	temp->json = json;
	temp->directory = directory != NULL && directory[0] != '\0' ? directory : "/tmp";
	snprintf(path, sizeof path, "%.480s/tlsactl-XXXXXX", temp->directory);
	int fd = mkstemp(path);
	if (fd >= 0)
		unlink(path);
	temp->file = fd >= 0 ? fdopen(fd, "w+") : NULL;
	if (temp->file == NULL) {
		complain(temp);
		if (fd >= 0)
			close(fd);
		return false;
	}
	return true;
}

bool temp_file_add(struct temp_file *temp, const json_t *element)
{
	fputs(temp->count++ == 0 ? "[\n" : ",\n", temp->file);
	return json_dumpf(element, temp->file, JSON_COMPACT | JSON_ENSURE_ASCII) == 0;
}

static bool copy(FILE *from, FILE *to)
{
	char bytes[COPY_SIZE];
	size_t size = 0;

	while ((size = fread(bytes, 1, sizeof bytes, from)) > 0 &&
		fwrite(bytes, 1, size, to) == size)
		;
	/* main() reports errors of standard output. */
	return ferror(from) == 0;
}

bool temp_file_print(struct temp_file *temp, const char *before)
{
	if (temp->json)
		fputs(temp->count == 0 ? "[]\n" : "\n]\n", temp->file);
	if (fflush(temp->file) == 0 && ferror(temp->file) == 0 &&
		fseek(temp->file, 0, SEEK_SET) == 0) {
		fputs(before, stdout);
		if (copy(temp->file, stdout))
			return true;
	}
	complain(temp);
	return false;
}

int temp_file_finish(struct temp_file *temp, int status)
{
	/* If writing has failed, temp_file_print() logs that. */
	if ((status == CTL_YES || ferror(temp->file) != 0) && !temp_file_print(temp, ""))
		return EX_IOERR;
	return status;
}

void temp_file_close(struct temp_file *temp)
{
	if (temp->file != NULL)
		fclose(temp->file);
	temp->file = NULL;
}
