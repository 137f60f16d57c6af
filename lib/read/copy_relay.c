/* foray copy --relay: a file goes along a tree of hosts. Each host fetches it, by its own ssh, from
 * one that has it; what comes of that is only a seed, which is proved and taken, or not, when the
 * file is sent to it from here. So nothing depends on whether hosts can reach each other. */
#include "read/copy_state.h"

#include "base/shell.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* From here they go to so many hosts, and from each of them to as many. */
enum { BRANCHES = 2 };

static void add_word(struct buf *out, struct str word) {
    shell_insert(out, SHELL_BARE, word);
}

/* What a host is asked for a file: "ssh ... HOST 'script'", without the script. */
static void say_ssh(const struct host *host, const char *options, struct buf *out) {
    buf_printf(out, "ssh -n -o BatchMode=yes -o ConnectTimeout=10 %s", options);
    if (host->port != 0)
        buf_printf(out, "-p %u ", host->port);
    if (host->user.n != 0) {
        buf_puts(out, "-l ");
        add_word(out, host->user);
        buf_putc(out, ' ');
    }
    buf_puts(out, "-- ");
    add_word(out, host->target);
    buf_putc(out, ' ');
}

/* A script as one word, whatever the shell that somebody logs in to. */
static void add_script(struct buf *out, const struct buf *script) {
    struct buf command = {0};
    buf_puts(&command, "exec sh -c ");
    add_word(&command, buf_view(script));
    add_word(out, buf_view(&command));
    buf_free(&command);
}

/* Fetches one file to its seed, in the script of who gets it. Its own umask counts. */
static void say_fetch(const struct host *from, const struct copy *there, const struct copy *here,
                      uint32_t mode, struct buf *out) {
    struct buf give = {0};
    copy_say_place(there, &give);
    buf_puts(&give, "; exec cat < \"$p\"");
    copy_say_place(here, out);
    buf_puts(out, "\ncase $p in */*) s=${p%/*}/;; *) s=;; esac\n");
    buf_puts(out, "[ -z \"$s\" ] || mkdir -p \"$s\"\ns=$s");
    add_word(out, here->seed);
    buf_puts(out, "\nif e=$(");
    say_ssh(from, "", out);
    add_script(out, &give);
    buf_puts(out, " 2>&1 >\"$s\")\n");
    buf_printf(out,
               "then chmod \"$(printf %%o $((0%o & ~0$(umask))))\" \"$s\"\n"
               "else rm -f \"$s\"; echo \"${e:-nothing came}\"\nfi\n",
               (unsigned)mode);
    buf_free(&give);
}

/* How a host gets what another one has; empty: there is nothing to get so. */
static void say_relay(struct copy_reading *r, const struct step *from, struct step *to,
                      struct buf *out) {
    uint64_t number;
    if (getentropy(&number, sizeof number) != 0)
        return;
    for (uint32_t i = 0; i < to->n_copies; i++) {
        struct copy *copy = &to->copies[i];
        struct stat st;
        if (stat(copy->from.s, &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        copy->seed =
            arena_printf(&r->graph->arena, ".foray-%016llx.tmp", (unsigned long long)(number + i));
        if (out->n == 0)
            buf_puts(out, "trap 'rm -f \"$s\"' HUP INT TERM\n");
        say_fetch(from->pool->hosts[0], &from->copies[i], copy, (uint32_t)st.st_mode & 0777, out);
    }
}

/* With the agent's help it runs here, by the system's ssh, which can forward it. */
static void say_forwarded(const struct copy_reading *r, const struct host *host,
                          struct buf *script) {
    struct buf own = *script, options = {0};
    *script = (struct buf){0};
    buf_puts(&options, "-A -tt -o LogLevel=ERROR ");
    if (r->order->ssh_config != NULL) {
        buf_puts(&options, "-F ");
        add_word(&options, str_of(r->order->ssh_config));
        buf_putc(&options, ' ');
    }
    say_ssh(host, options.s, script);
    add_script(script, &own);
    buf_puts(script, " || echo \"its ssh ended with $?\"\n");
    buf_free(&own);
    buf_free(&options);
}

static void add_relay(struct copy_reading *r, struct step *from, struct step *to) {
    struct graph *g = r->graph;
    struct buf text = {0};
    say_relay(r, from, to, &text);
    if (text.n == 0)
        return;
    struct host *host = to->pool->hosts[0];
    if (r->order->agent)
        say_forwarded(r, host, &text);
    struct rule *rule = graph_add_rule(g, STR(COPY_RELAY), copy_script(r, &text));
    size_t first = g->steps.n;
    struct step *relay = graph_add_step(g, rule, host->name, false);
    if (!r->order->agent) {
        rule->dir = r->rule->dir;
        relay->pool = to->pool;
    }
    relay->needs = arena_copy(&g->arena, &from, sizeof from);
    relay->n_needs = 1;
    graph_rule_done(g, rule, first);
    to->needs = arena_copy(&g->arena, &relay, sizeof relay);
    to->n_needs = 1;
    to->when = arena_alloc(&g->arena, 1);
    to->when[0] = WHEN_ALWAYS;
}

void copy_add_relays(struct copy_reading *r, const struct pool *hosts) {
    struct step **steps = r->rule->steps;
    for (size_t i = BRANCHES; i < hosts->n_hosts; i++)
        add_relay(r, steps[(i - BRANCHES) / BRANCHES], steps[i]);
}
