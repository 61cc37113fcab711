/*
 * text_file: a small file of another program's configuration, as one string.
 */
#ifndef TLSAD_CTL_DOCTOR_TEXT_FILE_H
#define TLSAD_CTL_DOCTOR_TEXT_FILE_H

enum { TEXT_FILE_MAX = 64 * 1024 }; /* what is beyond is not read */

/* malloc()ed; NULL with errno. */
char *text_file_read(const char *path);

#endif
