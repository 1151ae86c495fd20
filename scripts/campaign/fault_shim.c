// An LD_PRELOAD library: file operations that fail, and a clock that jumps. pod_faults.py and volume_faults.py
// compile and steer it.
//
//   FAULT_ROOT    operations on what lies under this folder count
//   FAULT_COUNTS  a file of int64: [0 … 31] how often each operation came, [32] its number + 1 and [33] the errno of
//                 the one that was made to fail; shared with the script
//   FAULT_OP, FAULT_NTH, FAULT_ERRNO, FAULT_FOREVER=1   fail the Nth of that operation (and all after it); the
//                 operation "change" is every one that changes something, "any" is every one
//   FAULT_CLOCK   a file of one int64: nanoseconds that the wall clock is wrong by, read at every call
//
// Only in the program podctl do operations fail; the clock is wrong in every process.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// In the order of OPERATIONS in pod_faults.py.
enum { OPEN, READ, WRITE, SYNC, RENAME, CLOSE, TRUNCATE, MKDIR, UNLINK, SYMLINK, ALLOCATE, OPENDIR, STAT, TIMES, CHMOD };
static const char* const names[] = {"open",  "read",    "write",   "sync",     "rename",  "close", "truncate", "mkdir",
                                    "unlink", "symlink", "allocate", "opendir", "stat",    "times", "chmod"};
enum { OPERATIONS = sizeof names / sizeof *names, ALL = 30, HIT = 32, SLOTS = 64 };

static int64_t* counts;
static const volatile int64_t* offset;
static char root[PATH_MAX];
static size_t root_size;
static int wanted = -1;  // an operation, ALL, or ALL + 1: changes
static int64_t nth, error_number;
static int forever;

static void* map(const char* path, size_t size, int writable) {
    const int fd = (int)((long (*)(const char*, int, ...))dlsym(RTLD_NEXT, "open"))(path, writable ? O_RDWR : O_RDONLY);
    if (fd < 0) return NULL;
    void* at = mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    ((int (*)(int))dlsym(RTLD_NEXT, "close"))(fd);
    return at == MAP_FAILED ? NULL : at;
}

__attribute__((constructor)) static void begin(void) {
    const char* clock_file = getenv("FAULT_CLOCK");
    if (clock_file) offset = map(clock_file, sizeof(int64_t), 0);
    const char* counts_file = getenv("FAULT_COUNTS");
    char self[PATH_MAX];
    const ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (!counts_file || !getenv("FAULT_ROOT") || size < 0) return;
    self[size] = 0;
    if (strcmp(strrchr(self, '/'), "/podctl") != 0) return;
    root_size = (size_t)snprintf(root, sizeof root, "%s", getenv("FAULT_ROOT"));
    const char* operation = getenv("FAULT_OP");
    for (int i = 0; operation && i < OPERATIONS; ++i)
        if (strcmp(names[i], operation) == 0) wanted = i;
    if (operation && strcmp(operation, "any") == 0) wanted = ALL;
    if (operation && strcmp(operation, "change") == 0) wanted = ALL + 1;
    nth = getenv("FAULT_NTH") ? atoll(getenv("FAULT_NTH")) : 0;
    error_number = getenv("FAULT_ERRNO") ? atoll(getenv("FAULT_ERRNO")) : EIO;
    forever = getenv("FAULT_FOREVER") != NULL;
    counts = map(counts_file, SLOTS * sizeof(int64_t), 1);
}

