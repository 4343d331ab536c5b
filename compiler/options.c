#include "options.h"
#include "command.h"
#include "passes.h"
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { COMPILE = 1, RUN = 2, VERIFY = 4, STATS = 8, IR = 16, MODEL_COMMANDS = 31 };

/* In the order of the bits above; `help` takes no options. */
const struct command_info command_table[] = {
    {"compile", "MODEL", "compiles a model to an object file and its header",
     "Writes what --emit names; obj also writes the header beside the object. With several\n"
     "kinds, -o is a stem that gets their extensions: .o .h .s .ll .sanir. asm, llvm and ir are\n"
     "one file for each target, STEM.TARGET.EXTENSION where there is more than one.\n",
     command_compile},
    {"run", "MODEL", "compiles a model in memory and runs it on images",
     "Reads `input` (n, c, h, w) of a safetensors file and writes `output` (n, classes). Of the\n"
     "targets, the best one that this machine has is taken.\n",
     command_run},
    {"verify", "MODEL", "compares the compiled model with its evaluation in float64",
     "Runs the model compiled for every target that this machine has and reports the error\n"
     "||out - ref|| / ||ref||. Where it is too large: exit status 1, and the pass or the kernel\n"
     "that is the first to be off. Takes seeded random images, or those of --input.\n",
     command_verify},
    {"stats", "MODEL", "counts parameters, multiply-adds and memory",
     "Per layer and in total. Needs no weights.\n", command_stats},
    {"ir", "MODEL", "prints the intermediate representation",
     "After all passes, or where --after or --before say. Goes to standard output, or to -o.\n",
     command_ir},
    {"help", "[COMMAND]", "explains a command", "", command_help},
};
const int command_count = sizeof command_table / sizeof *command_table;

const char *const emit_name[EMIT_COUNT] = {"obj", "header", "asm", "llvm", "ir"};
const char *const emit_extension[EMIT_COUNT] = {".o", ".h", ".s", ".ll", ".sanir"};
static const char *const emit_unsupported[] = {"ptx", "cubin", "launch", "report", NULL};

static const char *const engines[] = {"native", "eval", "eval32", NULL};
static const char *const precisions[] = {"f32", NULL};
static const char *const counts[] = {"macs", "paper", NULL};

enum value {
    VALUE_NONE,    /* bool */
    VALUE_TEXT,    /* const char * */
    VALUE_INTEGER, /* int64_t, least to most */
    VALUE_REAL,    /* double, least to most */
    VALUE_CHOICE,  /* int: which of choices */
    VALUE_PASS,    /* const char *: the name of a pass */
    VALUE_PASSES,  /* struct pass_names: several with commas */
    VALUE_TARGETS, /* struct target_names: several with commas */
    VALUE_EMIT     /* unsigned: several of emit_name with commas */
};

struct option_info {
    const char *name;
    char letter; /* of -o; 0: none */
    enum value kind;
    size_t field;                /* of struct options */
    const char *value;           /* as in the help */
    unsigned commands, required; /* by which commands */
    const char *help;
    double least, most;
    const char *const *choices;
};

