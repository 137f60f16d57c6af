/* The JSON Schema for editors, the reader and the manual name the same keys and take the same kinds
 * of value. */
#include "read/schema.h"
#include "read/yaml.h"

#include "unit.h"

#include <jansson.h>
#include <stdlib.h>

static json_t *schema;

static const json_t *follow(const json_t *node) {
    static const char prefix[] = "#/definitions/";
    const char *ref;
    while ((ref = json_string_value(json_object_get(node, "$ref"))) != NULL) {
        CHECK(strncmp(ref, prefix, sizeof prefix - 1) == 0);
        node = json_object_get(json_object_get(schema, "definitions"), ref + sizeof prefix - 1);
        if (!CHECK(node != NULL))
            break;
    }
    return node;
}

static unsigned kind_of(const char *type) {
    static const struct {
        const char *type;
        unsigned kind;
    } kinds[] = {{"string", KEY_TEXT},  {"number", KEY_NUMBER}, {"integer", KEY_NUMBER},
                 {"boolean", KEY_BOOL}, {"array", KEY_LIST},    {"object", KEY_MAP}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(type, kinds[i].type) == 0)
            return kinds[i].kind;
    CHECK(false);
    return 0;
}

/* The kinds of value that a part of the schema lets pass. */
static unsigned kinds_of(const json_t *node) {
    unsigned kinds = 0;
    size_t i;
    const json_t *part;
    node = follow(node);
    const json_t *type = json_object_get(node, "type");
    if (json_is_string(type))
        kinds |= kind_of(json_string_value(type));
    json_array_foreach(type, i, part) kinds |= kind_of(json_string_value(part));
    if (json_is_string(json_object_get(node, "const")))
        kinds |= KEY_TEXT;
    static const char *const combined[] = {"anyOf", "allOf"};
    for (size_t k = 0; k < 2; k++) {
        const json_t *parts = json_object_get(node, combined[k]);
        json_array_foreach(parts, i, part) kinds |= kinds_of(part);
    }
    return kinds;
}

static char *read_file(const char *name) {
    struct buf path = {0}, text = {0};
    buf_printf(&path, SOURCE_DIR "/%s", name);
    FILE *f = fopen(path.s, "r");
    if (!CHECK(f != NULL))
        exit(1);
    size_t n;
    do {
        buf_reserve(&text, 4096);
        n = fread(text.s + text.n, 1, 4096, f);
        text.n += n;
    } while (n != 0);
    buf_add(&text, "", 0);
    fclose(f);
    buf_free(&path);
    return text.s;
}

static const struct {
    const char *definition; /* NULL: the whole */
    const struct key_table *table;
    const char
        *text; /* a file in which the key stands in its place, with %s for it and its value */
} tables[] = {
    {NULL, &schema_top, "steps: {a: {run: x}}\n%s"},
    {"pool", &schema_pool, "hosts: {p: {hosts: h, %s}}\nsteps: {a: {run: x}}"},
    {"ssh", &schema_ssh, "hosts: {p: {hosts: h, ssh: {%s}}}\nsteps: {a: {run: x}}"},
    {"step", &schema_step, "hosts: {p: h}\nsteps: {b: {run: x}, a: {%s}}"},
    {"defaults", &schema_defaults, "defaults: {%s}\nsteps: {a: {run: x}}"},
    {"every_or_same", &schema_on, "hosts: {p: h}\nsteps: {a: {run: x, on: {%s}}}"},
    {"optional", &schema_out, "steps: {a: {run: x, out: {%s}}}"},
    {"retries", &schema_retry, "steps: {a: {run: x, retry: {%s}}}"},
};
enum { TABLES = sizeof tables / sizeof *tables };

static const json_t *properties_of(size_t table) {
    const json_t *node = schema;
    if (tables[table].definition != NULL)
        node = json_object_get(json_object_get(schema, "definitions"), tables[table].definition);
    CHECK(json_is_false(json_object_get(node, "additionalProperties")));
    return json_object_get(node, "properties");
}

