// SPDX-License-Identifier: Apache-2.0
// Owns the parts and knows who needs whom: store and link first, REST last, so that nobody is
// served by half a daemon. It has no other logic.
#include "parent/daemon.h"

#include "base/fd.h"
#include "base/must.h"
#include "httpd/server.h"
#include "parent/broadcast.h"
#include "parent/reaper.h"
#include "parent/relay.h"
#include "parent/rest.h"
#include "parent/supervise.h"
#include "parent/tls_keys.h"
#include "parent/token.h"
#include "parent/tunnel.h"

#include <stdlib.h>
#include <sys/resource.h>

#define DAEMON_WORKERS     32U
#define DAEMON_OTHER_FILES 512U // store, relay, link, and one to the node for each worker
#define DAEMON_QUEUE       128U

struct daemon {
    struct conf conf;
    uint8_t configuration[CONFIG_BYTES_MAX];
    struct bytes canonical;
    struct config config;
    struct token token;
    struct store *store;
    struct enclave_link *link;
    struct relay *relay;
    struct tunnel *tunnel;
    struct tls_keys *tls;
    struct supervise *supervise;
    struct broadcast *broadcast;
    struct reaper *reaper;
    struct rest rest;
    struct server *server;
    int listen_fd; // until the server has it
    struct addr bound;
};

static struct err daemon_start_relay(struct daemon *d)
{
    struct relay_entry entry[CONFIG_HOSTS];
    size_t entries;

    if (!d->conf.relay_listen[0])
        return OK;
    TRY(relay_plan(entry, &entries, &d->conf, &d->config));
    return relay_start(&d->relay, entry, entries);
}

static struct err daemon_start_tunnel(struct daemon *d)
{
    struct addr bound;
    size_t connections;
    char text[300];

    if (!d->conf.tunnel.kind)
        return OK;
    TRY(tunnel_start(&d->tunnel,
                     &(struct tunnel_options) { .listen = d->conf.tunnel_listen,
                                                .target = d->conf.tunnel,
                                                .connections = d->conf.tunnel_connections,
                                                .adds_source = d->conf.tunnel_adds_source,
                                                .first_ms = TUNNEL_FIRST_MS,
                                                .idle_ms = TUNNEL_IDLE_MS }));
    tunnel_look(d->tunnel, &bound, &connections);
    addr_format(text, sizeof(text), &bound);
    log_event(LOG_INFO, "tunnel", "listening", "address", text);
    return OK;
}

// Before anything is asked of the enclave, so that a daemon that cannot serve changes nothing.
static struct err daemon_listen(struct daemon *d)
{
    struct err err = addr_listen(&d->listen_fd, &d->conf.listen, &d->bound);

    ENSURE(err.code != ERR_EXISTS, ERR_EXISTS, "listen: the address is in use by another program");
    ENSURE(err.code != ERR_IO, ERR_IO, "listen: the address cannot be bound on this machine");
    return err;
}

static struct err daemon_start_parts(struct daemon *d)
{
    TRY(conf_load_configuration(&d->conf, d->configuration, &d->canonical, &d->config));
    TRY(token_load(&d->token, d->conf.token_file));
    TRY(store_open(&d->store, d->conf.store));
    TRY(daemon_listen(d));
    TRY(daemon_start_relay(d));
    TRY(daemon_start_tunnel(d));
    TRY(enclave_link_new(&d->link, &d->conf.enclave));
    TRY(tls_keys_new(&d->tls, d->store, d->link, &d->config));
    TRY(supervise_start(&d->supervise, &(struct supervise_options) { .link = d->link,
                                                                     .store = d->store,
                                                                     .configuration = d->canonical,
                                                                     .config = &d->config,
                                                                     .imds = d->conf.imds,
                                                                     .role = d->conf.role,
                                                                     .tls = d->tls }));
    TRY(reaper_start(&d->reaper, d->store));
    if (!d->conf.node[0])
        return OK;
    return broadcast_new(&d->broadcast, &(struct broadcast_options) { .store = d->store,
                                                                      .link = d->link,
                                                                      .config = &d->config,
                                                                      .node = d->conf.node });
}

// Raises the soft limit of descriptors as far as it goes. Fewer connections are better than a
// relay that finds no descriptor.
static void daemon_fit_files(struct conf *conf)
{
    struct rlimit files = { 0 };
    rlim_t wanted = conf->connections + (conf->tunnel.kind ? 2 * conf->tunnel_connections : 0);
    rlim_t need = wanted + DAEMON_OTHER_FILES, have;

    must(getrlimit(RLIMIT_NOFILE, &files) == 0);
    if (files.rlim_cur < need) {
        files.rlim_cur = files.rlim_max < need ? files.rlim_max : need;
        (void)setrlimit(RLIMIT_NOFILE, &files);
        must(getrlimit(RLIMIT_NOFILE, &files) == 0);
    }
    if (files.rlim_cur >= need)
        return;
    log_event(LOG_WARN, "daemon", "fewer_connections", "reason", "limit of open files");
    have = files.rlim_cur > 2U * DAEMON_OTHER_FILES ? files.rlim_cur - DAEMON_OTHER_FILES
                                                    : files.rlim_cur / 2;
    conf->connections = (unsigned)(conf->connections * have / wanted) + 1;
    conf->tunnel_connections = (unsigned)(conf->tunnel_connections * have / wanted) + 1;
}

static struct err daemon_start_rest(struct daemon *d, const char *version)
{
    const struct server_options options = { .workers = DAEMON_WORKERS,
                                            .goes_first = rest_goes_first,
                                            .connections_max = d->conf.connections,
                                            .queue_max = DAEMON_QUEUE,
                                            .request_max = REST_REQUEST_MAX,
                                            .response_max = REST_RESPONSE_MAX,
                                            .handle = rest_handle,
                                            .context = &d->rest };
    char text[300];
    int fd = d->listen_fd;

    d->rest = (struct rest) { .store = d->store,
                              .link = d->link,
                              .supervise = d->supervise,
                              .broadcast = d->broadcast,
                              .tunnel = d->tunnel,
                              .tls = d->tls,
                              .config = &d->config,
                              .version = version,
                              .token = bytes_of(d->token.b, d->token.n),
                              .metrics_open = d->conf.metrics_open };
    d->listen_fd = -1; // the server's from here on
    TRY(server_start(&d->server, fd, &options));
    addr_format(text, sizeof(text), &d->bound);
    log_event(LOG_INFO, "rest", "listening", "address", text);
    return OK;
}

struct err daemon_start(struct daemon **out, const struct conf *conf, const char *version)
{
    AUTO(daemon_stop) struct daemon *d = calloc(1, sizeof(*d));

    *out = NULL;
    ENSURE(d, ERR_FULL, "no memory");
    d->conf = *conf;
    d->listen_fd = -1;
    daemon_fit_files(&d->conf);
    TRY(daemon_start_parts(d));
    TRY(daemon_start_rest(d, version));
    *out = d;
    d = NULL;
    return OK;
}

void daemon_stop(struct daemon **daemon)
{
    struct daemon *d = *daemon;

    if (!d)
        return;
    tunnel_stop(&d->tunnel, (int)d->conf.tunnel_drain_s * 1000);
    if (d->server)
        server_stop(&d->server);
    fd_close(&d->listen_fd);
    broadcast_free(&d->broadcast);
    reaper_stop(&d->reaper);
    supervise_stop(&d->supervise);
    tls_keys_free(&d->tls);
    enclave_link_free(&d->link);
    relay_stop(&d->relay);
    store_close(&d->store);
    token_wipe(&d->token);
    free(d);
    *daemon = NULL;
}
