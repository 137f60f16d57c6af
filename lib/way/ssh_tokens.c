#include "way/ssh_tokens.h"

#include "base/mem.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *ssh_tokens_home(void) {
    const char *h = getenv("HOME");
    if (h != NULL && *h != '\0')
        return h;
    const struct passwd *pw = getpwuid(getuid());
    return pw != NULL ? pw->pw_dir : "/";
}

static void put_machine(struct buf *out, bool whole) {
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    buf_add(out, name, whole ? strlen(name) : strcspn(name, "."));
}

static bool put_token(const struct ssh_target *t, enum ssh_tokens which, char token,
                      struct buf *out) {
    const struct passwd *pw;
    switch (token) {
    case '%':
        buf_putc(out, '%');
        return true;
    case 'h':
        buf_puts(out, t->address);
        return true;
    case 'k':
        buf_puts(out, t->known_as != NULL ? t->known_as : t->name);
        return true;
    case 'n':
        buf_puts(out, t->name);
        return true;
    case 'p':
        buf_printf(out, "%u", t->port);
        return true;
    case 'r':
        buf_puts(out, t->user);
        return true;
    default:
        break;
    }
    if (which != SSH_TOKENS_FILE)
        return false;
    switch (token) {
    case 'd':
        buf_puts(out, ssh_tokens_home());
        return true;
    case 'i':
        buf_printf(out, "%ld", (long)getuid());
        return true;
    case 'L':
    case 'l':
        put_machine(out, token == 'l');
        return true;
    case 'u':
        pw = getpwuid(getuid());
        if (pw != NULL)
            buf_puts(out, pw->pw_name);
        return pw != NULL;
    default:
        return false;
    }
}

/* "${NAME}" at the start of the text: its length, and its value if it is set; 0: it is none. */
static size_t variable(struct str text, const char **value) {
    const char *end = text.n > 3 && text.s[1] == '{' ? memchr(text.s, '}', text.n) : NULL;
    if (end == NULL)
        return 0;
    size_t n = (size_t)(end - text.s);
    struct buf name = {0};
    buf_add(&name, text.s + 2, n - 2);
    *value = getenv(name.s);
    buf_free(&name);
    return n + 1;
}

/* "~" and "~name" at the start of the text: how much of it is replaced. */
static size_t put_home(struct str text, struct buf *out) {
    const char *slash = memchr(text.s, '/', text.n);
    size_t n = slash != NULL ? (size_t)(slash - text.s) : text.n;
    if (n == 1) {
        buf_puts(out, ssh_tokens_home());
        return 1;
    }
    struct buf name = {0};
    buf_add(&name, text.s + 1, n - 1);
    const struct passwd *pw = getpwnam(name.s);
    if (pw != NULL)
        buf_puts(out, pw->pw_dir);
    buf_free(&name);
    return pw != NULL ? n : 0;
}

bool ssh_tokens_expand(const struct ssh_target *t, enum ssh_tokens which, struct str text,
                       struct buf *out) {
    bool good = true, file = which == SSH_TOKENS_FILE;
    size_t i = file && text.n != 0 && text.s[0] == '~' ? put_home(text, out) : 0;
    while (i < text.n) {
        struct str rest = {text.s + i, text.n - i};
        const char *value = NULL;
        size_t n = 0;
        if (rest.s[0] == '%' && rest.n > 1 && put_token(t, which, rest.s[1], out)) {
            i += 2;
            continue;
        }
        if (file && rest.s[0] == '$' && (n = variable(rest, &value)) != 0 && value != NULL) {
            buf_puts(out, value);
            i += n;
            continue;
        }
        good = good && rest.s[0] != '%' && n == 0;
        buf_putc(out, rest.s[0]);
        i++;
    }
    return good;
}