TEST(the_schema_has_the_readers_keys_with_the_same_kinds_of_value) {
    for (size_t t = 0; t < TABLES; t++) {
        const json_t *properties = properties_of(t);
        const struct key_table *table = tables[t].table;
        for (size_t k = 0; k < table->n; k++) {
            const json_t *property = json_object_get(properties, table->keys[k].name);
            if (!CHECK(property != NULL) || !CHECK(kinds_of(property) == table->keys[k].kinds))
                printf("# %s: the schema has %u, the reader %u\n", table->keys[k].name,
                       property != NULL ? kinds_of(property) : 0, table->keys[k].kinds);
            CHECK(json_is_string(json_object_get(property, "description")));
        }
        CHECK(json_object_size(properties) == table->n);
    }
}

static bool is_told(const char *text, const char *key) {
    struct source source = {"f", str_of(text)};
    struct diags diags;
    struct graph graph;
    struct buf printed = {0};
    diags_init(&diags);
    graph_init(&graph);
    bool good = yaml_read(&source, NULL, 0, &graph, &diags);
    diags_print(&diags, &printed, 0, false);
    bool told = !good && printed.s != NULL && strstr(printed.s, key) != NULL;
    buf_free(&printed);
    graph_free(&graph);
    diags_free(&diags);
    return told;
}

TEST(a_value_of_another_kind_is_a_mistake_for_every_key) {
    static const struct {
        unsigned kind;
        const char *value;
    } samples[] = {{KEY_TEXT | KEY_NUMBER | KEY_BOOL, "some words"},
                   {KEY_LIST, "[[x]]"},
                   {KEY_MAP, "{zz: {y: x}}"}};
    for (size_t t = 0; t < TABLES; t++)
        for (size_t k = 0; k < tables[t].table->n; k++) {
            const struct key *key = &tables[t].table->keys[k];
            for (size_t i = 0; i < 3; i++) {
                /* Words are no number and no truth. */
                unsigned taken = samples[i].kind == KEY_LIST || samples[i].kind == KEY_MAP
                                     ? samples[i].kind
                                     : KEY_TEXT;
                if ((key->kinds & taken) != 0)
                    continue;
                struct buf pair = {0}, text = {0};
                buf_printf(&pair, "%s: %s", key->name, samples[i].value);
                const char *mark = strstr(tables[t].text, "%s");
                buf_add(&text, tables[t].text, (size_t)(mark - tables[t].text));
                buf_puts(&text, pair.s);
                buf_puts(&text, mark + 2);
                if (!CHECK(is_told(text.s, "f:")))
                    printf("# %s\n", text.s);
                buf_free(&pair);
                buf_free(&text);
            }
        }
}

TEST(the_manual_has_every_key) {
    char *manual = read_file("man/foray.yaml.5");
    for (size_t t = 0; t < TABLES; t++)
        for (size_t k = 0; k < tables[t].table->n; k++) {
            const char *name = tables[t].table->keys[k].name;
            bool found = false;
            for (const char *at = manual; !found && (at = strstr(at, name)) != NULL; at++) {
                /* On a line that begins with a macro. */
                const char *line = at;
                while (line != manual && line[-1] != '\n')
                    line--;
                char after = at[strlen(name)], before = at != manual ? at[-1] : ' ';
                found = (strncmp(line, ".It Cm ", 7) == 0 || strncmp(line, ".Cm ", 4) == 0 ||
                         strncmp(line, ".Ss ", 4) == 0 || strncmp(line, ".Ql ", 4) == 0) &&
                        (before == ' ' || before == '{') &&
                        (after == '\n' || after == ' ' || after == ':');
            }
            if (!CHECK(found))
                printf("# %s\n", name);
        }
    free(manual);
}

int main(void) {
    json_error_t error;
    char *text = read_file("schema/foray.schema.json");
    schema = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (schema == NULL) {
        printf("Bail out! schema/foray.schema.json:%d: %s\n", error.line, error.text);
        return 2;
    }
    int status = unit_main();
    json_decref(schema);
    free(text);
    return status;
}
