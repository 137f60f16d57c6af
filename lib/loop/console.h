/* The terminal, lent to a step that has it for itself (`console: true`). */
#ifndef FORAY_LOOP_CONSOLE_H
#define FORAY_LOOP_CONSOLE_H

#include <stdbool.h>
#include <sys/types.h>

/* Lets a process group have standard input's terminal, if it is one and we have it: true. Goes on
 * with what was stopped for having reached for it too early. */
bool console_lend(pid_t group);
void console_take_back(void);
/* After SIGCHLD: if the step was stopped (^Z), stops foray as well, and when that goes on again,
 * the step too. */
void console_follow(pid_t pid, bool lent);

#endif
