/*
 * part_buffer: an owner's copy of the bytes of a part, allocated with malloc(), or nothing.
 */
#ifndef TLSAD_LOOKUP_PART_BUFFER_H
#define TLSAD_LOOKUP_PART_BUFFER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct part_buffer {
	uint8_t *bytes; /* NULL: empty */
	size_t size;
};

static inline void part_buffer_clear(struct part_buffer *buffer)
{
	free(buffer->bytes);
	buffer->bytes = NULL;
	buffer->size = 0;
}

/* Replace the content by a copy of the bytes. Out of memory the buffer is empty. */
static inline void part_buffer_copy(struct part_buffer *buffer, const uint8_t *bytes, size_t size)
{
	part_buffer_clear(buffer);
	buffer->bytes = malloc(size);
	if (buffer->bytes == NULL)
		return;
	memcpy(buffer->bytes, bytes, size);
	buffer->size = size;
}

#endif
