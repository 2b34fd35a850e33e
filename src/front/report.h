// SPDX-License-Identifier: Apache-2.0
// Vault answers as JSON results. Each function is a link_done.call whose context is a struct call,
// and answers that call. Who may include it: front.
#pragma once

#include "front/call.h"

void report_status(void *call, struct link_answer *answer);
void report_configured(void *call, struct link_answer *answer); // kept: the canonical bytes
void report_attestation(void *call, struct link_answer *answer);
void report_account_created(void *call, struct link_answer *answer);
void report_account_opened(void *call, struct link_answer *answer);
void report_signed(void *call, struct link_answer *answer); // kept: the unsigned transaction
// A keyset step of kind MSG_STEP_DONE (called by keysets.c).
void report_keyset(struct call *call, const struct msg_step *step);
// True when the vault refused; the call then is answered with its words.
bool report_refusal(struct call *call, const struct link_answer *answer);
