// SPDX-License-Identifier: Apache-2.0
// Vault answers as JSON results. Who may include it: front.
#pragma once

#include "front/call.h"

// Functions of link_done whose context is a struct call, which they answer.
void report_configured(void *call, struct link_answer *answer); // kept: the canonical bytes
void report_attestation(void *call, struct link_answer *answer);
void report_account_created(void *call, struct link_answer *answer);
void report_account_opened(void *call, struct link_answer *answer);
void report_import_ready(void *call, struct link_answer *answer);
void report_signed(void *call, struct link_answer *answer); // kept: the unsigned transaction
// To MSG_STATUS: the front knows it from now on; call->tell writes the result.
void report_asked(void *call, struct link_answer *answer);
// To what may have changed the phase: asks for the status anew; the result is where the vault
// stands.
void report_changed(void *call, struct link_answer *answer);
// For call->tell: all of it.
void report_status(struct jw *jw, struct core *core, const struct msg_status *status);
// A keyset step of kind MSG_STEP_DONE (called by keysets.c).
void report_keyset(struct call *call, const struct msg_step *step);
// "audit": where the decision stands in the vault's chain.
void report_audit(struct jw *jw, const struct core *core, const struct msg_verdict *verdict);
// True when the vault refused; the call then is answered with its words.
bool report_refusal(struct call *call, const struct link_answer *answer);
