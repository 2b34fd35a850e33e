// SPDX-License-Identifier: Apache-2.0
// Known-answer tests of every primitive the vault uses, run at boot. After a wrong answer the
// caller ends the program: a processor or library that computes wrongly must not sign. RSA-OAEP is
// tried on each new key instead (crypto/openssl/rsa.h).
#pragma once

#include "base/err.h"

// ERR_INTERNAL names the primitive. ecdsa_init and libcrypto_init* come before.
FALLIBLE selftest_run(void);
