/* Loaded into a server by a drill (LD_PRELOAD): a clock that can jump, a disk that can be full or slow, and a record of what a
   power cut would leave. Compiled by shim.rs; the drill changes the page while the server runs.

   $DOORBUSTER_STAGE/$DRILL_SHIM.page     int64: 0 seconds by which the clock is wrong; 1 us that every fsync takes longer;
                                          2 the disk is full: 1 = half of the next write fits, 2 = nothing fits
   $DOORBUSTER_STAGE/$DRILL_SHIM.synced   "path size" of the append-only file at its last fsync that succeeded */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *page;
static int synced = -1, tried;

static int beside(const char *ending, char *path, size_t size) {
    const char *stage = getenv("DOORBUSTER_STAGE"), *name = getenv("DRILL_SHIM");
    return stage && name && snprintf(path, size, "%s/%s.%s", stage, name, ending) < (int)size;
}

__attribute__((constructor)) static void start(void) {
    char path[512];
    if (tried) return;
    tried = 1;
    if (beside("page", path, sizeof path)) {
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (file >= 0 && ftruncate(file, 64) == 0) {
            void *mapped = mmap(0, 64, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            if (mapped != MAP_FAILED) page = mapped;
        }
        if (file >= 0) close(file);
    }
    if (beside("synced", path, sizeof path)) synced = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long long setting(int index) { start(); return page ? page[index] : 0; }

static int is_append_only(int fd) {
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return strstr(path, ".aof") != 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int done = syscall(SYS_clock_gettime, clock, time);
    if (!done && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += setting(0);
    return done;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

ssize_t write(int fd, const void *bytes, size_t size) {
    long long full = setting(2);
    if (full && is_append_only(fd)) {
        if (full == 1 && size > 1) {
            page[2] = 2;
            return syscall(SYS_write, fd, bytes, size / 2);
        }
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, size);
}

static int sync_file(int fd, long number) {
    struct stat state;
    long long slow = setting(1);
    int known = fstat(fd, &state) == 0 && S_ISREG(state.st_mode);
    if (slow > 0) usleep((useconds_t)slow);
    int done = syscall(number, fd);
    if (!done && known && synced >= 0) {
        char link[64], path[512], line[640];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length > 0) {
            path[length] = 0;
            if (strstr(path, ".incr.aof")) {
                memset(line, ' ', sizeof line);
                int used = snprintf(line, sizeof line - 1, "%s %lld", path, (long long)state.st_size);
                line[used] = ' ';
                line[sizeof line - 1] = '\n';
                (void)!pwrite(synced, line, sizeof line, 0);
            }
        }
    }
    return done;
}

int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }
int fsync(int fd) { return sync_file(fd, SYS_fsync); }
