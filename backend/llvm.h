/* What has to be set up before LLVM is used, and what it does where memory ends. */
#ifndef BACKEND_LLVM_H
#define BACKEND_LLVM_H

/* LLVM's targets; where memory ends within LLVM, it ends as everywhere (memory_fail). Once for the
 * process. */
void llvm_begin(void);

/* What LLVM's C interface copied. Where memory ends it gives NULL, which ends as everywhere. */
void *llvm_copied(void *copy);

#endif
