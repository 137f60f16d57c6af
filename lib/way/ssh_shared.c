#include "way/ssh_shared.h"

#include "base/mem.h"

#include <stdlib.h>

struct ssh_shared *ssh_shared_new(struct loop *loop, const struct watcher *watcher,
                                  struct prompter *prompter) {
    struct ssh_shared *s = mem_zalloc(sizeof *s);
    *s = (struct ssh_shared){.loop = loop,
                             .watcher = watcher,
                             .proxies = proxies_new(loop, watcher),
                             .gate = gate_new(loop),
                             .known_hosts = known_hosts_new(),
                             .prompter = prompter,
                             .keyring = keyring_new(loop, watcher, prompter),
                             .secrets = secrets_new()};
    return s;
}

void ssh_shared_free(struct ssh_shared *s) {
    proxies_free(s->proxies);
    gate_free(s->gate);
    known_hosts_free(s->known_hosts);
    keyring_free(s->keyring);
    secrets_free(s->secrets);
    free(s);
}
