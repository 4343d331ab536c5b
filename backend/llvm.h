/* What has to be set up before LLVM is used. */
#ifndef BACKEND_LLVM_H
#define BACKEND_LLVM_H

/* LLVM's targets; where memory ends within LLVM, it ends as everywhere (memory_fail). Once for the
 * process. */
void llvm_begin(void);

#endif
