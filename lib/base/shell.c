#include "base/shell.h"

#include "base/mem.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

/* What is open at a point of a script. */
enum frame_kind {
    COMMANDS, /* the script, or what is inside $( ) and ( ) */
    CASE,     /* case ... esac, inside commands */
    SINGLE,
    DOUBLE,
    COMMENT,
    /* where nothing can be inserted: */
    BACKQUOTE,
    ANSI_C,
    ARITHMETIC,
    PARAMETER,
    HEREDOC,
};

struct heredoc {
    struct buf delimiter;
    bool strip_tabs, quoted;
};

struct frame {
    enum frame_kind kind;
    /* Of COMMANDS and CASE: */
    bool command_next; /* the next word is a command, or a reserved word */
    bool in_word, plain;
    char word[8]; /* the current word as far as it is plain; longer ones are no reserved words */
    size_t word_n;
    bool semicolon;   /* the last character was ; */
    bool redirecting; /* the last character was < or > */
    enum { SUBJECT, WAIT_IN, PATTERN, BODY } in_case;
    bool pattern_begun;
    enum { NO_HEREDOC, ONE_LESS, TWO_LESS, BEFORE_DELIMITER, IN_DELIMITER } less;
    char quote; /* inside the delimiter */
    bool quote_escape;
    VEC(struct heredoc) heredocs; /* their bodies begin after the next newline */
    /* Of ARITHMETIC: open parentheses. Of PARAMETER: */
    size_t parentheses;
    bool in_double;    /* ${ } stands inside "..." */
    bool maybe_quoted; /* behind a ' there, which shells read differently */
    /* Of HEREDOC: the current line, and which document it is */
    struct buf line;
    size_t heredoc;
};

struct shell_scan {
    VEC(struct frame) frames;
    bool escape;                                     /* behind a backslash */
    enum { NO_DOLLAR, DOLLAR, DOLLAR_PAREN } dollar; /* behind $, behind $( */
    bool paren;                                      /* behind ( */
    bool lost;                                       /* shells disagree on how it goes on */
    enum shell_context lost_in;
};

static struct frame *top(struct shell_scan *s) {
    return &s->frames.v[s->frames.n - 1];
}

static void push(struct shell_scan *s, enum frame_kind kind) {
    struct frame *f = vec_push(&s->frames);
    f->kind = kind;
    f->command_next = true;
    f->plain = true;
}

static void free_frame(struct frame *f) {
    for (size_t i = 0; i < f->heredocs.n; i++)
        buf_free(&f->heredocs.v[i].delimiter);
    vec_free(&f->heredocs);
    buf_free(&f->line);
}

static void pop(struct shell_scan *s) {
    if (s->frames.n > 1)
        free_frame(&s->frames.v[--s->frames.n]);
}

static void lose(struct shell_scan *s, enum shell_context where) {
    if (!s->lost)
        s->lost_in = where;
    s->lost = true;
}

struct shell_scan *shell_scan_new(void) {
    struct shell_scan *s = mem_zalloc(sizeof *s);
    push(s, COMMANDS);
    return s;
}

void shell_scan_free(struct shell_scan *s) {
    for (size_t i = 0; i < s->frames.n; i++)
        free_frame(&s->frames.v[i]);
    vec_free(&s->frames);
    free(s);
}

static bool is_word(const struct frame *f, const char *word) {
    size_t n = strlen(word);
    return f->in_word && f->plain && f->word_n == n && memcmp(f->word, word, n) == 0;
}

/* Behind these the next word is a command again (POSIX XCU 2.4). */
static bool goes_on(const struct frame *f) {
    static const char *const words[] = {"if",    "then",  "else", "elif", "do",
                                        "while", "until", "{",    "!",    "time"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word(f, words[i]))
            return true;
    return false;
}

/* The current word, if there is one, has ended. May push or pop a CASE. */
static void end_word(struct shell_scan *s) {
    struct frame *f = top(s);
    if (!f->in_word)
        return;
    bool esac = is_word(f, "esac"), in = is_word(f, "in"), begins_case = is_word(f, "case"),
         on = goes_on(f);
    f->in_word = false;
    f->plain = true;
    f->word_n = 0;
    if (f->kind == CASE && f->in_case == SUBJECT) {
        f->in_case = WAIT_IN;
    } else if (f->kind == CASE && f->in_case == WAIT_IN) {
        if (in)
            f->in_case = PATTERN;
        f->pattern_begun = false;
    } else if (f->kind == CASE && f->in_case == PATTERN) {
        if (esac && !f->pattern_begun) {
            pop(s);
            top(s)->command_next = false;
        } else {
            f->pattern_begun = true;
        }
    } else if (f->command_next && begins_case) {
        f->command_next = false;
        push(s, CASE);
    } else if (f->kind == CASE && f->command_next && esac) {
        pop(s);
        top(s)->command_next = false;
    } else {
        f->command_next = f->command_next && on;
    }
}

