#include "cmd/options.h"

#include "base/duration.h"
#include "base/io.h"
#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char run_help[] =
    "  -j, --jobs=N          at most N steps at once in all (0: no bound); without it the\n"
    "                        cores bound what runs here, each host's slots what runs there\n"
    "  -k, --keep-going[=N]  go on after failures with what does not need them, until N failed\n"
    "  -K, --kill            end everything at the first failure\n"
    "  -n, --dry-run         print what would run, run nothing; with -v also why\n"
    "  -B, --always-make     run also what is up to date\n"
    "      --resume          go on with the last run, if it was cut short: what ended well in it "
    "is\n"
    "                        not run again, steps without outputs neither\n"
    "      --retry=N         try every failing step N times more\n"
    "      --timeout=TIME    end every step that takes longer: 90, 10m, 1h30m\n"
    "  -F, --ssh-config=FILE an ssh configuration, as in ssh (also FORAY_SSH_CONFIG)\n"
    "      --keep-scratch    leave the scratch directories on the hosts\n"
    "  -q, --quiet           of steps that succeed, only what they print\n"
    "  -v, --verbose         also the start of every step, with its script\n";

const char common_help[] =
    "  -f, --file=FILE       read FILE (-: standard input) instead of foray.yaml\n"
    "  -C, --directory=DIR   work in DIR\n"
    "      --only=RE         of what the targets need, only steps whose names match; the rest\n"
    "                        counts as done (several: any of them)\n"
    "      --except=RE       without steps whose names match\n"
    "      --color=WHEN      auto, always or never\n"
    "  -h, --help            this text\n"
    "      --version         the version\n"
    "\n"
    "NAME=VALUE sets a variable, over the file's. TARGETs are steps, files that steps make,\n"
    "or /regular expressions/ of step names; none means everything.\n";

const char common_short[] = "C:f:qvh";

static const struct option long_options[] = {
    {"jobs", required_argument, NULL, 'j'},
    {"keep-going", optional_argument, NULL, 'k'},
    {"kill", no_argument, NULL, 'K'},
    {"dry-run", no_argument, NULL, 'n'},
    {"just-print", no_argument, NULL, 'n'},
    {"always-make", no_argument, NULL, 'B'},
    {"resume", no_argument, NULL, OPT_RESUME},
    {"retry", required_argument, NULL, OPT_RETRY},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"ssh-config", required_argument, NULL, 'F'},
    {"keep-scratch", no_argument, NULL, OPT_KEEP_SCRATCH},
    COMMON_LONG,
};

