#include "way/keyboard.h"

#include "way/prompt.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum {
    QUESTIONS_MAX = 64,
    STACK = 256 * 1024,
};

struct keyboard {
    LIBSSH2_SESSION *session;
    const char *user;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t turns;
    bool threads_turn, over, asking, left;
    int answer;
    struct keyboard_questions questions;
};

/* The session hands its own context to the callback, which is not ours. */
static _Thread_local struct keyboard *current;

static void free_questions(struct keyboard_questions *q) {
    buf_free(&q->name);
    buf_free(&q->instruction);
    for (size_t i = 0; i < q->list.n; i++) {
        buf_free(&q->list.v[i].text);
        secret_free(&q->list.v[i].answer);
    }
    vec_free(&q->list);
}

/* In either thread: lets the other one go on, and waits until it is done. */
static void hand_over(struct keyboard *k, bool to_thread) {
    k->threads_turn = to_thread;
    pthread_cond_broadcast(&k->turns);
    while (k->threads_turn == to_thread && !k->over)
        pthread_cond_wait(&k->turns, &k->lock);
}

static void give_answers(const char *name, int name_n, const char *instruction, int instruction_n,
                         int n, const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts,
                         LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses, void **abstract) {
    struct keyboard *k = current;
    (void)abstract;
    if (n <= 0 || n > QUESTIONS_MAX || k->left) /* a mere notice, or nonsense */
        return;
    if (name_n > 0)
        buf_add(&k->questions.name, name, (size_t)name_n);
    if (instruction_n > 0)
        buf_add(&k->questions.instruction, instruction, (size_t)instruction_n);
    for (int i = 0; i < n; i++) {
        struct keyboard_question *q = vec_push(&k->questions.list);
        buf_add(&q->text, prompts[i].text, prompts[i].length);
        q->echo = prompts[i].echo != 0;
    }
    k->asking = true;
    k->answer = LIBSSH2_ERROR_EAGAIN;
    hand_over(k, false);
    for (int i = 0; i < n && !k->left; i++) {
        const struct buf *answer = &k->questions.list.v[i].answer;
        responses[i].text = mem_alloc(answer->n + 1); /* libssh2 frees it */
        memcpy(responses[i].text, answer->n != 0 ? answer->s : "", answer->n);
        responses[i].length = (unsigned)answer->n;
    }
    free_questions(&k->questions);
}

static void *run(void *arg) {
    struct keyboard *k = current = arg;
    pthread_mutex_lock(&k->lock);
    while (!k->threads_turn)
        pthread_cond_wait(&k->turns, &k->lock);
    while (!k->left) {
        k->answer = libssh2_userauth_keyboard_interactive_ex(
            k->session, k->user, (unsigned)strlen(k->user), give_answers);
        if (k->answer != LIBSSH2_ERROR_EAGAIN || k->left)
            break;
        hand_over(k, false);
    }
    k->over = true;
    k->threads_turn = false;
    pthread_cond_broadcast(&k->turns);
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

struct keyboard *keyboard_new(LIBSSH2_SESSION *session, const char *user) {
    struct keyboard *k = mem_zalloc(sizeof *k);
    k->session = session;
    k->user = user;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->turns, NULL);
    pthread_attr_t how;
    pthread_attr_init(&how);
    pthread_attr_setstacksize(&how, STACK);
    sigset_t all, before; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&k->thread, &how, run, k);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&how);
    if (error == 0)
        return k;
    pthread_cond_destroy(&k->turns);
    pthread_mutex_destroy(&k->lock);
    free(k);
    return NULL;
}

int keyboard_advance(struct keyboard *k, struct keyboard_questions **asks) {
    pthread_mutex_lock(&k->lock);
    k->asking = false;
    if (!k->over)
        hand_over(k, true);
    *asks = k->asking ? &k->questions : NULL;
    int answer = k->answer;
    pthread_mutex_unlock(&k->lock);
    return answer;
}

void keyboard_free(struct keyboard *k) {
    if (k == NULL)
        return;
    pthread_mutex_lock(&k->lock);
    k->left = true;
    if (!k->over)
        hand_over(k, true);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    pthread_cond_destroy(&k->turns);
    pthread_mutex_destroy(&k->lock);
    free_questions(&k->questions);
    free(k);
}