static void word_char(struct frame *f, char c) {
    f->in_word = true;
    if (f->word_n < sizeof f->word)
        f->word[f->word_n++] = c;
    else
        f->plain = false;
}

static void quoted_part(struct frame *f) {
    f->in_word = true;
    f->plain = false;
}

/* --- here-documents --- */

static void end_delimiter(struct frame *f) {
    f->less = NO_HEREDOC;
    f->quote = '\0';
}

/* A character behind << that belongs to the delimiter; false: it does not, the delimiter has ended.
 */
static bool delimiter_char(struct frame *f, char c) {
    struct heredoc *h = &f->heredocs.v[f->heredocs.n - 1];
    if (f->less == BEFORE_DELIMITER) {
        if (c == '-' && h->delimiter.n == 0 && !h->strip_tabs && !f->quote_escape) {
            h->strip_tabs = true;
            return true;
        }
        if (c == ' ' || c == '\t')
            return true;
        f->less = IN_DELIMITER;
    }
    if (f->quote_escape) {
        f->quote_escape = false;
        buf_putc(&h->delimiter, c);
        return true;
    }
    if (f->quote != '\0') {
        if (c == f->quote)
            f->quote = '\0';
        else if (c == '\\' && f->quote == '"')
            f->quote_escape = true;
        else
            buf_putc(&h->delimiter, c);
        return true;
    }
    if (c == '\'' || c == '"') {
        f->quote = c;
        h->quoted = true;
        return true;
    }
    if (c == '\\') {
        f->quote_escape = true;
        h->quoted = true;
        return true;
    }
    if (strchr(" \t\n;&|<>()", c) != NULL) {
        end_delimiter(f);
        return false;
    }
    buf_putc(&h->delimiter, c);
    return true;
}

static void heredoc_char(struct shell_scan *s, char c) {
    struct frame *f = top(s);
    struct frame *outer = &s->frames.v[s->frames.n - 2];
    if (c != '\n') {
        buf_putc(&f->line, c);
        return;
    }
    struct heredoc *h = &outer->heredocs.v[f->heredoc];
    size_t tabs = 0;
    while (h->strip_tabs && tabs < f->line.n && f->line.s[tabs] == '\t')
        tabs++;
    struct str line = {buf_view(&f->line).s + tabs, f->line.n - tabs};
    bool end = str_eq(line, buf_view(&h->delimiter));
    /* A backslash joins lines where the delimiter is not quoted: the next line cannot be the end
     * then. */
    size_t slashes = 0;
    while (slashes < f->line.n && f->line.s[f->line.n - 1 - slashes] == '\\')
        slashes++;
    if (!h->quoted && slashes % 2 == 1)
        buf_putc(&f->line, '\n');
    else
        buf_clear(&f->line);
    if (end && ++f->heredoc == outer->heredocs.n) {
        for (size_t i = 0; i < outer->heredocs.n; i++)
            buf_free(&outer->heredocs.v[i].delimiter);
        outer->heredocs.n = 0;
        pop(s);
    }
}

/* --- commands --- */

static void close_paren(struct shell_scan *s) {
    end_word(s);
    struct frame *f = top(s);
    if (f->kind == CASE && f->in_case == PATTERN) {
        f->in_case = BODY;
        f->command_next = true;
        return;
    }
    while (top(s)->kind == CASE && s->frames.n > 1)
        pop(s); /* it was no `case` after all, or its esac is missing */
    if (s->frames.n > 1)
        pop(s);
    f = top(s);
    /* Behind a function's (), and behind a subshell, where only an operator may come. */
    if (f->kind == COMMANDS || f->kind == CASE)
        f->command_next = true;
}

/* What a lone ( opens: a subshell, a function's (), the start of a pattern. */
static void open_paren(struct shell_scan *s) {
    struct frame *f = top(s);
    s->paren = false;
    if (f->kind == CASE && f->in_case == PATTERN && !f->in_word && !f->pattern_begun)
        return;
    f->in_word = false;
    f->plain = true;
    f->word_n = 0;
    push(s, COMMANDS);
}

static void newline(struct shell_scan *s) {
    end_word(s);
    struct frame *f = top(s);
    f->command_next = true;
    if (f->heredocs.n != 0)
        push(s, HEREDOC);
}

