/* Any bytes as a known_hosts file: what is found are keys that stand in it, and a line in its
 * plainest form is found. */
#include "way/known_hosts.h"
#include "base/mem.h"
#include "way/base64.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool promise) {
    if (!promise)
        abort();
}

static size_t count_lines(struct str text) {
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.s[i] == '\n';
    return n;
}

static struct str take(struct str *text, char end) {
    const char *at = memchr(text->s, end, text->n);
    struct str part = {text->s, at != NULL ? (size_t)(at - text->s) : text->n};
    size_t n = part.n + (at != NULL);
    *text = (struct str){text->s + n, text->n - n};
    return part;
}

/* Nothing but letters, digits and dots. */
static bool is_plain(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!((s.s[i] >= 'a' && s.s[i] <= 'z') || (s.s[i] >= '0' && s.s[i] <= '9') ||
              s.s[i] == '.'))
            return false;
    return s.n != 0;
}

static const struct known_name *find(struct known_hosts *k, struct str name, uint16_t port) {
    struct buf address = {0};
    buf_str(&address, name);
    struct str file = STR("file");
    struct ssh_target t = {.address = address.s, .port = port, .known_hosts = {&file, 1, 0}};
    const struct known_name *found = known_hosts_find(k, &t);
    require(known_hosts_find(k, &t) == found);
    buf_free(&address);
    return found;
}

static void check_keys(const struct known_name *found, size_t lines) {
    for (size_t i = 0; i < found->keys.n; i++) {
        const struct known_key *key = &found->keys.v[i], *place;
        require(key->line >= 1 && key->line <= lines && known_key_type(key->blob).n != 0);
        enum known_host answer = known_name_check(found, key->blob, &place);
        require(answer != HOST_UNKNOWN && answer != HOST_UNREADABLE);
        require(key->marker != KEY_REVOKED || answer == HOST_REVOKED);
    }
}

static bool has_line(const struct known_name *found, unsigned line) {
    for (size_t i = 0; i < found->keys.n; i++)
        if (found->keys.v[i].line == line)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *bytes = mem_alloc(size);
    if (size != 0)
        memcpy(bytes, data, size);
    struct str text = {bytes, size}, left = text;
    struct known_hosts *k = known_hosts_new();
    known_hosts_take(k, "file", text);
    size_t lines = count_lines(text);
    check_keys(find(k, STR("example.com"), 22), lines);
    check_keys(find(k, STR("example.com"), 2222), lines);
    for (unsigned number = 1; left.n != 0 && number <= 50; number++) {
        struct str line = take(&left, '\n'), name = take(&line, ' '), type = take(&line, ' ');
        struct buf blob = {0};
        if (is_plain(name) && line.n != 0 && base64_decode(line, &blob) && type.n != 0 &&
            str_eq(known_key_type(buf_view(&blob)), type))
            require(has_line(find(k, name, 22), number));
        buf_free(&blob);
    }
    known_hosts_free(k);
    free(bytes);
    return 0;
}
