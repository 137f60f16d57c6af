/* Any bytes as the answer of `ssh -G`: what is taken from it can be used, and leads to words for a
 * proxy that hold no more than was said. */
#include "base/mem.h"
#include "way/proxy_words.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool promise) {
    if (!promise)
        abort();
}

static void check_paths(const str_list *list) {
    for (size_t i = 0; i < list->n; i++)
        require(strlen(list->v[i].s) == list->v[i].n);
}

static void check_target(const struct ssh_target *t) {
    require(t->address != NULL && t->user != NULL && t->name != NULL && t->port != 0);
    require(t->connect_timeout > 0 && t->alive_interval > 0 && t->silence >= t->alive_interval);
    check_paths(&t->identities);
    check_paths(&t->known_hosts);
    check_paths(&t->revoked);
}

static void check_words(const struct ssh_target *t) {
    str_list words = {0};
    proxy_words(t, &words);
    require(words.n >= 3);
    for (size_t i = 0; i < words.n; i++) {
        require(strlen(words.v[i].s) == words.v[i].n);
        free((char *)words.v[i].s);
    }
    vec_free(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = mem_alloc(size);
    if (size != 0)
        memcpy(text, data, size);
    const struct host host = {.name = STR("host"), .target = STR("host")};
    struct ssh_target t;
    struct buf error = {0};
    ssh_target_begin(&t, &host, NULL);
    bool good = ssh_target_read(&t, &host, (struct str){text, size}, &error);
    require(good == (error.n == 0));
    check_target(&t);
    if (t.proxy_command != NULL || t.proxy_jump != NULL)
        check_words(&t);
    ssh_target_free(&t);
    buf_free(&error);
    free(text);
    return 0;
}
