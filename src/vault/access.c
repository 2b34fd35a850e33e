// SPDX-License-Identifier: Apache-2.0
#include "vault/access.h"

#include "proto/clients.h"

struct err access_clients(struct turn *turn)
{
    const struct state *state = turn->state;

    msg_write_clients(turn->out, &(struct msg_clients) { .serial = state->manifest.serial,
                                                         .mode = (uint8_t)state->config.mode,
                                                         .clients = state->manifest.clients,
                                                         .web = state->manifest.web });
    return OK;
}

struct err access_denial(struct turn *turn)
{
    struct rd rd = rd_of(turn->body);
    struct msg_denial m;

    return msg_read_denial(&m, &rd);
}

struct err access_admits(const struct state *state, const struct manifest *manifest)
{
    ENSURE(state->config.mode != CONFIG_HOSTILE_PARENT || !clients_has_anyone(manifest->clients),
           ERR_DENIED, "clients: in mode hostile-parent, anyone may do nothing");
    return OK;
}