#define FIELD(field) offsetof(struct options, field)
static const struct option_info option_table[] = {
    {"weights", 'w', VALUE_TEXT, FIELD(weights), "FILE", MODEL_COMMANDS, RUN | VERIFY,
     "safetensors file with the model's weights", 0, 0, NULL},
    {"output", 'o', VALUE_TEXT, FIELD(output), "FILE", COMPILE | RUN | IR, COMPILE | RUN,
     "file to write; of compile: or the stem of several", 0, 0, NULL},
    {"input", 0, VALUE_TEXT, FIELD(input), "FILE", RUN | VERIFY, RUN,
     "safetensors file with the images, `input` (n, c, h, w)", 0, 0, NULL},
    {"emit", 0, VALUE_EMIT, FIELD(emit), "KINDS", COMPILE, 0,
     "obj (default), header, asm, llvm, ir; several with commas", 0, 0, NULL},
    {"target", 0, VALUE_TARGETS, FIELD(target), "NAMES", MODEL_COMMANDS, 0,
     "x86-64-v3, x86-64-v4, native, or a CPU's name; several with commas\n"
     "(default: x86-64-v3,x86-64-v4)",
     0, 0, NULL},
    {"batch", 0, VALUE_INTEGER, FIELD(batch), "N", MODEL_COMMANDS, 0,
     "images that the model takes at once (default: 1)", 1, 65536, NULL},
    {"threads", 0, VALUE_INTEGER, FIELD(threads), "N", MODEL_COMMANDS, 0,
     "threads that can share the work (default: 1)", 1, 1024, NULL},
    {"precision", 0, VALUE_CHOICE, FIELD(precision), "NAME", MODEL_COMMANDS, 0,
     "of the arithmetic: f32 (default)", 0, 0, precisions},
    {"engine", 0, VALUE_CHOICE, FIELD(engine), "NAME", RUN, 0,
     "native (default); eval and eval32: the evaluator, in float64 and float32", 0, 0, engines},
    {"tolerance", 0, VALUE_REAL, FIELD(tolerance), "X", VERIFY, 0,
     "largest error ||out - ref|| / ||ref|| (default: 1e-5)", 1e-15, 1, NULL},
    {"count", 0, VALUE_CHOICE, FIELD(count), "NAME", STATS, 0,
     "macs (default): multiply-adds; paper: operations as the paper counts them", 0, 0, counts},
    {"each-pass", 0, VALUE_NONE, FIELD(each_pass), NULL, VERIFY, 0,
     "evaluates after every pass, too, and names the one that changes the result", 0, 0, NULL},
    {"json", 0, VALUE_NONE, FIELD(json), NULL, VERIFY | STATS, 0, "prints JSON", 0, 0, NULL},
    {"after", 0, VALUE_PASS, FIELD(after), "PASS", IR, 0, "prints what this pass left", 0, 0, NULL},
    {"before", 0, VALUE_PASS, FIELD(before), "PASS", IR, 0, "prints what this pass gets", 0, 0,
     NULL},
    {"list-passes", 0, VALUE_NONE, FIELD(list_passes), NULL, IR, 0,
     "lists the passes in their order", 0, 0, NULL},
    {"stop-after", 0, VALUE_PASS, FIELD(stop_after), "PASS", COMPILE, 0,
     "ends after this pass: only ir can be emitted", 0, 0, NULL},
    {"dump-ir", 0, VALUE_TEXT, FIELD(dump_dir), "DIR", MODEL_COMMANDS, 0,
     "writes the IR after every pass to a numbered file; each compiles on", 0, 0, NULL},
    {"print-after", 0, VALUE_PASSES, FIELD(print_after), "PASSES", MODEL_COMMANDS, 0,
     "prints the IR after these passes to standard error", 0, 0, NULL},
    {"print-before", 0, VALUE_PASSES, FIELD(print_before), "PASSES", MODEL_COMMANDS, 0,
     "prints the IR before these passes to standard error", 0, 0, NULL},
    {"time-passes", 0, VALUE_NONE, FIELD(time_passes), NULL, MODEL_COMMANDS, 0,
     "prints the time and the changes of each pass to standard error", 0, 0, NULL},
    {"verbose", 'v', VALUE_NONE, FIELD(verbose), NULL, MODEL_COMMANDS, 0,
     "says on standard error what is done", 0, 0, NULL},
    {"help", 'h', VALUE_NONE, FIELD(help), NULL, ~0u, 0, "prints this text", 0, 0, NULL},
};
enum { OPTION_COUNT = sizeof option_table / sizeof *option_table };
_Static_assert(OPTION_COUNT <= 64, "options.given has a bit for each");

static unsigned command_bit(const struct command_info *command)
{
    return 1u << (command - command_table);
}

const struct command_info *command_find(const char *name)
{
    for (int i = 0; i < command_count; i++)
        if (strcmp(command_table[i].name, name) == 0)
            return &command_table[i];
    return NULL;
}

/* ---- help ------------------------------------------------------------------------------------ */

static void print_spelling(const struct option_info *info, FILE *file)
{
    char text[64];
    if (info->letter)
        snprintf(text, sizeof text, "-%c, --%s", info->letter, info->name);
    else
        snprintf(text, sizeof text, "    --%s", info->name);
    if (info->value)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %s", info->value);
    fprintf(file, "  %-24s", text);
}

static void help_option(const struct option_info *info, FILE *file)
{
    print_spelling(info, file);
    for (const char *line = info->help; line;) {
        const char *end = strchr(line, '\n');
        int length = end ? (int)(end - line) : (int)strlen(line);
        fprintf(file, "%*s%.*s\n", line == info->help ? 2 : 28, "", length, line);
        line = end ? end + 1 : NULL;
    }
}

