// SPDX-License-Identifier: Apache-2.0
// Bugs are not errors: must() is always compiled in, has no side effect, and ends the program.
// In the enclave that drops every key from memory, which is the safe direction.
// Also AUTO(release): whatever must be released is declared with its release.
#pragma once

_Noreturn void must_fail(const char *file, int line, const char *what);
#define must(cond)    ((cond) ? (void)0 : must_fail(__FILE__, __LINE__, #cond))
#define AUTO(release) __attribute__((cleanup(release)))
#define ARRAY_LEN(a)  (sizeof(a) / sizeof((a)[0]))
