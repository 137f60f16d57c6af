/* Signals as bytes in a pipe, so that the loop sees them like everything else. */
#ifndef FORAY_LOOP_SIGNALS_H
#define FORAY_LOOP_SIGNALS_H

/* Catches INT, TERM, HUP, TSTP, CHLD and WINCH (but not those that were ignored when foray was
 * started, as nohup does it), ignores PIPE. Returns the descriptor to poll for POLLIN, -1 with
 * errno on failure. */
int signals_catch(void);
int signals_next(int fd); /* a signal that came; 0: no more */
/* Is stopped as TSTP does it to who does not catch it: returns when somebody says CONT. */
void signals_stop(void);

#endif
