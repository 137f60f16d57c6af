#include "way/ssh_typed.h"

#include "base/mem.h"
#include "way/keyboard.h"
#include "way/prompt.h"
#include "way/secrets.h"

#include <stdlib.h>
#include <string.h>

/* An answer to a question whose answer is secret. */
struct given {
    struct buf question, answer;
};

struct ssh_typed {
    struct auth_context context;
    bool keyboard_interactive;
    enum { FETCH, ASKING, SEND, SETTLED } state;
    unsigned tries;   /* that a person has had */
    bool from_memory; /* what is sent was typed before */
    bool known_wrong; /* what is in memory is not good, or not any more */
    bool asked;       /* the server has asked something */
    bool more_asked;  /* whether another method is wanted besides was found out */
    struct prompt *prompt;
    struct buf password;
    struct keyboard *keyboard;
    struct keyboard_questions *questions; /* the keyboard's; NULL: it asks nothing */
    size_t question;
    VEC(struct given) given; /* in this try */
    struct buf why_not;
};

struct ssh_typed *ssh_typed_new(const struct auth_context *context, bool keyboard_interactive) {
    struct ssh_typed *t = mem_zalloc(sizeof *t);
    t->context = *context;
    t->keyboard_interactive = keyboard_interactive;
    return t;
}

static void forget_given(struct ssh_typed *t) {
    for (size_t i = 0; i < t->given.n; i++) {
        buf_free(&t->given.v[i].question);
        secret_free(&t->given.v[i].answer);
    }
    vec_free(&t->given);
}

void ssh_typed_free(struct ssh_typed *t) {
    if (t == NULL)
        return;
    if (t->prompt != NULL)
        prompt_cancel(t->prompt);
    keyboard_free(t->keyboard);
    secret_free(&t->password);
    forget_given(t);
    buf_free(&t->why_not);
    free(t);
}

/* --- what is remembered --- */

/* The same for every connection to a host, and for no other host. */
static void put_what(const struct ssh_typed *t, struct str question, struct buf *out) {
    const struct ssh_target *to = t->context.target;
    buf_printf(out, "%s %s@%s:%u %s ", t->keyboard_interactive ? "keyboard" : "password", to->user,
               to->address, to->port, to->name);
    buf_str(out, question);
}

static bool recall(const struct ssh_typed *t, struct str question, struct buf *answer) {
    struct buf what = {0};
    put_what(t, question, &what);
    const struct buf *known = secrets_get(t->context.shared->secrets, buf_view(&what));
    if (known != NULL)
        buf_str(answer, buf_view(known));
    buf_free(&what);
    return known != NULL;
}

static void remember(const struct ssh_typed *t, struct str question, const struct buf *answer) {
    struct buf what = {0};
    put_what(t, question, &what);
    if (answer != NULL)
        secrets_put(t->context.shared->secrets, buf_view(&what), buf_view(answer));
    else
        secrets_forget(t->context.shared->secrets, buf_view(&what));
    buf_free(&what);
}

/* --- asking --- */

static void give_up(struct ssh_typed *t, const char *why) {
    t->state = SETTLED;
    if (t->why_not.n == 0)
        buf_puts(&t->why_not, why);
}

static void answered(void *arg, const struct str *answer, const char *why_not) {
    struct ssh_typed *t = arg;
    t->prompt = NULL;
    if (answer == NULL) {
        give_up(t, why_not);
    } else if (t->keyboard_interactive) {
        buf_str(&t->questions->list.v[t->question++].answer, *answer);
        t->state = SEND;
    } else {
        buf_str(&t->password, *answer);
        t->state = SEND;
    }
    t->context.wake(t->context.arg);
}

static void ask(struct ssh_typed *t, struct str before, struct str question, bool echo) {
    t->state = ASKING;
    t->prompt = prompt_ask(t->context.shared->prompter, before, question, echo, answered, t);
}

/* --- a password --- */

static void fetch_password(struct ssh_typed *t) {
    const struct ssh_target *to = t->context.target;
    secret_free(&t->password);
    t->from_memory = false;
    if (!t->known_wrong && recall(t, STR(""), &t->password)) {
        t->from_memory = true;
        t->state = SEND;
        return;
    }
    if (t->tries == to->prompts) {
        give_up(t, "the password was not accepted");
        return;
    }
    struct buf question = {0};
    buf_printf(&question, "%s@%s's password: ", to->user, to->name);
    ask(t, t->tries != 0 ? STR("Permission denied, please try again.") : STR(""),
        buf_view(&question), false);
    t->tries++;
    buf_free(&question);
}

static int send_password(struct ssh_typed *t) {
    const char *user = t->context.target->user;
    return libssh2_userauth_password_ex(t->context.session, user, (unsigned)strlen(user),
                                        t->password.s != NULL ? t->password.s : "",
                                        (unsigned)t->password.n, NULL);
}

/* --- questions of the server --- */

