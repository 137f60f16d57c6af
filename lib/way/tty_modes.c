#include "way/tty_modes.h"

#include "way/wire.h"

#include <unistd.h>

#ifndef IUTF8
#define IUTF8 0
#endif
#ifndef ECHOCTL
#define ECHOCTL 0
#endif
#ifndef ECHOKE
#define ECHOKE 0
#endif
#ifndef IMAXBEL
#define IMAXBEL 0
#endif

enum { NO_CHARACTER = 255 };

static void add(struct buf *out, int mode, uint32_t value) {
    buf_putc(out, (char)mode);
    wire_put_u32(out, value);
}

static void add_characters(struct buf *out, const cc_t *characters) {
    static const struct {
        int mode, place;
    } all[] = {
        {1, VINTR},     {2, VQUIT},  {3, VERASE}, {4, VKILL},  {5, VEOF},
        {6, VEOL},      {8, VSTART}, {9, VSTOP},  {10, VSUSP},
#ifdef VREPRINT
        {12, VREPRINT},
#endif
#ifdef VWERASE
        {13, VWERASE},
#endif
#ifdef VLNEXT
        {14, VLNEXT},
#endif
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        cc_t c = characters[all[i].place];
        add(out, all[i].mode, c == _POSIX_VDISABLE ? NO_CHARACTER : c);
    }
}

struct flag {
    int mode;
    tcflag_t bit; /* 0: there is no such flag here */
};

static void add_flags(struct buf *out, tcflag_t flags, const struct flag *all, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (all[i].bit != 0)
            add(out, all[i].mode, (flags & all[i].bit) != 0);
}

void tty_modes_add(struct buf *out, const struct termios *t) {
    static const struct flag input[] = {{34, INLCR}, {35, IGNCR}, {36, ICRNL},   {38, IXON},
                                        {39, IXANY}, {40, IXOFF}, {41, IMAXBEL}, {42, IUTF8}};
    static const struct flag local[] = {{50, ISIG},   {51, ICANON},  {53, ECHO},   {54, ECHOE},
                                        {55, ECHOK},  {56, ECHONL},  {57, NOFLSH}, {58, TOSTOP},
                                        {59, IEXTEN}, {60, ECHOCTL}, {61, ECHOKE}};
    static const struct flag output[] = {
        {70, OPOST}, {72, ONLCR}, {73, OCRNL}, {74, ONOCR}, {75, ONLRET}};
    add_characters(out, t->c_cc);
    add_flags(out, t->c_iflag, input, sizeof input / sizeof *input);
    add_flags(out, t->c_lflag, local, sizeof local / sizeof *local);
    add_flags(out, t->c_oflag, output, sizeof output / sizeof *output);
    buf_putc(out, 0);
}
