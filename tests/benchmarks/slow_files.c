/* A file system that answers late: files below $SLOW_BELOW take $SLOW_US to open and to read.
 *
 *     cc -shared -fPIC -o slow_files.so slow_files.c -ldl
 *     LD_PRELOAD=./slow_files.so SLOW_BELOW=/shows SLOW_US=2000 exrindex scan /shows
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define DESCRIPTORS 65536

static char slow[DESCRIPTORS];

static void wait_for_the_network(void) {
    const char *us = getenv("SLOW_US");
    usleep(us ? atoi(us) : 0);
}

static int opened(const char *path, int fd) {
    const char *below = getenv("SLOW_BELOW");
    int is_slow = below && !strncmp(path, below, strlen(below));
    if (fd >= 0 && fd < DESCRIPTORS) slow[fd] = is_slow;
    if (is_slow) wait_for_the_network();
    return fd;
}

#define OPEN(name)                                              \
    int name(const char *path, int flags, ...) {                \
        static int (*real)(const char *, int, ...);             \
        if (!real) real = dlsym(RTLD_NEXT, #name);              \
        va_list rest;                                           \
        va_start(rest, flags);                                  \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                           \
        return opened(path, real(path, flags, mode));           \
    }
OPEN(open)
OPEN(open64)

#define PREAD(name, offset_type)                                             \
    ssize_t name(int fd, void *data, size_t size, offset_type offset) {      \
        static ssize_t (*real)(int, void *, size_t, offset_type);            \
        if (!real) real = dlsym(RTLD_NEXT, #name);                           \
        if (fd >= 0 && fd < DESCRIPTORS && slow[fd]) wait_for_the_network(); \
        return real(fd, data, size, offset);                                 \
    }
PREAD(pread, off_t)
PREAD(pread64, off64_t)
