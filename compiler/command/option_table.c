#include "option_table.h"
#include "command.h"
#include <string.h>

enum { COMPILE = 1, RUN = 2, VERIFY = 4, STATS = 8, IR = 16, BENCH = 32, MODEL_COMMANDS = 63 };

/* In the order of the bits above; `help` takes no options. */
const struct command_info command_table[] = {
    {"compile", "MODEL", "compiles a model to an object file and its header",
     "Writes what --emit names; obj also writes the header beside the object. With several\n"
     "kinds, -o is a stem that gets their extensions: .o .h .s .ll .sanir .html .ptx\n"
     ".cubin .launch.json .weights.bin. All but obj, header and weights are one file for each "
     "target,\n"
     "STEM.TARGET.EXTENSION where there is more than one. ptx, cubin and launch are for GPUs:\n"
     "launch is the plan of how to start the kernels, weights (written with it) their constants.\n"
     "cubin needs ptxas. obj, header and asm are for processors.\n",
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
    {"bench", "MODEL", "times the compiled model",
     "Latency and throughput of the best target that this machine has, as a fraction of the FMA "
     "peak\n"
     "that its core shows in the same run. With --kernels the time of each kernel beside what was\n"
     "predicted and what its narrowest limit allows, those first that lose most against it. With "
     "one\n"
     "thread times are processor time.\n",
     command_bench},
    {"help", "[COMMAND]", "explains a command", "", command_help},
};
const int command_count = sizeof command_table / sizeof *command_table;

const char *const emit_name[EMIT_COUNT] = {"obj",    "header", "asm",   "llvm",   "ir",
                                           "report", "ptx",    "cubin", "launch", "weights"};
const char *const emit_extension[EMIT_COUNT] = {
    ".o", ".h", ".s", ".ll", ".sanir", ".html", ".ptx", ".cubin", ".launch.json", ".weights.bin"};

static const char *const engines[] = {"native", "eval", "eval32", NULL};
static const char *const precisions[] = {"f32", "tf32", "bf16", NULL};
static const char *const counts[] = {"macs", "paper", NULL};

#define FIELD(field) offsetof(struct options, field)
const struct option_info option_table[] = {
    {"weights", 'w', VALUE_TEXT, FIELD(weights), "FILE", MODEL_COMMANDS, RUN | VERIFY | BENCH,
     "safetensors file with the model's weights", 0, 0, NULL},
    {"output", 'o', VALUE_TEXT, FIELD(output), "FILE", COMPILE | RUN | IR, COMPILE | RUN,
     "file to write; of several kinds or targets, their stem", 0, 0, NULL},
    {"input", 0, VALUE_TEXT, FIELD(input), "FILE", RUN | VERIFY, RUN,
     "safetensors file with the images, `input` (n, c, h, w)", 0, 0, NULL},
    {"emit", 0, VALUE_EMIT, FIELD(emit), "KINDS", COMPILE, 0,
     "obj (default), header, asm, llvm, ir, report, ptx, cubin, launch, weights; several "
     "with\ncommas",
     0, 0, NULL},
    {"target", 0, VALUE_TARGETS, FIELD(target), "NAMES", MODEL_COMMANDS, 0,
     "x86-64-v3, x86-64-v4, native, a CPU's name, or nvptx:sm_80 and the like; several with "
     "commas\n"
     "(default: x86-64-v3,x86-64-v4)",
     0, 0, NULL},
    {"batch", 0, VALUE_INTEGER, FIELD(batch), "N", MODEL_COMMANDS, 0,
     "images that the model takes at once (default: 1)", 1, 65536, NULL},
    {"threads", 0, VALUE_INTEGER, FIELD(threads), "N", MODEL_COMMANDS, 0,
     "threads that can share the work (default: 1)", 1, 1024, NULL},
    {"precision", 0, VALUE_CHOICE, FIELD(precision), "NAME", MODEL_COMMANDS, 0,
     "of what linears multiply: f32 (default); tf32 and bf16, by the matrix units of GPUs\n"
     "from nvptx:sm_80 on",
     0, 0, precisions},
    {"engine", 0, VALUE_CHOICE, FIELD(engine), "NAME", RUN, 0,
     "native (default); eval and eval32: the evaluator, in float64 and float32", 0, 0, engines},
    {"profile", 0, VALUE_TEXT, FIELD(profile), "FILE", COMPILE, 0,
     "what `sanc bench --kernels --json` wrote, for a report to show", 0, 0, NULL},
    {"tolerance", 0, VALUE_REAL, FIELD(tolerance), "X", VERIFY, 0,
     "largest error ||out - ref|| / ||ref|| (default: 1e-5, tf32 1e-3, bf16 1e-2)", 1e-15, 1, NULL},
    {"count", 0, VALUE_CHOICE, FIELD(count), "NAME", STATS, 0,
     "macs (default): multiply-adds; paper: operations as the paper counts them", 0, 0, counts},
    {"each-pass", 0, VALUE_NONE, FIELD(each_pass), NULL, VERIFY, 0,
     "evaluates after every pass, too, and names the one that changes the result", 0, 0, NULL},
    {"reduce", 0, VALUE_TEXT, FIELD(reduce), "STEM", VERIFY, 0,
     "where it is off, writes STEM.json and STEM.safetensors: the smallest model found, with\n"
     "weights by chance, that is off in the same way",
     0, 0, NULL},
    {"kernels", 0, VALUE_NONE, FIELD(kernels), NULL, BENCH, 0, "times each kernel, too", 0, 0,
     NULL},
    {"seconds", 0, VALUE_REAL, FIELD(seconds), "X", BENCH, 0,
     "how long to repeat runs, five at least (default: 2)", 0.001, 3600, NULL},
    {"json", 0, VALUE_NONE, FIELD(json), NULL, VERIFY | STATS | BENCH, 0, "prints JSON", 0, 0,
     NULL},
    {"after", 0, VALUE_PASS, FIELD(after), "PASS", IR, 0, "prints what this pass left", 0, 0, NULL},
    {"before", 0, VALUE_PASS, FIELD(before), "PASS", IR, 0, "prints what this pass gets", 0, 0,
     NULL},
    {"list-passes", 0, VALUE_NONE, FIELD(list_passes), NULL, IR, 0,
     "lists the passes in their order", 0, 0, NULL},
    {"stop-after", 0, VALUE_PASS, FIELD(stop_after), "PASS", COMPILE, 0,
     "ends after this pass: only ir can be emitted", 0, 0, NULL},
    {"dump-ir", 0, VALUE_TEXT, FIELD(dump_dir), "DIR", MODEL_COMMANDS, 0,
     "writes the IR after every pass to a numbered file, which compiles on,\n"
     "and passes.tsv: changes and time of each",
     0, 0, NULL},
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
const int option_count = sizeof option_table / sizeof *option_table;
_Static_assert(sizeof option_table / sizeof *option_table <= 64,
               "options.given has a bit for each");

unsigned command_bit(const struct command_info *command)
{
    return 1u << (command - command_table);
}

bool takes_model(const struct command_info *command)
{
    return command_bit(command) & MODEL_COMMANDS;
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
    for (int i = 0; i < option_count; i++) {
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
        fprintf(file, "\n`sanc help COMMAND` explains a command, `sanc help schedules` what a schedule "
                      "in a dump\nmay say, `sanc --version` names versions.\n"
                      "Exit status: 0 done, 1 the check failed, 2 wrong command line, 3 wrong "
                      "input,\n4 the system failed, 5 a defect in sanc.\n");
        return;
    }
    help_usage(command, file);
    fprintf(file, "sanc %s %s.\n\n%s", command->name, command->summary, command->details);
    if (!takes_model(command))
        return;
    fprintf(file, "MODEL is a model's JSON file, or a .sanir dump, which is carried on from where "
                  "it was\ntaken and says its targets, batch and threads itself.\n\n");
    for (int i = 0; i < option_count; i++)
        if (option_table[i].commands & command_bit(command))
            help_option(&option_table[i], file);
}
