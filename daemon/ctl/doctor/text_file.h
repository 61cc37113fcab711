/*
 * text_file: reads a small configuration file of another program into a string.
 */
#ifndef TLSAD_CTL_DOCTOR_TEXT_FILE_H
#define TLSAD_CTL_DOCTOR_TEXT_FILE_H

enum { TEXT_FILE_MAX = 64 * 1024 }; /* [bytes]; the rest of a larger file is not read */

/* malloc()ed; NULL with errno on an error. */
char *text_file_read(const char *path);

#endif
