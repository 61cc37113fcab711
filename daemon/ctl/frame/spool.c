#include "daemon/ctl/frame/spool.h"

#include "common/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 512, COPY_SIZE = 65536 };

bool spool_open(struct spool *spool, bool json)
{
	const char *directory = getenv("TMPDIR");
	char path[PATH_SIZE];

	memset(spool, 0, sizeof *spool);
	spool->json = json;
	if (directory == NULL || directory[0] == '\0')
		directory = "/tmp";
	snprintf(path, sizeof path, "%.480s/tlsactl-XXXXXX", directory);
	int fd = mkstemp(path);
	if (fd >= 0)
		unlink(path);
	spool->file = fd >= 0 ? fdopen(fd, "w+") : NULL;
	if (spool->file == NULL) {
		log_error("%.480s: cannot write a temporary file: %s", directory, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	return true;
}

bool spool_add(struct spool *spool, const json_t *element)
{
	fputs(spool->count++ == 0 ? "[\n" : ",\n", spool->file);
	return json_dumpf(element, spool->file, JSON_COMPACT | JSON_ENSURE_ASCII) == 0;
}

static bool copy(FILE *from, FILE *to)
{
	char bytes[COPY_SIZE];
	size_t size = 0;

	while ((size = fread(bytes, 1, sizeof bytes, from)) > 0 &&
		fwrite(bytes, 1, size, to) == size)
		;
	/* Of standard output main() tells. */
	return ferror(from) == 0;
}

bool spool_print(struct spool *spool, const char *before)
{
	if (spool->json)
		fputs(spool->count == 0 ? "[]\n" : "\n]\n", spool->file);
	if (fflush(spool->file) == 0 && ferror(spool->file) == 0 &&
		fseek(spool->file, 0, SEEK_SET) == 0) {
		fputs(before, stdout);
		if (copy(spool->file, stdout))
			return true;
	}
	log_error("cannot write a temporary file: %s; TMPDIR names another directory for it",
		strerror(errno));
	return false;
}

void spool_close(struct spool *spool)
{
	if (spool->file != NULL)
		fclose(spool->file);
	spool->file = NULL;
}
