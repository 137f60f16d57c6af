/* Runs a command with its standard output thrown away, and prints how many microseconds it took and
 * how many kilobytes it, or any one process that it waited for, had in memory at most.
 * measure COMMAND... */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long microseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

int main(int argc, char **argv) {
    posix_spawn_file_actions_t actions;
    struct rusage used;
    pid_t pid;
    int status;
    if (argc < 2)
        return 2;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    long long start = microseconds();
    int error = posix_spawnp(&pid, argv[1], &actions, NULL, argv + 1, environ);
    if (error != 0) {
        fprintf(stderr, "measure: %s: %s\n", argv[1], strerror(error));
        return 1;
    }
    if (wait4(pid, &status, 0, &used) != pid)
        return 1;
    long long took = microseconds() - start;
    if (status != 0) {
        fprintf(stderr, "measure: %s failed\n", argv[1]);
        return 1;
    }
    printf("%lld %ld\n", took, used.ru_maxrss);
    return 0;
}
