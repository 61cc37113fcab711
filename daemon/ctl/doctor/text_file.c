#include "daemon/ctl/doctor/text_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

char *text_file_read(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = file != NULL ? malloc(TEXT_FILE_MAX + 1) : NULL;

	if (text != NULL)
		text[fread(text, 1, TEXT_FILE_MAX, file)] = '\0';
	int saved = errno;
	if (file != NULL)
		fclose(file);
	errno = saved;
	return text;
}
