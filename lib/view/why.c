#include "view/why.h"

#include <string.h>
#include <time.h>

void why_say_time(struct buf *out, int64_t when) {
    time_t seconds = (time_t)(when / INT64_C(1000000000));
    struct tm tm;
    char text[64];
    if (localtime_r(&seconds, &tm) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) != 0)
        buf_puts(out, text);
}

static void say_signature(struct buf *out, const struct signature *s) {
    if ((s->flags & SIGNATURE_THERE) == 0) {
        buf_puts(out, "not there");
        return;
    }
    buf_printf(out, "%llu bytes of ", (unsigned long long)s->size);
    why_say_time(out, s->changed);
    buf_printf(out, ".%09lld", (long long)(s->changed % INT64_C(1000000000)));
}

static void say_change(struct buf *out, const struct judgement *j) {
    const struct signature *was = &j->was, *is = &j->is;
    buf_puts(out, ": was ");
    say_signature(out, was);
    buf_puts(out, ", is ");
    say_signature(out, is);
    if (was->size == is->size && was->changed == is->changed && was->inode != is->inode)
        buf_puts(out, ", another file in its place");
    else if ((was->flags & is->flags & SIGNATURE_HASHED) != 0 && was->hash != is->hash)
        buf_printf(out, ", contents %016llx, now %016llx", (unsigned long long)was->hash,
                   (unsigned long long)is->hash);
}

static void say_text(struct buf *out, const char *label, struct str text) {
    while (text.n != 0 && text.s[text.n - 1] == '\n')
        text.n--;
    do {
        const char *end = memchr(text.s, '\n', text.n);
        size_t n = end != NULL ? (size_t)(end - text.s) : text.n;
        buf_printf(out, "\n    %s ", label);
        buf_visible(out, (struct str){text.s, n});
        n += end != NULL;
        text = (struct str){text.s + n, text.n - n};
    } while (text.n != 0);
}

static void say_texts(struct buf *out, struct str was, struct str is) {
    say_text(out, "-", was);
    say_text(out, "+", is);
}

void why_say_ending(struct buf *out, const struct record_end *last) {
    switch (last->ending) {
    case ENDED_WELL:
        buf_puts(out, "ended well");
        break;
    case ENDED_FAILED:
        buf_printf(out, "failed with status %d", last->status);
        break;
    case ENDED_TIMED_OUT:
        buf_puts(out, "ran into its time limit");
        break;
    case ENDED_CANCELLED:
        buf_puts(out, "was ended because the run was stopped");
        break;
    case ENDED_LOST:
        buf_puts(out, "was lost with its host, or what it carried");
        break;
    }
}

void why_say(const struct fresh *fresh, const struct step *step, const struct judgement *j,
             struct buf *out) {
    const struct record_end *last = &j->past.last;
    struct buf name = {0}, text = {0};
    buf_visible(&name, j->name);
    buf_add(&name, "", 0);
    switch (j->verdict) {
    case IS_FRESH:
        buf_puts(out, "it is up to date");
        break;
    case RUNS_AS_TOLD:
        buf_puts(out, "-B runs all");
        break;
    case RUNS_ALWAYS:
        buf_puts(out, "it has no `out` that could be up to date");
        break;
    case NEVER_RAN:
        buf_puts(out, "nothing is known of an earlier run of it");
        break;
    case DID_NOT_END:
        buf_puts(out, "it was running ");
        if (j->past.begun.host.n != 0) {
            buf_puts(out, "on ");
            buf_visible(out, j->past.begun.host);
            buf_putc(out, ' ');
        }
        buf_puts(out, "when foray ended, and did not end itself");
        break;
    case ENDED_BADLY:
        buf_puts(out, "last time it ");
        why_say_ending(out, last);
        break;
    case COMMAND_CHANGED:
        buf_puts(out, "its command has changed:");
        fresh_command(fresh, step, &text);
        say_texts(out, last->command, buf_view(&text));
        break;
    case SETTINGS_CHANGED:
        buf_puts(out, "its settings have changed:");
        fresh_settings(fresh, step, &text);
        say_texts(out, last->settings, buf_view(&text));
        break;
    case INPUT_CHANGED:
        buf_printf(out, "its input %s has changed", name.s);
        say_change(out, j);
        break;
    case INPUT_ADDED:
        buf_printf(out, "its inputs have changed: %s is new among them", name.s);
        break;
    case INPUT_REMOVED:
        buf_printf(out, "its inputs have changed: %s is no longer among them", name.s);
        break;
    case INPUT_UNWATCHED:
        buf_printf(out, "it sends the directory %s, whose contents are not watched", name.s);
        break;
    case DEPENDENCY_CHANGED:
        buf_printf(out, "%s, which it said that it reads, has changed", name.s);
        say_change(out, j);
        break;
    case OUTPUT_CHANGED:
        if ((j->is.flags & SIGNATURE_THERE) == 0) {
            buf_printf(out, "its output %s is not there", name.s);
        } else {
            buf_printf(out, "its output %s is not as it left it", name.s);
            say_change(out, j);
        }
        break;
    case OUTPUT_ADDED:
        buf_printf(out, "its outputs have changed: %s is new among them", name.s);
        break;
    case OUTPUT_REMOVED:
        buf_printf(out, "its outputs have changed: %s is no longer among them", name.s);
        break;
    case OUTPUT_UNKNOWN:
        buf_puts(out, "what it wrote to its standard output is needed, and not remembered");
        break;
    case NEED_RAN:
        buf_printf(out, "%s, which it needs, runs", name.s);
        break;
    case IS_BROKEN:
        buf_puts(out, "what it is to do cannot be made out");
        break;
    }
    buf_free(&name);
    buf_free(&text);
}
