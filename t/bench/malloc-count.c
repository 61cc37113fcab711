/*
 * malloc-count - counts the calls that the path of a cached reply must not contain
 *
 *	MALLOC_COUNT_FILE=counts LD_PRELOAD=.../malloc-count.so tlsad ...
 *
 * Counts, for each thread, calls of malloc(3) and related functions, and lock operations of
 * pthreads, which strace(1) does not see because an uncontended mutex makes no system call. The
 * counts are in a mapped file and can be read at any time, while the program runs and after it:
 * MALLOC_COUNT_THREADS rows of four 64-bit numbers in the byte order of the machine: thread id,
 * allocations, frees, locks. t/bench/trace reads it. Needs glibc, whose names __libc_malloc and so
 * on let the counter work before anything else is initialised.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MALLOC_COUNT_THREADS = 256 };

struct row {
	uint64_t thread, allocations, frees, locks;
};

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

int posix_memalign(void **memory, size_t alignment, size_t size);

static struct row spare[MALLOC_COUNT_THREADS + 1]; /* before the file is mapped, or without one */
static struct row *rows = spare;
static atomic_uint row_count;
/* Static thread-local storage: the general kind is allocated at its first use, with malloc. */
static _Thread_local struct row *own __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void map_file(void)
{
	const char *name = getenv("MALLOC_COUNT_FILE");
	size_t size = sizeof spare;

	if (name == NULL)
		return;
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		return;
	void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mapped == MAP_FAILED)
		return;
	rows = mapped;
	atomic_store(&row_count, 0);
	own = NULL;
}

static struct row *row(void)
{
	if (own == NULL) {
		unsigned index = atomic_fetch_add(&row_count, 1);
		/* If there are too many threads, some share the last row, and its counts may be too
		 * low. */
		own = &rows[index < MALLOC_COUNT_THREADS ? index : MALLOC_COUNT_THREADS];
		own->thread = (uint64_t)syscall(SYS_gettid);
	}
	return own;
}

void *malloc(size_t size)
{
	row()->allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	row()->allocations++;
	return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
	row()->allocations++;
	return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	row()->allocations++;
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
	row()->allocations++;
	*memory = __libc_memalign(alignment, size);
	return *memory == NULL ? ENOMEM : 0;
}

void free(void *memory)
{
	if (memory != NULL)
		row()->frees++;
	__libc_free(memory);
}

/* The next definition of a lock function, looked up once per function. */
#define COUNT_LOCK(function, type)                                                                 \
	int function(type *lock)                                                                   \
	{                                                                                          \
		static int (*next)(type *);                                                        \
		if (next == NULL)                                                                  \
			*(void **)&next = dlsym(RTLD_NEXT, #function);                             \
		row()->locks++;                                                                    \
		return next(lock);                                                                 \
	}

COUNT_LOCK(pthread_mutex_lock, pthread_mutex_t)
COUNT_LOCK(pthread_mutex_trylock, pthread_mutex_t)
COUNT_LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
COUNT_LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
COUNT_LOCK(pthread_rwlock_tryrdlock, pthread_rwlock_t)
COUNT_LOCK(pthread_rwlock_trywrlock, pthread_rwlock_t)
