#include "way/ssh_asker.h"

#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"
#include "way/ssh_blocks.h"
#include "way/ssh_config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Questions at once: each is a process. */
enum { AT_ONCE = 8, FILE_MAX = 4 * 1024 * 1024 };

/* One host that is asked for. */
struct request {
    struct ssh_asker *asker;
    struct call *call;
    struct group *group; /* which waits for it; NULL: none */
    bool early, verbose; /* of the first two of its call; the first one */
    const struct host *host;
    struct ssh_target *target;
    void (*done)(void *arg, const char *error);
    void *arg;
    struct ssh_config_query *query; /* NULL: it waits */
    struct request *next;
};

/* First come, first served. */
struct queue {
    struct request *first, **last;
};

/* Hosts with the same signature. */
struct group {
    struct buf signature;
    struct buf answer;      /* for `from` */
    struct str from;        /* n == 0: not known yet */
    bool asking, good, bad; /* the next answer is awaited; the second one was as expected, or not */
    struct queue waiting;
};

/* Hosts for which ssh is called in the same way. */
struct call {
    struct buf words;
    struct ssh_given given;
    unsigned early, left;      /* hosts asked for before anything is known; not answered yet */
    struct ssh_blocks *blocks; /* from the first answer; NULL: each host is asked for */
    struct buf second;         /* an answer that came before that one, for `second_from` */
    struct str second_from;
    struct queue waiting; /* for the first two */
    struct map groups;
    VEC(struct group *) all;
};

struct ssh_asker {
    struct loop *loop;
    const struct watcher *watcher;
    const char *config;
    struct map calls;
    VEC(struct call *) all;
    struct queue waiting; /* for their turn */
    VEC(struct request *) running;
};

/* --- queues --- */

static void put(struct queue *q, struct request *r) {
    if (q->first == NULL)
        q->last = &q->first;
    r->next = NULL;
    *q->last = r;
    q->last = &r->next;
}

static struct request *take(struct queue *q) {
    struct request *r = q->first;
    if (r != NULL)
        q->first = r->next;
    return r;
}

static void drop_all(struct queue *q) {
    for (struct request *r; (r = take(q)) != NULL;)
        free(r);
}

/* --- answers --- */

static void tell(struct request *r, struct str answer) {
    struct buf error = {0};
    bool good = ssh_target_read(r->target, r->host, answer, &error);
    r->done(r->arg, good ? NULL : error.s);
    buf_free(&error);
    free(r);
}