static int is_change(int operation, int flags) {
    if (operation == OPEN) return (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0;
    return operation != READ && operation != CLOSE && operation != OPENDIR && operation != STAT;
}

static int is_inside(int folder, const char* path) {
    if (path && path[0] == '/') return strncmp(path, root, root_size) == 0;
    char link[64], target[PATH_MAX];
    snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
    const ssize_t size = readlink(link, target, sizeof target - 1);
    return size > 0 && strncmp(target, root, root_size) == 0 && (size_t)size >= root_size;
}

// Counts it; whether it has to fail, with errno set.
static int fails(int operation, int folder, const char* path, int flags) {
    if (!counts) return 0;
    const int before = errno;
    const int inside = is_inside(folder, path);
    errno = before;
    if (!inside) return 0;
    const int64_t own = __atomic_add_fetch(&counts[operation], 1, __ATOMIC_RELAXED);
    const int64_t any = __atomic_add_fetch(&counts[ALL], 1, __ATOMIC_RELAXED);
    const int change = is_change(operation, flags);
    const int64_t changes = change ? __atomic_add_fetch(&counts[ALL + 1], 1, __ATOMIC_RELAXED) : 0;
    const int64_t number = wanted == ALL ? any : wanted == ALL + 1 ? changes : wanted == operation ? own : 0;
    if (number == 0 || nth == 0 || (forever ? number < nth : number != nth)) return 0;
    counts[HIT] = operation + 1;
    counts[HIT + 1] = error_number;
    errno = (int)error_number;
    return 1;
}

#define NEXT(type, name, ...) \
    static type (*next)(__VA_ARGS__); \
    if (!next) next = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define OPEN_LIKE(name) \
    int name(const char* path, int flags, ...) { \
        NEXT(int, #name, const char*, int, ...); \
        va_list list; \
        va_start(list, flags); \
        const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(list, mode_t) : 0; \
        va_end(list); \
        return fails(OPEN, AT_FDCWD, path, flags) ? -1 : next(path, flags, mode); \
    }
OPEN_LIKE(open)
OPEN_LIKE(open64)

#define OPENAT_LIKE(name) \
    int name(int folder, const char* path, int flags, ...) { \
        NEXT(int, #name, int, const char*, int, ...); \
        va_list list; \
        va_start(list, flags); \
        const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(list, mode_t) : 0; \
        va_end(list); \
        return fails(OPEN, folder, path, flags) ? -1 : next(folder, path, flags, mode); \
    }
OPENAT_LIKE(openat)
OPENAT_LIKE(openat64)

#define PATH_CALL(name, type, bad, operation, arguments, call, ...) \
    type name arguments { \
        NEXT(type, #name, __VA_ARGS__); \
        return fails(operation, AT_FDCWD, path, 0) ? bad : next call; \
    }
#define FD_CALL(name, type, operation, arguments, call, ...) \
    type name arguments { \
        NEXT(type, #name, __VA_ARGS__); \
        return fails(operation, fd, NULL, 0) ? (type)-1 : next call; \
    }
#define AT_CALL(name, operation, arguments, call, ...) \
    int name arguments { \
        NEXT(int, #name, __VA_ARGS__); \
        return fails(operation, fd, path, 0) ? -1 : next call; \
    }

PATH_CALL(mkostemp, int, -1, OPEN, (char* path, int flags), (path, flags), char*, int)
PATH_CALL(mkstemp, int, -1, OPEN, (char* path), (path), char*)
PATH_CALL(fopen, FILE*, NULL, OPEN, (const char* path, const char* mode), (path, mode), const char*, const char*)
PATH_CALL(fopen64, FILE*, NULL, OPEN, (const char* path, const char* mode), (path, mode), const char*, const char*)
PATH_CALL(mkdir, int, -1, MKDIR, (const char* path, mode_t mode), (path, mode), const char*, mode_t)
PATH_CALL(unlink, int, -1, UNLINK, (const char* path), (path), const char*)
PATH_CALL(rmdir, int, -1, UNLINK, (const char* path), (path), const char*)
PATH_CALL(remove, int, -1, UNLINK, (const char* path), (path), const char*)
PATH_CALL(rename, int, -1, RENAME, (const char* path, const char* to), (path, to), const char*, const char*)
PATH_CALL(opendir, DIR*, NULL, OPENDIR, (const char* path), (path), const char*)
PATH_CALL(stat, int, -1, STAT, (const char* path, struct stat* to), (path, to), const char*, struct stat*)
PATH_CALL(stat64, int, -1, STAT, (const char* path, struct stat64* to), (path, to), const char*, struct stat64*)
PATH_CALL(lstat, int, -1, STAT, (const char* path, struct stat* to), (path, to), const char*, struct stat*)
PATH_CALL(lstat64, int, -1, STAT, (const char* path, struct stat64* to), (path, to), const char*, struct stat64*)
PATH_CALL(chmod, int, -1, CHMOD, (const char* path, mode_t mode), (path, mode), const char*, mode_t)
PATH_CALL(truncate, int, -1, TRUNCATE, (const char* path, off_t size), (path, size), const char*, off_t)
PATH_CALL(utimes, int, -1, TIMES, (const char* path, const struct timeval times[2]), (path, times), const char*,
          const struct timeval*)

int symlink(const char* target, const char* path) {
    NEXT(int, "symlink", const char*, const char*);
    return fails(SYMLINK, AT_FDCWD, path, 0) ? -1 : next(target, path);
}

AT_CALL(mkdirat, MKDIR, (int fd, const char* path, mode_t mode), (fd, path, mode), int, const char*, mode_t)
AT_CALL(unlinkat, UNLINK, (int fd, const char* path, int flags), (fd, path, flags), int, const char*, int)
AT_CALL(renameat, RENAME, (int fd, const char* path, int to, const char* name), (fd, path, to, name), int, const char*, int,
        const char*)
AT_CALL(fstatat, STAT, (int fd, const char* path, struct stat* to, int flags), (fd, path, to, flags), int, const char*,
        struct stat*, int)
AT_CALL(utimensat, TIMES, (int fd, const char* path, const struct timespec times[2], int flags), (fd, path, times, flags),
        int, const char*, const struct timespec*, int)

FD_CALL(read, ssize_t, READ, (int fd, void* to, size_t size), (fd, to, size), int, void*, size_t)
FD_CALL(pread, ssize_t, READ, (int fd, void* to, size_t size, off_t at), (fd, to, size, at), int, void*, size_t, off_t)
FD_CALL(pread64, ssize_t, READ, (int fd, void* to, size_t size, off64_t at), (fd, to, size, at), int, void*, size_t, off64_t)
FD_CALL(write, ssize_t, WRITE, (int fd, const void* from, size_t size), (fd, from, size), int, const void*, size_t)
FD_CALL(pwrite, ssize_t, WRITE, (int fd, const void* from, size_t size, off_t at), (fd, from, size, at), int, const void*,
        size_t, off_t)
FD_CALL(pwrite64, ssize_t, WRITE, (int fd, const void* from, size_t size, off64_t at), (fd, from, size, at), int,
        const void*, size_t, off64_t)
FD_CALL(writev, ssize_t, WRITE, (int fd, const struct iovec* from, int count), (fd, from, count), int, const struct iovec*,
        int)
FD_CALL(pwritev, ssize_t, WRITE, (int fd, const struct iovec* from, int count, off_t at), (fd, from, count, at), int,
        const struct iovec*, int, off_t)
FD_CALL(pwritev64, ssize_t, WRITE, (int fd, const struct iovec* from, int count, off64_t at), (fd, from, count, at), int,
        const struct iovec*, int, off64_t)
FD_CALL(fsync, int, SYNC, (int fd), (fd), int)
FD_CALL(fdatasync, int, SYNC, (int fd), (fd), int)
FD_CALL(syncfs, int, SYNC, (int fd), (fd), int)
FD_CALL(sync_file_range, int, SYNC, (int fd, off64_t at, off64_t size, unsigned flags), (fd, at, size, flags), int, off64_t,
        off64_t, unsigned)
FD_CALL(ftruncate, int, TRUNCATE, (int fd, off_t size), (fd, size), int, off_t)
FD_CALL(ftruncate64, int, TRUNCATE, (int fd, off64_t size), (fd, size), int, off64_t)
FD_CALL(fallocate, int, ALLOCATE, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size), int, int, off_t, off_t)
FD_CALL(fchmod, int, CHMOD, (int fd, mode_t mode), (fd, mode), int, mode_t)
FD_CALL(fstat, int, STAT, (int fd, struct stat* to), (fd, to), int, struct stat*)

// A close that fails has closed.
int close(int fd) {
    NEXT(int, "close", int);
    const int bad = fails(CLOSE, fd, NULL, 0);
    const int result = next(fd);
    if (!bad) return result;
    errno = (int)error_number;
    return -1;
}

static void shift(struct timespec* time) {
    if (!offset) return;
    const int64_t by = *offset;
    int64_t nanoseconds = time->tv_nsec + by % 1000000000;
    time->tv_sec += by / 1000000000 + (nanoseconds >= 1000000000) - (nanoseconds < 0);
    nanoseconds += nanoseconds < 0 ? 1000000000 : nanoseconds >= 1000000000 ? -1000000000 : 0;
    time->tv_nsec = nanoseconds;
}

int clock_gettime(clockid_t clock, struct timespec* to) {
    NEXT(int, "clock_gettime", clockid_t, struct timespec*);
    const int result = next(clock, to);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) shift(to);
    return result;
}

int gettimeofday(struct timeval* restrict to, void* restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    to->tv_sec = now.tv_sec;
    to->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t* to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}