static void help_usage(const struct command_info *command, FILE *file)
{
    fprintf(file, "usage: sanc %s %s", command->name, command->operand);
    bool more = false;
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_info *info = &option_table[i];
        if (!(info->required & command_bit(command)))
            more |= (info->commands & MODEL_COMMANDS & command_bit(command)) != 0;
        else if (info->letter)
            fprintf(file, " -%c %s", info->letter, info->value);
        else
            fprintf(file, " --%s %s", info->name, info->value);
    }
    fprintf(file, more ? " [OPTIONS]\n\n" : "\n\n");
}

void options_help(const struct command_info *command, FILE *file)
{
    if (!command) {
        fprintf(file, "usage: sanc COMMAND ...\n\n"
                      "Compiles self-attention networks for image recognition (SAN).\n\n");
        for (int i = 0; i < command_count; i++)
            fprintf(file, "  %-10s%s\n", command_table[i].name, command_table[i].summary);
        fprintf(file, "\n`sanc help COMMAND` explains a command, `sanc --version` names versions.\n"
                      "Exit status: 0 done, 1 the check failed, 2 wrong command line, 3 wrong "
                      "input,\n4 the system failed, 5 a defect in sanc.\n");
        return;
    }
    help_usage(command, file);
    fprintf(file, "sanc %s %s.\n\n%s", command->name, command->summary, command->details);
    if (!(command_bit(command) & MODEL_COMMANDS))
        return;
    fprintf(file, "MODEL is a model's JSON file, or a .sanir dump, which is carried on from where "
                  "it was\ntaken and says its targets, batch and threads itself.\n\n");
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_table[i].commands & command_bit(command))
            help_option(&option_table[i], file);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* What is given to an option, as in messages: "--emit". */
static bool refuse(const struct option_info *info, const char *value, const char *allowed)
{
    diag_error(NULL, 0, 0, "--%s must be %s, found '%s'", info->name, allowed, value);
    return false;
}

/* "a, b or c" into text */
static void list_choices(char *text, size_t size, const char *const *name, int count)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 i == 0           ? ""
                                 : i == count - 1 ? " or "
                                                  : ", ",
                                 name[i]);
}

static bool read_integer(const struct option_info *info, const char *value, int64_t *result)
{
    int64_t number = 0;
    bool good = *value != 0;
    for (const char *p = value; *p && good; p++) {
        good = *p >= '0' && *p <= '9' && number <= INT32_MAX;
        if (good)
            number = 10 * number + (*p - '0');
    }
    if (good && number >= (int64_t)info->least && number <= (int64_t)info->most) {
        *result = number;
        return true;
    }
    char allowed[64];
    snprintf(allowed, sizeof allowed, "an integer from %.0f to %.0f", info->least, info->most);
    return refuse(info, value, allowed);
}

static bool read_real(const struct option_info *info, const char *value, double *result)
{
    char *end;
    double number = strtod(value, &end);
    if (end != value && *end == 0 && number >= info->least && number <= info->most) {
        *result = number;
        return true;
    }
    char allowed[64];
    snprintf(allowed, sizeof allowed, "a number from %g to %g", info->least, info->most);
    return refuse(info, value, allowed);
}

static bool read_choice(const struct option_info *info, const char *value, int *result)
{
    int count = 0;
    for (; info->choices[count]; count++) {
        if (strcmp(info->choices[count], value) == 0) {
            *result = count;
            return true;
        }
    }
    char allowed[128];
    list_choices(allowed, sizeof allowed, info->choices, count);
    return refuse(info, value, allowed);
}

static bool read_pass(const struct option_info *info, const char *value, const char **result)
{
    char allowed[1024] = "the name of a pass: ";
    size_t used = strlen(allowed);
    for (int i = 0; i < pass_count; i++) {
        if (strcmp(pass_table[i].name, value) == 0) {
            *result = pass_table[i].name;
            return true;
        }
        if (used < sizeof allowed)
            used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s", i ? ", " : "",
                                     pass_table[i].name);
    }
    return refuse(info, value, allowed);
}