static void command_char(struct shell_scan *s, char c) {
    struct frame *f = top(s);
    bool semicolon = f->semicolon, redirecting = f->redirecting;
    f->semicolon = f->redirecting = false;
    switch (c) {
    case '\\':
        s->escape = true;
        break;
    case '\'':
        quoted_part(f);
        push(s, SINGLE);
        break;
    case '"':
        quoted_part(f);
        push(s, DOUBLE);
        break;
    case '`':
        quoted_part(f);
        push(s, BACKQUOTE);
        break;
    case '$':
        quoted_part(f);
        s->dollar = DOLLAR;
        break;
    case '#':
        if (f->in_word)
            word_char(f, c);
        else
            push(s, COMMENT);
        break;
    case '\n':
        newline(s);
        break;
    case ' ':
    case '\t':
        end_word(s);
        break;
    case ';':
    case '&':
        if (c == '&' && redirecting)
            break;
        end_word(s);
        f = top(s);
        if (semicolon && f->kind == CASE && f->in_case == BODY) {
            f->in_case = PATTERN;
            f->pattern_begun = false;
        }
        f->semicolon = c == ';';
        f->command_next = true;
        break;
    case '|':
        end_word(s);
        top(s)->command_next = true;
        break;
    case '(':
        s->paren = true;
        break;
    case ')':
        close_paren(s);
        break;
    case '<':
    case '>':
        if (f->in_word && f->command_next)
            end_word(s); /* `2>x` and `case<x`: both end here, the first is no reserved word */
        else
            f->in_word = false, f->plain = true, f->word_n = 0;
        f = top(s);
        f->redirecting = true;
        if (c == '<')
            f->less = ONE_LESS;
        break;
    default:
        word_char(f, c);
        break;
    }
}

/* --- the other frames --- */

/* Behind $, in commands and in "...". false: the character is still to be read. */
static bool dollar_char(struct shell_scan *s, char c) {
    bool in_double = top(s)->kind == DOUBLE || (top(s)->kind == PARAMETER && top(s)->in_double);
    s->dollar = NO_DOLLAR;
    switch (c) {
    case '(':
        s->dollar = DOLLAR_PAREN;
        return true;
    case '{':
        push(s, PARAMETER);
        top(s)->in_double = in_double;
        return true;
    case '\'':
        if (in_double)
            return false;
        push(s, ANSI_C);
        return true;
    case '$':
    case '#':
    case '?':
    case '!':
    case '@':
    case '*':
    case '-':
        return true;
    default:
        return false;
    }
}

static void parameter_char(struct shell_scan *s, char c) {
    struct frame *f = top(s);
    if (f->maybe_quoted) {
        if (c == '\'')
            f->maybe_quoted = false;
        else if (strchr("}\"$`\\", c) != NULL)
            lose(s, SHELL_PARAMETER);
        return;
    }
    switch (c) {
    case '\\':
        s->escape = true;
        break;
    case '\'':
        if (f->in_double)
            f->maybe_quoted = true;
        else
            push(s, SINGLE);
        break;
    case '"':
        push(s, DOUBLE);
        break;
    case '`':
        push(s, BACKQUOTE);
        break;
    case '$':
        s->dollar = DOLLAR;
        break;
    case '}':
        pop(s);
        break;
    default:
        break;
    }
}

static void arithmetic_char(struct shell_scan *s, char c) {
    struct frame *f = top(s);
    switch (c) {
    case '\\':
        s->escape = true;
        break;
    case '\'':
        push(s, SINGLE);
        break;
    case '"':
        push(s, DOUBLE);
        break;
    case '`':
        push(s, BACKQUOTE);
        break;
    case '$':
        s->dollar = DOLLAR;
        break;
    case '(':
        f->parentheses++;
        break;
    case ')':
        if (--f->parentheses == 0)
            pop(s);
        break;
    default:
        break;
    }
}

static void open_arithmetic(struct shell_scan *s) {
    push(s, ARITHMETIC);
    top(s)->parentheses = 2;
}

static void read_char(struct shell_scan *s, char c) {
    if (s->escape) {
        s->escape = false;
        struct frame *f = top(s);
        /* $'...' is not known to every shell: there a backslash is a character, and what follows
         * may end it. */
        if (f->kind == ANSI_C && (c == '\'' || c == '\\'))
            lose(s, SHELL_ANSI_C);
        if ((f->kind == COMMANDS || f->kind == CASE) && c != '\n')
            quoted_part(f);
        return;
    }
    if (s->dollar == DOLLAR_PAREN) {
        s->dollar = NO_DOLLAR;
        if (c == '(') {
            open_arithmetic(s);
            return;
        }
        push(s, COMMANDS);
    } else if (s->dollar == DOLLAR && dollar_char(s, c)) {
        return;
    }
    if (s->paren) {
        if (c == '(') {
            s->paren = false;
            open_arithmetic(s);
            return;
        }
        open_paren(s);
    }
    struct frame *f = top(s);
    if (f->kind == COMMANDS || f->kind == CASE) {
        if (f->less == ONE_LESS) {
            f->less = c == '<' ? TWO_LESS : NO_HEREDOC;
            if (c == '<')
                return;
        } else if (f->less == TWO_LESS) {
            f->less = NO_HEREDOC;
            if (c == '<')
                return; /* <<< takes a word */
            f->less = BEFORE_DELIMITER;
            (void)vec_push(&f->heredocs);
        }
        if (f->less >= BEFORE_DELIMITER && delimiter_char(f, c))
            return;
        command_char(s, c);
        return;
    }
    switch (f->kind) {
    case SINGLE:
        if (c == '\'')
            pop(s);
        break;
    case DOUBLE:
        if (c == '"')
            pop(s);
        else if (c == '\\')
            s->escape = true;
        else if (c == '`')
            push(s, BACKQUOTE);
        else if (c == '$')
            s->dollar = DOLLAR;
        break;
    case COMMENT:
        if (c == '\n') {
            pop(s);
            newline(s);
        }
        break;
    case BACKQUOTE:
        if (c == '\\')
            s->escape = true;
        else if (c == '`')
            pop(s);
        break;
    case ANSI_C:
        if (c == '\\')
            s->escape = true;
        else if (c == '\'')
            pop(s);
        break;
    case ARITHMETIC:
        arithmetic_char(s, c);
        break;
    case PARAMETER:
        parameter_char(s, c);
        break;
    case HEREDOC:
        heredoc_char(s, c);
        break;
    case COMMANDS:
    case CASE:
        break;
    }
}