static bool parse_count(const char *text, uint32_t *out) {
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 || n > INT_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

/* An environment variable that is set and not empty, as no-color.org has it. */
static bool is_set(const char *name) {
    const char *value = getenv(name);
    return value != NULL && *value != '\0';
}

static bool colour_by_itself(void) {
    if (is_set("NO_COLOR"))
        return false;
    const char *force = getenv("CLICOLOR_FORCE"), *term = getenv("TERM");
    if (force != NULL && *force != '\0' && strcmp(force, "0") != 0)
        return true;
    return isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

/* NAME=VALUE, where NAME is a variable's name; false: it is something else. */
static bool parse_assignment(const char *word, struct assignment *out) {
    const char *p = word;
    if (!isalpha((unsigned char)*p) && *p != '_')
        return false;
    while (isalnum((unsigned char)*p) || *p == '_' || *p == '-')
        p++;
    if (*p != '=')
        return false;
    *out = (struct assignment){{word, (size_t)(p - word)}, str_of(p + 1)};
    return true;
}

const char *arguments_find_file(void) {
    static const char *const names[] = {"foray.yaml", "foray.yml"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (access(names[i], F_OK) == 0)
            return names[i];
    return NULL;
}

static int enter(const struct verb *verb, const char *directory) {
    if (directory == NULL || chdir(directory) == 0)
        return -1;
    return usage_error(verb, "cannot enter %s: %s", directory, strerror(errno));
}

void arguments_init(struct arguments *args) {
    *args = (struct arguments){.colour = colour_by_itself()};
}

int arguments_option(struct arguments *args, const struct verb *verb, int option) {
    switch (option) {
    case 'f':
        args->file = optarg;
        return -1;
    case 'C':
        /* Several add up, as in make. */
        if (args->directory != NULL && enter(verb, args->directory) >= 0)
            return STATUS_NOTHING_RUN;
        args->directory = optarg;
        return -1;
    case OPT_ONLY:
        *vec_push(&args->plan.only) = str_of(optarg);
        return -1;
    case OPT_EXCEPT:
        *vec_push(&args->plan.except) = str_of(optarg);
        return -1;
    case 'q':
        args->quiet = true;
        return -1;
    case 'v':
        args->verbose = true;
        return -1;
    case OPT_COLOR:
        if (strcmp(optarg, "auto") != 0 && strcmp(optarg, "always") != 0 &&
            strcmp(optarg, "never") != 0)
            return usage_error(verb, "--color wants auto, always or never, not `%s`", optarg);
        if (optarg[1] != 'u')
            args->colour = optarg[0] == 'a';
        return -1;
    case 'h':
        print_help(verb);
        return STATUS_DONE;
    case OPT_VERSION:
        puts("foray " PACKAGE_VERSION);
        return STATUS_DONE;
    default:
        fprintf(stderr, "Try `foray %s --help`.\n", verb->name);
        return STATUS_NOTHING_RUN;
    }
}

int arguments_enter(const struct arguments *args, const struct verb *verb) {
    return enter(verb, args->directory);
}

int arguments_rest(struct arguments *args, const struct verb *verb, int argc, char **argv) {
    int status = arguments_enter(args, verb);
    for (int i = optind; status < 0 && i < argc; i++) {
        struct assignment assignment;
        if (*argv[i] == '\0')
            status = usage_error(verb, "an empty word is no target");
        else if (parse_assignment(argv[i], &assignment))
            *vec_push(&args->assignments) = assignment;
        else
            *vec_push(&args->targets) = str_of(argv[i]);
    }
    if (status < 0 && args->file == NULL && (args->file = arguments_find_file()) == NULL)
        status =
            usage_error(verb, "there is no foray.yaml here; write one, or name a file with -f");
    args->plan.targets = args->targets.v;
    args->plan.n_targets = args->targets.n;
    return status;
}

void arguments_free(struct arguments *args) {
    vec_free(&args->assignments);
    vec_free(&args->targets);
    vec_free(&args->plan.only);
    vec_free(&args->plan.except);
}

int run_arguments_option(struct run_arguments *args, const struct verb *verb, int option) {
    struct run_options *run = &args->run;
    uint32_t n;
    switch (option) {
    case 'j':
    case 'N':
        if (!parse_count(optarg, &run->jobs))
            return usage_error(verb, "-%c wants a number%s, 0 for no bound, not `%s`", option,
                               option == 'j' ? " of steps" : "", optarg);
        run->jobs_given = true;
        return -1;
    case 'k':
        run->failures = 0;
        if (optarg != NULL && !parse_count(optarg, &run->failures))
            return usage_error(verb, "-k wants a number of failures, not `%s`", optarg);
        return -1;
    case 'K':
        run->cancel_on_failure = true;
        return -1;
    case 'n':
        args->dry_run = true;
        return -1;
    case 'B':
        args->fresh.always = true;
        return -1;
    case OPT_RESUME:
        args->fresh.resume = true;
        return -1;
    case OPT_RETRY:
        if (!parse_count(optarg, &n))
            return usage_error(verb, "--retry wants a number of tries, not `%s`", optarg);
        run->retries = n;
        return -1;
    case OPT_TIMEOUT:
        if (!duration_parse(str_of(optarg), &run->timeout))
            return usage_error(verb, "--timeout wants a time such as 90, 10m or 1h30m, not `%s`",
                               optarg);
        return -1;
    case 'F':
        run->ssh_config = optarg;
        return -1;
    case OPT_KEEP_SCRATCH:
        run->keep_scratch = true;
        return -1;
    default:
        return arguments_option(&args->common, verb, option);
    }
}

/* -C does not move the ssh configuration, which is named from where the user stands; FILE is looked
 * for in DIR, as in make. What is not there stays as it is, for ssh to complain of. */
void run_arguments_settle(struct run_arguments *args) {
    const char *path = args->run.ssh_config;
    if (path == NULL || path[0] == '/')
        return;
    args->ssh_config = realpath(path, NULL);
    if (args->ssh_config != NULL)
        args->run.ssh_config = args->ssh_config;
}

void run_arguments_init(struct run_arguments *args) {
    *args = (struct run_arguments){.run = {.failures = 1, .retries = -1, .timeout = -1}};
    arguments_init(&args->common);
    if (is_set("FORAY_SSH_CONFIG"))
        args->run.ssh_config = getenv("FORAY_SSH_CONFIG");
}

int run_arguments_read(struct run_arguments *args, const struct verb *verb, int argc, char **argv) {
    run_arguments_init(args);
    int status = -1;
    optind = 1;
    for (int option; status < 0 && (option = getopt_long(argc, argv, "j:k::KnBC:f:F:qvh",
                                                         long_options, NULL)) != -1;)
        status = run_arguments_option(args, verb, option);
    if (status < 0) {
        run_arguments_settle(args);
        status = arguments_rest(&args->common, verb, argc, argv);
    }
    if (status >= 0)
        run_arguments_free(args);
    return status;
}

void run_arguments_free(struct run_arguments *args) {
    free(args->ssh_config);
    arguments_free(&args->common);
}

/* --- the graph --- */

/* Reads a whole file; reports what is wrong on standard error. */
static bool read_source(struct source *source, const char *file, struct uses *uses) {
    bool standard_input = strcmp(file, "-") == 0;
    uses->unknown = uses->unknown || standard_input;
    int fd = standard_input ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    struct buf text = {0};
    struct stat st;
    int error = fd < 0 || fstat(fd, &st) != 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;
    if (error == 0) {
        uses_file(uses, str_of(file), fd);
        error = io_read_all(fd, SIZE_MAX / 2, &text);
    }
    if (fd >= 0 && !standard_input)
        close(fd);
    if (error != 0) {
        fprintf(stderr, "foray: cannot read %s: %s\n", file, strerror(error));
        buf_free(&text);
        return false;
    }
    *source = (struct source){standard_input ? "<stdin>" : file, buf_view(&text)};
    return true;
}

bool input_report(struct input *in, const struct arguments *args) {
    struct buf out = {0};
    bool errors = in->diags.errors != 0;
    diags_print(&in->diags, &out, 50, args->colour);
    fwrite(buf_view(&out).s, 1, out.n, stderr);
    buf_free(&out);
    diags_free(&in->diags);
    diags_init(&in->diags);
    return errors;
}

static void input_init(struct input *in) {
    *in = (struct input){0};
    diags_init(&in->diags);
    graph_init(&in->graph);
}

bool input_read_hosts(struct input *in, const struct arguments *args) {
    input_init(in);
    if (args->file == NULL)
        return true;
    if (!read_source(&in->source, args->file, in->graph.uses))
        return false;
    bool good = yaml_read_hosts(&in->source, &in->graph, &in->diags);
    return !input_report(in, args) && good;
}

bool input_read(struct input *in, const struct arguments *args) {
    input_init(in);
    if (!read_source(&in->source, args->file, in->graph.uses))
        return false;
    bool good =
        yaml_read(&in->source, args->assignments.v, args->assignments.n, &in->graph, &in->diags);
    return !input_report(in, args) && good;
}

bool input_plan(struct input *in, const struct arguments *args) {
    bool good = plan_make(&in->plan, &in->graph, &args->plan, &in->diags);
    return !input_report(in, args) && good;
}

void input_free(struct input *in) {
    plan_free(&in->plan);
    graph_free(&in->graph);
    diags_free(&in->diags);
    free((char *)in->source.text.s);
}