static bool read_emit(const struct option_info *info, const char *value, unsigned *result)
{
    for (int i = 0; i < EMIT_COUNT; i++) {
        if (strcmp(emit_name[i], value) == 0) {
            *result |= 1u << i;
            return true;
        }
    }
    char allowed[128];
    list_choices(allowed, sizeof allowed, emit_name, EMIT_COUNT);
    for (int i = 0; emit_unsupported[i]; i++) {
        if (strcmp(emit_unsupported[i], value) == 0) {
            diag_error(NULL, 0, 0, "--emit %s is not supported yet: use %s", value, allowed);
            return false;
        }
    }
    return refuse(info, value, allowed);
}

static bool read_target(const struct option_info *info, const char *value,
                        struct target_names *names)
{
    for (int i = 0; i < names->count; i++) {
        if (strcmp(names->name[i], value) == 0) {
            diag_error(NULL, 0, 0, "--%s names '%s' twice", info->name, value);
            return false;
        }
    }
    if (*value == 0)
        return refuse(info, value, "names with commas between them");
    if (names->count == MAX_TARGETS) {
        diag_error(NULL, 0, 0, "--%s names more than %d targets", info->name, MAX_TARGETS);
        return false;
    }
    names->name[names->count++] = value;
    return true;
}

static bool read_pass_names(const struct option_info *info, const char *value,
                            struct pass_names *names)
{
    if (names->count == MAX_PASS_NAMES) {
        diag_error(NULL, 0, 0, "--%s names more than %d passes", info->name, MAX_PASS_NAMES);
        return false;
    }
    return read_pass(info, value, &names->name[names->count++]);
}

static bool read_value(const struct option_info *info, const char *value, struct options *options)
{
    void *field = (char *)options + info->field;
    switch (info->kind) {
    case VALUE_NONE:
        *(bool *)field = true;
        return true;
    case VALUE_TEXT:
        *(const char **)field = value;
        return *value ? true : refuse(info, value, "a file's name");
    case VALUE_INTEGER:
        return read_integer(info, value, field);
    case VALUE_REAL:
        return read_real(info, value, field);
    case VALUE_CHOICE:
        return read_choice(info, value, field);
    case VALUE_PASS:
        return read_pass(info, value, field);
    case VALUE_PASSES:
        return read_pass_names(info, value, field);
    case VALUE_TARGETS:
        return read_target(info, value, field);
    case VALUE_EMIT:
        return read_emit(info, value, field);
    }
    assert(!"a kind of value without a reader");
    return false;
}

static bool takes_list(const struct option_info *info)
{
    return info->kind == VALUE_PASSES || info->kind == VALUE_TARGETS || info->kind == VALUE_EMIT;
}

/* Reads the value of a list in its pieces; they are cut out in place in options->text, which has
 * room for all arguments. */
static bool read_list(const struct option_info *info, const char *value, struct options *options,
                      char **room)
{
    bool good = true;
    char *piece = *room;
    size_t size = strlen(value) + 1;
    memcpy(piece, value, size);
    *room += size;
    while (piece) {
        char *comma = strchr(piece, ',');
        if (comma)
            *comma++ = 0;
        good &= read_value(info, piece, options);
        piece = comma;
    }
    return good;
}

/* ---- the line -------------------------------------------------------------------------------- */

struct cursor {
    int count, next;
    char *const *argument;
    char *room; /* in options->text */
};

static const struct option_info *option_find(const char *name, size_t length, char letter)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_info *info = &option_table[i];
        if (name ? strlen(info->name) == length && memcmp(info->name, name, length) == 0
                 : info->letter == letter)
            return info;
    }
    return NULL;
}

static bool refuse_option(const struct command_info *command, const char *argument,
                          const struct option_info *known)
{
    char allowed[1024] = "";
    size_t used = 0;
    for (int i = 0; i < OPTION_COUNT && used < sizeof allowed; i++)
        if (option_table[i].commands & command_bit(command))
            used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s--%s",
                                     used ? ", " : "", option_table[i].name);
    int length = (int)strcspn(argument, "=");
    if (known)
        diag_error(NULL, 0, 0, "'sanc %s' takes no option --%s; it takes %s", command->name,
                   known->name, allowed);
    else
        diag_error(NULL, 0, 0, "unknown option %.*s; 'sanc %s' takes %s", length, argument,
                   command->name, allowed);
    return false;
}