static void start_keyboard(struct ssh_typed *t) {
    keyboard_free(t->keyboard);
    t->questions = NULL;
    t->keyboard = NULL;
    if (t->tries == t->context.target->prompts) {
        give_up(t, "what was typed was not accepted");
        return;
    }
    t->keyboard = keyboard_new(t->context.session, t->context.target->user);
    t->from_memory = t->asked = false;
    t->state = SEND;
    if (t->keyboard == NULL)
        give_up(t, "there is no thread to be had");
}

/* ssh sets who asks before each question, so that nobody takes it for another one. */
static void ask_question(struct ssh_typed *t, struct keyboard_question *q) {
    const struct ssh_target *to = t->context.target;
    struct buf before = {0}, question = {0};
    if (t->question == 0) {
        if (t->tries != 0)
            buf_puts(&before, "Permission denied, please try again.\n");
        if (t->questions->name.n != 0 || t->questions->instruction.n != 0)
            buf_printf(&before, "(%s@%s) ", to->user, to->name);
        buf_str(&before, buf_view(&t->questions->name));
        if (t->questions->name.n != 0 && t->questions->instruction.n != 0)
            buf_putc(&before, '\n');
        buf_str(&before, buf_view(&t->questions->instruction));
    }
    buf_printf(&question, "(%s@%s) ", to->user, to->name);
    buf_str(&question, buf_view(&q->text));
    ask(t, buf_view(&before), buf_view(&question), q->echo);
    buf_free(&before);
    buf_free(&question);
}

/* The next one that is not answered; false: all are. */
static bool answer_questions(struct ssh_typed *t) {
    while (t->question < t->questions->list.n) {
        struct keyboard_question *q = &t->questions->list.v[t->question];
        if (q->echo || t->known_wrong || !recall(t, buf_view(&q->text), &q->answer)) {
            ask_question(t, q);
            return true;
        }
        t->from_memory = true;
        t->question++;
    }
    return false;
}

static void note_given(struct ssh_typed *t) {
    for (size_t i = 0; i < t->questions->list.n; i++) {
        const struct keyboard_question *q = &t->questions->list.v[i];
        if (q->echo)
            continue;
        struct given *g = vec_push(&t->given);
        buf_str(&g->question, buf_view(&q->text));
        buf_str(&g->answer, buf_view(&q->answer));
    }
}

static void judge_given(struct ssh_typed *t, bool right) {
    for (size_t i = 0; i < t->given.n; i++)
        remember(t, buf_view(&t->given.v[i].question), right ? &t->given.v[i].answer : NULL);
    forget_given(t);
}

/* EAGAIN if it waits for the server or for a person. */
static int send_answers(struct ssh_typed *t) {
    for (;;) {
        if (t->questions != NULL && answer_questions(t))
            return LIBSSH2_ERROR_EAGAIN;
        if (t->questions != NULL)
            note_given(t);
        int rc = keyboard_advance(t->keyboard, &t->questions);
        if (t->questions == NULL)
            return rc;
        t->asked = true;
        t->question = 0;
    }
}

/* --- both --- */

static enum auth take_answer(struct ssh_typed *t, int rc) {
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return t->state == SETTLED ? AUTH_REFUSED : AUTH_WAIT;
    if (auth_is_broken(rc))
        return AUTH_BROKEN;
    bool right = rc == 0;
    if (t->keyboard_interactive)
        judge_given(t, right);
    else
        remember(t, STR(""), right ? &t->password : NULL);
    if (right)
        return AUTH_GRANTED;
    t->state = FETCH;
    t->known_wrong = true;
    if (rc == LIBSSH2_ERROR_PASSWORD_EXPIRED)
        give_up(t, "the password has expired: change it with ssh");
    else if (t->keyboard_interactive && !t->asked)
        give_up(t, "it asks nothing, and refuses");
    else if (t->keyboard_interactive && !t->from_memory)
        t->tries++;
    if (t->state == SETTLED)
        return AUTH_REFUSED;
    /* It may have been right, and another method be wanted besides: to be found out once, since
     * asking counts as a try. */
    bool ask_methods = !t->more_asked;
    t->more_asked = true;
    return ask_methods ? AUTH_MORE : AUTH_WAIT;
}

enum auth ssh_typed_advance(struct ssh_typed *t) {
    for (;;) {
        enum auth answer;
        switch (t->state) {
        case FETCH:
            if (t->keyboard_interactive)
                start_keyboard(t);
            else
                fetch_password(t);
            break;
        case ASKING:
            return AUTH_WAIT;
        case SEND:
            answer = take_answer(t, t->keyboard_interactive ? send_answers(t) : send_password(t));
            if (answer != AUTH_WAIT || t->state != FETCH)
                return answer;
            break;
        case SETTLED:
            return AUTH_REFUSED;
        }
    }
}

bool ssh_typed_waits(const struct ssh_typed *t) {
    return t->state == ASKING;
}

const char *ssh_typed_why(const struct ssh_typed *t) {
    return t != NULL && t->why_not.n != 0 ? t->why_not.s : "";
}
