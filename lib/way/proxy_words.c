#include "way/proxy_words.h"

#include "way/ssh_tokens.h"

#include <stdlib.h>
#include <string.h>

/* The last of the jumps is the one to go through; ssh itself goes to it through those before. */
struct jump {
    struct str before, user, host, port;
};

static struct jump parse_jump(struct str text) {
    struct jump j = {0};
    const char *comma = bytes_last(text.s, ',', text.n);
    if (comma != NULL) {
        j.before = (struct str){text.s, (size_t)(comma - text.s)};
        text = (struct str){comma + 1, text.n - j.before.n - 1};
    }
    const char *at = bytes_last(text.s, '@', text.n);
    if (at != NULL) {
        j.user = (struct str){text.s, (size_t)(at - text.s)};
        text = (struct str){at + 1, text.n - j.user.n - 1};
    }
    j.host = text;
    const char *end = bytes_last(text.s, text.n != 0 && text.s[0] == '[' ? ']' : ':', text.n);
    if (text.n != 0 && text.s[0] == '[' && end != NULL) {
        j.host = (struct str){text.s + 1, (size_t)(end - text.s) - 1};
        end++;
    } else if (end != NULL) {
        j.host.n = (size_t)(end - text.s);
    }
    if (end != NULL && end < text.s + text.n && *end == ':')
        j.port = (struct str){end + 1, text.n - (size_t)(end - text.s) - 1};
    return j;
}

static void add_word(str_list *argv, struct str word) {
    struct buf b = {0};
    buf_str(&b, word);
    *vec_push(argv) = (struct str){b.s, b.n};
}

static void add_option(str_list *argv, const char *option, struct str value) {
    if (value.n == 0)
        return;
    add_word(argv, str_of(option));
    add_word(argv, value);
}

static void add_expanded(str_list *argv, const char *option, const struct ssh_target *t,
                         struct str text) {
    struct buf b = {0};
    ssh_tokens_expand(t, SSH_TOKENS_PROXY, text, &b);
    if (option != NULL)
        add_option(argv, option, buf_view(&b));
    else
        add_word(argv, buf_view(&b));
    buf_free(&b);
}

void proxy_words(const struct ssh_target *t, str_list *argv) {
    struct buf to = {0};
    if (t->proxy_command != NULL) {
        const char *shell = getenv("SHELL");
        bool exec = strncmp(t->proxy_command, "exec", 4) == 0; /* as ssh sees it */
        add_word(argv, shell != NULL && *shell != '\0' ? str_of(shell) : STR("/bin/sh"));
        add_word(argv, STR("-c"));
        buf_puts(&to, exec ? "" : "exec ");
        ssh_tokens_expand(t, SSH_TOKENS_PROXY, str_of(t->proxy_command), &to);
        add_word(argv, buf_view(&to));
        buf_free(&to);
        return;
    }
    struct jump j = parse_jump(str_of(t->proxy_jump));
    buf_printf(&to, "[%s]:%u", t->address, t->port);
    add_word(argv, STR("ssh"));
    add_expanded(argv, "-l", t, j.user);
    add_option(argv, "-p", j.port);
    add_expanded(argv, "-J", t, j.before);
    add_option(argv, "-F", t->config != NULL ? str_of(t->config) : STR(""));
    add_word(argv, STR("-oBatchMode=yes"));
    add_word(argv, STR("-oLogLevel=INFO")); /* else it does not say why the last hop failed */
    add_option(argv, "-W", buf_view(&to));
    add_word(argv, STR("--"));
    add_expanded(argv, NULL, t, j.host);
    buf_free(&to);
}