/* Finds the value: behind '=', behind the letter, or in the next argument. */
static bool find_value(const struct option_info *info, const char *argument, struct cursor *cursor,
                       const char **value)
{
    bool is_long = argument[1] == '-';
    const char *rest = is_long ? argument + 2 + strlen(info->name) : argument + 2;
    *value = *rest == 0 ? NULL : is_long ? rest + 1 : rest;
    if (info->kind == VALUE_NONE && *value) {
        diag_error(NULL, 0, 0, "--%s takes no value, found '%s'", info->name, *value);
        return false;
    }
    if (info->kind == VALUE_NONE || *value)
        return true;
    if (cursor->next < cursor->count) {
        *value = cursor->argument[cursor->next++];
        return true;
    }
    diag_error(NULL, 0, 0, "--%s needs a value: %s", info->name, info->value);
    return false;
}

static bool read_option(const char *argument, struct cursor *cursor, struct options *options)
{
    bool is_long = argument[1] == '-';
    const struct option_info *info = is_long
                                         ? option_find(argument + 2, strcspn(argument + 2, "="), 0)
                                         : option_find(NULL, 0, argument[1]);
    if (!info)
        return refuse_option(options->command, argument, NULL);
    const char *value = NULL;
    if (!find_value(info, argument, cursor, &value))
        return false;
    if (!(info->commands & command_bit(options->command)))
        return refuse_option(options->command, argument, info);
    unsigned long long bit = 1ull << (info - option_table);
    if ((options->given & bit) && !takes_list(info)) {
        diag_error(NULL, 0, 0, "--%s is given twice", info->name);
        return false;
    }
    options->given |= bit;
    return takes_list(info) ? read_list(info, value, options, &cursor->room)
                            : read_value(info, value, options);
}

static bool read_operand(const char *argument, struct options *options)
{
    if (options->operand) {
        diag_error(NULL, 0, 0, "'sanc %s' takes one %s, found '%s' besides '%s'",
                   options->command->name, options->command->operand, argument, options->operand);
        return false;
    }
    options->operand = argument;
    return true;
}

static bool check_required(const struct options *options)
{
    bool good = true;
    const struct command_info *command = options->command;
    if ((command_bit(command) & MODEL_COMMANDS) && !options->operand && !options->list_passes) {
        diag_error(NULL, 0, 0, "'sanc %s' needs a model: MODEL.json or a .sanir dump",
                   command->name);
        good = false;
    }
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_info *info = &option_table[i];
        if ((info->required & command_bit(command)) && !(options->given >> i & 1)) {
            diag_error(NULL, 0, 0, "'sanc %s' needs --%s %s: %s", command->name, info->name,
                       info->value, info->help);
            good = false;
        }
    }
    return good;
}

static enum status refuse_command(const char *name)
{
    const char *names[16];
    for (int i = 0; i < command_count; i++)
        names[i] = command_table[i].name;
    char allowed[256];
    list_choices(allowed, sizeof allowed, names, command_count);
    if (name)
        diag_error(NULL, 0, 0, "unknown command '%s': use %s", name, allowed);
    else
        diag_error(NULL, 0, 0, "no command: use %s", allowed);
    return STATUS_USAGE;
}

static char *text_new(int count, char *const *argument)
{
    size_t size = 1;
    for (int i = 0; i < count; i++)
        size += strlen(argument[i]) + 1;
    return malloc(size);
}

enum status options_parse(int count, char *const *argument, struct options *options)
{
    *options = (struct options){0};
    if (count == 0 || !command_find(argument[0]))
        return refuse_command(count ? argument[0] : NULL);
    options->command = command_find(argument[0]);
    options->text = text_new(count, argument);
    if (!options->text) {
        diag_error(NULL, 0, 0, "out of memory");
        return STATUS_SYSTEM;
    }
    struct cursor cursor = {count, 1, argument, options->text};
    bool good = true, only_operands = false;
    while (cursor.next < count) {
        const char *word = argument[cursor.next++];
        if (!only_operands && strcmp(word, "--") == 0)
            only_operands = true;
        else if (!only_operands && word[0] == '-' && word[1])
            good &= read_option(word, &cursor, options);
        else
            good &= read_operand(word, options);
    }
    if (good && !options->help)
        good = check_required(options);
    return good ? STATUS_DONE : STATUS_USAGE;
}

void options_free(struct options *options)
{
    free(options->text);
    options->text = NULL;
}