void shell_scan_text(struct shell_scan *s, struct str text) {
    for (size_t i = 0; i < text.n; i++)
        read_char(s, text.s[i]);
}

void shell_scan_word(struct shell_scan *s) {
    s->escape = false;
    if (s->dollar == DOLLAR_PAREN)
        push(s, COMMANDS);
    s->dollar = NO_DOLLAR;
    if (s->paren)
        open_paren(s);
    struct frame *f = top(s);
    if (f->kind == COMMANDS || f->kind == CASE) {
        f->semicolon = f->redirecting = false;
        if (f->less == ONE_LESS)
            f->less = NO_HEREDOC;
        quoted_part(f);
    }
}

enum shell_context shell_scan_context(const struct shell_scan *s) {
    if (s->lost)
        return s->lost_in;
    for (size_t i = 0; i < s->frames.n; i++) {
        const struct frame *f = &s->frames.v[i];
        switch (f->kind) {
        case BACKQUOTE:
            return SHELL_BACKQUOTE;
        case ANSI_C:
            return SHELL_ANSI_C;
        case ARITHMETIC:
            return SHELL_ARITHMETIC;
        case PARAMETER:
            return SHELL_PARAMETER;
        case HEREDOC:
            return SHELL_HEREDOC;
        default:
            if (f->less >= TWO_LESS)
                return SHELL_HEREDOC;
        }
    }
    if (s->escape)
        return SHELL_AFTER_BACKSLASH;
    if (s->dollar == DOLLAR)
        return SHELL_AFTER_DOLLAR;
    switch (s->frames.v[s->frames.n - 1].kind) {
    case SINGLE:
        return SHELL_SINGLE;
    case DOUBLE:
        return s->dollar == DOLLAR_PAREN ? SHELL_BARE : SHELL_DOUBLE;
    case COMMENT:
        return SHELL_COMMENT;
    default:
        return SHELL_BARE;
    }
}

const char *shell_context_reason(enum shell_context context) {
    switch (context) {
    case SHELL_BACKQUOTE:
        return "inside `...`";
    case SHELL_HEREDOC:
        return "in a here-document";
    case SHELL_ANSI_C:
        return "inside or behind $'...'";
    case SHELL_ARITHMETIC:
        return "inside ((...))";
    case SHELL_PARAMETER:
        return "inside ${...}";
    case SHELL_AFTER_DOLLAR:
        return "right behind `$`";
    case SHELL_AFTER_BACKSLASH:
        return "right behind a backslash";
    default:
        return NULL;
    }
}

void shell_insert(struct buf *out, enum shell_context context, struct str word) {
    if (context == SHELL_BARE)
        buf_putc(out, '\'');
    buf_reserve(out, word.n);
    for (size_t i = 0; i < word.n; i++) {
        char c = word.s[i];
        if (context == SHELL_DOUBLE && (c == '$' || c == '`' || c == '"' || c == '\\'))
            buf_putc(out, '\\');
        if (context != SHELL_DOUBLE && c == '\'')
            buf_puts(out, "'\\''");
        else
            buf_putc(out, c);
    }
    if (context == SHELL_BARE)
        buf_putc(out, '\'');
}

void shell_quote(struct buf *out, struct str word) {
    bool harmless = word.n != 0;
    for (size_t i = 0; i < word.n && harmless; i++) {
        char c = word.s[i];
        harmless = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   (c != '\0' && strchr("_-./:@%+,", c) != NULL);
    }
    if (harmless)
        buf_str(out, word);
    else
        shell_insert(out, SHELL_BARE, word);
}
