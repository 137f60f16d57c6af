/* The terminal, lent to a step that has it for itself (`console: true`). */
#ifndef FORAY_LOOP_CONSOLE_H
#define FORAY_LOOP_CONSOLE_H

#include "base/str.h"

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

/* Lets a process group have standard input's terminal, if it is one and we have it: true. Goes on
 * with what was stopped for having reached for it too early. */
bool console_lend(pid_t group);
void console_take_back(void);
/* After SIGCHLD: if the step was stopped (^Z), stops foray as well, and when that goes on again,
 * the step too. */
void console_follow(pid_t pid, bool lent);

/* --- for a step that has it from afar --- */

bool console_is_ours(void);     /* standard input is a terminal, and we are in front of it */
const char *console_name(void); /* what TERM says of it */
void console_size(int fd, unsigned *columns, unsigned *rows);
void console_make_raw(struct termios *t); /* every key is a byte, every byte is shown as it is */

/* --- for who asks, too --- */

/* None of these stops us, though we were not in front: then it just fails. */
void console_set(int fd, const struct termios *t);
void console_forget_typed(int fd);
ssize_t console_read(int fd, void *bytes, size_t n);
void console_write(int fd, struct str text);

#endif
