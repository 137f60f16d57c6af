/* foray graph: prints the graph. */
#include "cmd/options.h"
#include "view/drawing.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

static const char graph_help[] =
    "      --format=FORMAT   tree (the default), dot, mermaid or json\n"
    "      --rules           steps as they are written, not one for each item\n";

enum { OPT_FORMAT = 256, OPT_RULES };

static const struct option long_options[] = {
    {"format", required_argument, NULL, OPT_FORMAT},
    {"rules", no_argument, NULL, OPT_RULES},
    COMMON_LONG,
};

static bool find_format(const char *name, enum drawing_format *format) {
    static const char *const names[] = {
        [DRAWING_TREE] = "tree",
        [DRAWING_DOT] = "dot",
        [DRAWING_MERMAID] = "mermaid",
        [DRAWING_JSON] = "json",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *format = (enum drawing_format)i;
            return true;
        }
    return false;
}

static int graph_main(const struct verb *verb, int argc, char **argv) {
    struct arguments args;
    struct drawing_options options = {0};
    int status = -1;
    arguments_init(&args);
    optind = 1;
    for (int option; status < 0 &&
                     (option = getopt_long(argc, argv, common_short, long_options, NULL)) != -1;) {
        if (option == OPT_RULES)
            options.rules = true;
        else if (option != OPT_FORMAT)
            status = arguments_option(&args, verb, option);
        else if (!find_format(optarg, &options.format))
            status =
                usage_error(verb, "--format wants tree, dot, mermaid or json, not `%s`", optarg);
    }
    if (status < 0)
        status = arguments_rest(&args, verb, argc, argv);
    if (status < 0) {
        struct input in;
        status = STATUS_NOTHING_RUN;
        if (input_read(&in, &args) && input_plan(&in, &args)) {
            setlocale(LC_CTYPE, "");
            options.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
            drawing_print(&in.plan, &options, stdout);
            status = STATUS_DONE;
        }
        input_free(&in);
    }
    arguments_free(&args);
    return status;
}

const struct verb verb_graph = {
    .name = "graph",
    .summary = "Prints the graph",
    .usage = "foray graph [OPTION...] [NAME=VALUE...] [TARGET...]",
    .help = graph_help,
    .main = graph_main,
};
