/* What each command of the driver does, once its options are read. */
#ifndef COMPILER_COMMAND_H
#define COMPILER_COMMAND_H
#include "options.h"

enum status command_compile(const struct options *options);
enum status command_run(const struct options *options);
enum status command_verify(const struct options *options);
enum status command_stats(const struct options *options);
enum status command_ir(const struct options *options);
enum status command_bench(const struct options *options);
enum status command_help(const struct options *options);

/* "sanc 0.1.0", and the versions of what it is made of, on lines of their own. */
void version_print(FILE *file);

#endif
