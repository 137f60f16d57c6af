/* The limit for local steps: posix_spawn of `sh -c true`, output through one pipe, two at a time,
 * one poll() loop. bare-spawn COUNT */
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int start(pid_t *pid) {
    static char sh[] = "sh", c[] = "-c", script[] = "true";
    char *argv[] = {sh, c, script, NULL};
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe(ends) != 0)
        exit(1);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    if (posix_spawn(pid, "/bin/sh", &actions, NULL, argv, environ) != 0)
        exit(1);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    return ends[0];
}

int main(int argc, char **argv) {
    int left = argc > 1 ? atoi(argv[1]) : 1000;
    struct pollfd polled[2] = {{.fd = -1, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    pid_t pids[2];
    int running = 0;
    while (left > 0 || running > 0) {
        for (int i = 0; i < 2 && left > 0; i++)
            if (polled[i].fd < 0) {
                polled[i].fd = start(&pids[i]);
                running++;
                left--;
            }
        poll(polled, 2, -1);
        for (int i = 0; i < 2; i++) {
            char bytes[4096];
            if (polled[i].fd >= 0 && polled[i].revents != 0 &&
                read(polled[i].fd, bytes, sizeof bytes) <= 0) {
                close(polled[i].fd);
                polled[i].fd = -1;
                waitpid(pids[i], NULL, 0);
                running--;
            }
        }
    }
    return 0;
}
