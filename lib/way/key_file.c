#include "way/key_file.h"

#include "base/io.h"
#include "way/base64.h"
#include "way/wire.h"

#include <openssl/crypto.h>
#include <string.h>

enum { FILE_MAX = 256 * 1024 };

static struct str take_line(struct str *text) {
    const char *end = memchr(text->s, '\n', text->n);
    struct str line = {text->s, end != NULL ? (size_t)(end - text->s) : text->n};
    size_t n = line.n + (end != NULL);
    *text = (struct str){text->s + n, text->n - n};
    if (line.n != 0 && line.s[line.n - 1] == '\r')
        line.n--;
    return line;
}

static struct str take_word(struct str *line) {
    while (line->n != 0 && (line->s[0] == ' ' || line->s[0] == '\t'))
        *line = (struct str){line->s + 1, line->n - 1};
    struct str word = {line->s, 0};
    while (word.n < line->n && line->s[word.n] != ' ' && line->s[word.n] != '\t')
        word.n++;
    *line = (struct str){line->s + word.n, line->n - word.n};
    return word;
}

static struct str type_of(struct str blob) {
    struct str type = STR("");
    wire_take_string(&blob, &type);
    return type;
}

/* OpenSSH's own format (PROTOCOL.key): the public half is not encrypted. */
static void parse_openssh(struct str bytes, struct key_file *key) {
    static const char magic[] = "openssh-key-v1"; /* with its NUL */
    struct str cipher, kdf, options, blob;
    uint32_t n;
    if (!str_starts(bytes, (struct str){magic, sizeof magic}))
        return;
    bytes = (struct str){bytes.s + sizeof magic, bytes.n - sizeof magic};
    if (!wire_take_string(&bytes, &cipher) || !wire_take_string(&bytes, &kdf) ||
        !wire_take_string(&bytes, &options) || !wire_take_u32(&bytes, &n) || n != 1 ||
        !wire_take_string(&bytes, &blob) || type_of(blob).n == 0)
        return;
    key->kind = str_eq(cipher, STR("none")) ? KEY_FILE_PLAIN : KEY_FILE_LOCKED;
    buf_str(&key->blob, blob);
    key->rsa = str_eq(type_of(blob), STR("ssh-rsa"));
}

/* "ssh-ed25519 AAAA... comment" */
static bool parse_public(struct str line, struct buf *blob) {
    struct buf b = {0};
    struct str type = take_word(&line);
    bool good =
        base64_decode(take_word(&line), &b) && type.n != 0 && str_eq(type_of(buf_view(&b)), type);
    if (good)
        buf_str(blob, buf_view(&b));
    buf_free(&b);
    return good;
}

/* The base64 of an armoured file, up to its end. */
static void join_lines(struct str text, struct buf *out) {
    buf_reserve(out, text.n);
    while (text.n != 0) {
        struct str line = take_line(&text);
        if (str_starts(line, STR("-----")))
            return;
        buf_str(out, line);
    }
}

void key_file_parse(struct str text, struct key_file *key) {
    *key = (struct key_file){0};
    struct str line = take_line(&text);
    if (str_starts(line, STR("-----BEGIN OPENSSH PRIVATE KEY-----"))) {
        struct buf digits = {0}, bytes = {0};
        join_lines(text, &digits);
        if (base64_decode(buf_view(&digits), &bytes))
            parse_openssh(buf_view(&bytes), key);
        OPENSSL_cleanse(digits.s, digits.cap);
        if (bytes.s != NULL)
            OPENSSL_cleanse(bytes.s, bytes.cap);
        buf_free(&digits);
        buf_free(&bytes);
    } else if (str_starts(line, STR("-----BEGIN ENCRYPTED PRIVATE KEY-----"))) {
        key->kind = KEY_FILE_LOCKED;
    } else if (str_starts(line, STR("-----BEGIN ")) && str_ends(line, STR("PRIVATE KEY-----"))) {
        struct str next = take_line(&text);
        bool locked = str_starts(next, STR("Proc-Type: 4,ENCRYPTED"));
        key->kind = locked ? KEY_FILE_LOCKED : KEY_FILE_PLAIN;
        key->rsa = str_starts(line, STR("-----BEGIN RSA "));
    } else if (parse_public(line, &key->blob)) {
        key->kind = KEY_FILE_PUBLIC;
    }
}

void key_file_read(const char *name, struct key_file *key) {
    struct buf text = {0};
    *key = (struct key_file){0};
    if (io_read_file(name, FILE_MAX, &text) == 0)
        key_file_parse(buf_view(&text), key);
    if (text.s != NULL)
        OPENSSL_cleanse(text.s, text.cap);
    buf_clear(&text);
    if (key->blob.n == 0) {
        struct buf other = {0};
        buf_printf(&other, "%s.pub", name);
        if (io_read_file(other.s, FILE_MAX, &text) == 0) {
            struct str left = buf_view(&text);
            parse_public(take_line(&left), &key->blob);
        }
        buf_free(&other);
        if (key->blob.n != 0 && key->kind == KEY_FILE_NONE)
            key->kind = KEY_FILE_PUBLIC;
    }
    key->rsa = key->rsa || str_eq(type_of(buf_view(&key->blob)), STR("ssh-rsa"));
    buf_free(&text);
}

void key_file_free(struct key_file *key) {
    buf_free(&key->blob);
}
