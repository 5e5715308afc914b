/* A machine whose clock is set and whose disk is slow or broken, for one process: preloaded, and told by a shared file what is to be.
 * Built and used by the chaos suite alone. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct machine {
    volatile int64_t clock_ms; /* how far the system's clock is off */
    volatile int64_t sync_ms;  /* how long a sync takes */
    volatile int64_t broken;   /* whether syncs fail */
};

static const struct machine sound;
static const struct machine *machine = &sound;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CHAOS_MACHINE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *shared = mmap(NULL, sizeof(struct machine), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED) machine = shared;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += machine->clock_ms / 1000;
    return result;
}

static int synced(const char *name, int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    for (int64_t slept = 0; slept < machine->sync_ms; slept += 10) usleep(10 * 1000);
    if (machine->broken) {
        errno = EIO;
        return -1;
    }
    return real(file);
}

int fsync(int file) { return synced("fsync", file); }
int fdatasync(int file) { return synced("fdatasync", file); }
