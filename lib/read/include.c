/* The key `include`: files that add to this one. */
#include "base/io.h"
#include "read/keys.h"
#include "read/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 64, DOCUMENTS_MAX = 10000 };

struct file_id {
    dev_t device;
    ino_t inode;
};

struct opened {
    struct file_id id;
    const struct source *source;
    bool open; /* its own includes are being read */
};

struct including {
    struct reader *reader;
    const struct source *from; /* that includes */
    size_t depth;
    void *files; /* an opened_list */
};

typedef VEC(struct opened) opened_list;

/* Paths start where the file stands that names them. */
static const char *path_of(struct including *in, struct str name) {
    struct arena *arena = &in->reader->graph->arena;
    const char *from = in->from->name;
    const char *slash = bytes_last(from, '/', strlen(from));
    if (name.s[0] == '/' || slash == NULL)
        return arena_str(arena, name).s;
    return arena_printf(arena, "%.*s/%.*s", (int)(slash - from), from, STR_FMT(name)).s;
}

static bool read_document(struct reader *r, const struct source *source, size_t depth,
                          opened_list *files);

static void report_loop(struct including *in, const opened_list *files, size_t first,
                        struct place at) {
    struct diags *diags = in->reader->diags;
    struct buf path = {0};
    for (size_t i = first; i < files->n; i++)
        if (files->v[i].open)
            buf_printf(&path, "%s -> ", diag_name(diags, str_of(files->v[i].source->name)));
    buf_puts(&path, diag_name(diags, str_of(files->v[first].source->name)));
    diag_error(diags, at, "files include one another: %s", path.s);
    buf_free(&path);
}

static void include(void *context, const struct node *scalar) {
    struct including *in = context;
    struct reader *r = in->reader;
    opened_list *files = in->files;
    const char *path = path_of(in, scalar->text);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        diag_error(r->diags, node_at(scalar), "`%s` is not a file",
                   diag_name(r->diags, str_of(path)));
        close(fd);
        return;
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        diag_error(r->diags, node_at(scalar), "cannot read `%s`: %s",
                   diag_name(r->diags, str_of(path)), strerror(errno));
        if (fd >= 0)
            close(fd);
        return;
    }
    for (size_t i = 0; i < files->n; i++)
        if (files->v[i].id.device == st.st_dev && files->v[i].id.inode == st.st_ino) {
            close(fd);
            if (files->v[i].open)
                report_loop(in, files, i, node_at(scalar));
            return; /* it is there already */
        }
    struct buf text = {0};
    uses_file(r->graph->uses, str_of(path), fd);
    int error = io_read_all(fd, SIZE_MAX / 2, &text);
    close(fd);
    if (error != 0)
        diag_error(r->diags, node_at(scalar), "cannot read `%s`: %s",
                   diag_name(r->diags, str_of(path)), strerror(error));
    else if (in->depth == DEPTH_MAX || files->n == DOCUMENTS_MAX)
        diag_error(r->diags, node_at(scalar), "too many files include one another");
    else {
        struct source *source = arena_alloc(&r->graph->arena, sizeof *source);
        *source = (struct source){path, arena_str(&r->graph->arena, buf_view(&text))};
        *vec_push(files) = (struct opened){{st.st_dev, st.st_ino}, source, true};
        size_t place = files->n - 1;
        read_document(r, source, in->depth + 1, files);
        files->v[place].open = false;
    }
    buf_free(&text);
}

static bool read_document(struct reader *r, const struct source *source, size_t depth,
                          opened_list *files) {
    struct document *document = arena_alloc(&r->graph->arena, sizeof *document);
    *document = (struct document){
        .source = source, .root = nodes_read(&r->nodes, &r->graph->arena, source, r->diags)};
    if (document->root == NULL)
        return false;
    const struct node *value =
        document->root->kind == NODE_MAP ? node_get(document->root, "include") : NULL;
    struct including in = {.reader = r, .from = source, .depth = depth, .files = files};
    if (value != NULL)
        want_names(value, "`include`", r->diags, include, &in);
    *vec_push(&r->documents) = document;
    return true;
}

bool read_documents(struct reader *r, const struct source *source) {
    opened_list files = {0};
    struct stat st;
    if (stat(source->name, &st) == 0)
        *vec_push(&files) = (struct opened){{st.st_dev, st.st_ino}, source, true};
    bool good = read_document(r, source, 0, &files);
    vec_free(&files);
    return good;
}