static bool read_file(void *context, const char *path, struct buf *text) {
    (void)context;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                io_read_all(fd, FILE_MAX, text) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

static void ask(struct request *r);

/* The answer that the group's first one lets expect. */
static bool derive(const struct call *c, const struct group *g, struct str host, struct buf *out) {
    return ssh_blocks_answer(c->blocks, buf_view(&g->answer), g->from, host, out);
}

/* The group has learned something, or has somebody who waits. */
static void go_on(struct group *g) {
    for (struct request *r; !g->asking && (r = take(&g->waiting)) != NULL;) {
        struct buf answer = {0};
        if (g->good && derive(r->call, g, r->host->target, &answer)) {
            tell(r, buf_view(&answer));
        } else {
            if (!g->good && !g->bad) {
                r->group = g;
                g->asking = true;
            }
            ask(r);
        }
        buf_free(&answer);
    }
}

/* NULL: the host is in none. */
static struct group *group_of(struct call *c, struct str name) {
    struct buf signature = {0};
    struct group *g = NULL;
    if (c->blocks != NULL && ssh_blocks_signature(c->blocks, name, &signature)) {
        g = map_get(&c->groups, buf_view(&signature));
        if (g == NULL) {
            g = mem_zalloc(sizeof *g);
            g->signature = signature;
            signature = (struct buf){0};
            *vec_push(&c->all) = g;
            *map_put(&c->groups, buf_view(&g->signature)) = g;
        }
    }
    buf_free(&signature);
    return g;
}

/* ssh has answered for a host. */
static void learn(struct call *c, struct str host, struct str answer) {
    struct group *g = group_of(c, host);
    struct buf expected = {0}, plain = {0};
    if (g == NULL) {
        /* nothing is known of others by it */
    } else if (g->from.n == 0) {
        buf_str(&g->answer, answer);
        g->from = host;
    } else if (!g->good && !g->bad) {
        g->good = derive(c, g, host, &expected) &&
                  ssh_blocks_answer(c->blocks, answer, host, host, &plain) &&
                  str_eq(buf_view(&expected), buf_view(&plain));
        g->bad = !g->good;
    }
    buf_free(&expected);
    buf_free(&plain);
}

static void learn_early(struct request *r, const struct ssh_answer *answer) {
    struct call *c = r->call;
    struct str host = r->host->target;
    c->left--;
    if (answer->error != NULL)
        return;
    if (r->verbose) {
        c->blocks = ssh_blocks_new(answer->said, host, c->given, read_file, NULL);
        learn(c, host, answer->text);
        if (c->second_from.n != 0)
            learn(c, c->second_from, buf_view(&c->second));
    } else if (c->left != 0) {
        buf_str(&c->second, answer->text);
        c->second_from = host;
    } else {
        learn(c, host, answer->text);
    }
}

static void place(struct request *r) {
    struct group *g = group_of(r->call, r->host->target);
    if (g == NULL) {
        ask(r);
        return;
    }
    put(&g->waiting, r);
    go_on(g);
}

static void start_next(struct ssh_asker *a);

static void over(struct request *r, const struct ssh_answer *answer) {
    if (answer->error == NULL) {
        tell(r, answer->text);
        return;
    }
    if (answer->no_program)
        ssh_target_fall_back(r->target, r->host);
    r->done(r->arg, answer->no_program ? NULL : answer->error);
    free(r);
}

static void answered(void *arg, const struct ssh_answer *answer) {
    struct request *r = arg;
    struct ssh_asker *a = r->asker;
    struct call *c = r->call;
    struct group *g = r->group;
    size_t i = 0;
    while (a->running.v[i] != r)
        i++;
    a->running.v[i] = a->running.v[--a->running.n];
    bool early = r->early, again = r->verbose && answer->error != NULL && !answer->no_program;
    if (early)
        learn_early(r, answer);
    else if (answer->error == NULL)
        learn(c, r->host->target, answer->text);
    r->early = r->verbose = false;
    if (again) /* for a message without all that it says of its way */
        ask(r);
    else
        over(r, answer);
    if (g != NULL) {
        g->asking = false;
        go_on(g);
    }
    while (early && c->left == 0 && c->waiting.first != NULL)
        place(take(&c->waiting));
    start_next(a);
}

static void start_next(struct ssh_asker *a) {
    struct request *r;
    while (a->running.n < AT_ONCE && (r = take(&a->waiting)) != NULL) {
        *vec_push(&a->running) = r;
        r->query = ssh_config_ask(a->loop, a->watcher, r->host, r->target->config, r->verbose,
                                  answered, r);
    }
}

static void ask(struct request *r) {
    put(&r->asker->waiting, r);
    start_next(r->asker);
}

/* Two hosts are asked for before anything is known; the others wait for what comes of that. */
static void begin(struct call *c, struct request *r) {
    bool early = c->early < 2;
    r->call = c;
    if (early) {
        r->early = true;
        r->verbose = c->early++ == 0;
        c->left++;
        ask(r);
    } else if (c->left != 0) {
        put(&c->waiting, r);
    } else {
        place(r);
    }
}

/* Calls are told apart by their words, but for the host's name, which is the last one. */
static struct call *call_of(struct ssh_asker *a, const struct host *host, const char *config) {
    str_list words = {0};
    struct buf key = {0};
    ssh_config_words(host, config, &words);
    for (size_t i = 0; i < words.n; i++) {
        if (i + 1 != words.n)
            buf_add(&key, words.v[i].s, words.v[i].n + 1);
    }
    str_list_free(&words);
    struct call *c = map_get(&a->calls, buf_view(&key));
    if (c == NULL) {
        c = mem_zalloc(sizeof *c);
        c->words = key;
        key = (struct buf){0};
        c->given = (struct ssh_given){.user = host->user.n + host->ssh.user.n != 0,
                                      .port = host->port != 0 || host->ssh.port != 0};
        *vec_push(&a->all) = c;
        *map_put(&a->calls, buf_view(&c->words)) = c;
    }
    buf_free(&key);
    return c;
}

void ssh_asker_ask(struct ssh_asker *a, const struct host *host, struct ssh_target *target,
                   void (*done)(void *arg, const char *error), void *arg) {
    struct request *r = mem_zalloc(sizeof *r);
    char *own = ssh_config_file(host, a->config);
    ssh_target_begin(target, host, own);
    free(own);
    *r = (struct request){.asker = a, .host = host, .target = target, .done = done, .arg = arg};
    begin(call_of(a, host, target->config), r);
}

struct ssh_asker *ssh_asker_new(struct loop *loop, const struct watcher *watcher,
                                const char *config) {
    struct ssh_asker *a = mem_zalloc(sizeof *a);
    *a = (struct ssh_asker){.loop = loop, .watcher = watcher, .config = config};
    return a;
}

static void free_call(struct call *c) {
    for (size_t i = 0; i < c->all.n; i++) {
        drop_all(&c->all.v[i]->waiting);
        buf_free(&c->all.v[i]->signature);
        buf_free(&c->all.v[i]->answer);
        free(c->all.v[i]);
    }
    drop_all(&c->waiting);
    vec_free(&c->all);
    map_free(&c->groups);
    ssh_blocks_free(c->blocks);
    buf_free(&c->words);
    buf_free(&c->second);
    free(c);
}

void ssh_asker_free(struct ssh_asker *a) {
    for (size_t i = 0; i < a->running.n; i++) {
        ssh_config_cancel(a->running.v[i]->query);
        free(a->running.v[i]);
    }
    drop_all(&a->waiting);
    for (size_t i = 0; i < a->all.n; i++)
        free_call(a->all.v[i]);
    vec_free(&a->running);
    vec_free(&a->all);
    map_free(&a->calls);
    free(a);
}
