/* Loops of a matrix unit. Private to this folder. */
#ifndef IR_VERIFY_MATRIX_H
#define IR_VERIFY_MATRIX_H
#include "verify.h"

bool verify_matrix(struct verifier *verifier, const struct stmt *rows, int scope);

#endif
