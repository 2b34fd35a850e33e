// SPDX-License-Identifier: Apache-2.0
// What is not measured, metadata above all, is shown as a claim. A signature verifies under the
// certificate that came with the image: whose that is, PCR8 says to those who know it.
#include "cli/imageview.h"

#include "base/fd.h"
#include "base/hex.h"
#include "base/must.h"
#include "cli/ramdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define NODES_MAX 4096U
#define DIGITS    (2 * EIF_PCR_BYTES + 1)

static struct eif eif;
static struct eifsig sig;
static struct json nodes[NODES_MAX];

static const struct out_column pcr_columns[] = {
    { "pcr", 6 },
    { "measures", 40 },
    { "value", 0 },
};

static void pcr_row(struct out *out, const char *name, const char *what, struct bytes value)
{
    char digits[DIGITS];
    struct bytes cells[ARRAY_LEN(pcr_columns)] = { bytes_str(name), bytes_str(what) };

    hex_encode(digits, value);
    cells[2] = bytes_str(digits);
    out_row(out, cells);
}

static void pcr_table(struct out *out, const struct eif *image, const struct eifsig *signature)
{
    out_table(out, "pcrs", pcr_columns, ARRAY_LEN(pcr_columns));
    pcr_row(out, "PCR0", "kernel, command line, all ramdisks", BYTES_OF(image->pcr[0]));
    pcr_row(out, "PCR1", "kernel, command line, first ramdisk", BYTES_OF(image->pcr[1]));
    pcr_row(out, "PCR2", "the other ramdisks", BYTES_OF(image->pcr[2]));
    if (signature)
        pcr_row(out, "PCR8", "the signing certificate", BYTES_OF(signature->pcr8));
    out_table_end(out);
}

void imageview_measurements(struct out *out, const struct eif *image,
                            const struct eifsig *signature)
{
    struct jw *jw = &out->jw;

    if (!out->is_json) {
        pcr_table(out, image, signature);
        return;
    }
    jw_object(jw_key(jw, "Measurements"));
    jw_cstring(jw_key(jw, "HashAlgorithm"), "Sha384 { ... }"); // nitro-cli's words
    jw_digits(jw_key(jw, "PCR0"), BYTES_OF(image->pcr[0]));
    jw_digits(jw_key(jw, "PCR1"), BYTES_OF(image->pcr[1]));
    jw_digits(jw_key(jw, "PCR2"), BYTES_OF(image->pcr[2]));
    if (signature)
        jw_digits(jw_key(jw, "PCR8"), BYTES_OF(signature->pcr8));
    jw_object_end(jw);
}

static FALLIBLE read_file(struct eif_source *source, const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ENSURE(*fd >= 0 || errno != ENOENT, ERR_NOT_FOUND, "there is no such file");
    ENSURE(*fd >= 0, ERR_IO, "cannot be opened");
    TRY(eif_of_file(source, *fd));
    return eif_read(&eif, source);
}

// Reads the image of the command line and its signature, if there is one. *fd is the caller's to
// close, also after an error.
static FALLIBLE load(struct cli *cli, struct eif_source *source, int *fd)
{
    const char *path;
    struct err err;

    TRY(cli_word(cli, &path));
    (void)snprintf(cli->where, sizeof(cli->where), "%.150s: ", path);
    eif.at = -1;
    err = read_file(source, path, fd);
    if (err.code && eif.at >= 0)
        (void)snprintf(cli->where, sizeof(cli->where), "%.150s: section %d: ", path, eif.at);
    TRY(err);
    if (eif.signature.p)
        TRY(eifsig_read(&sig, eif.signature));
    cli->where[0] = 0;
    return OK;
}

static const struct out_column section_columns[] = {
    { "section", 12 },
    { "offset", 12 },
    { "bytes", 0 },
};

static void show_sections(struct out *out)
{
    out_table(out, "sections", section_columns, ARRAY_LEN(section_columns));
    for (size_t i = 0; i < eif.sections; i++) {
        char offset[24], size[24];

        (void)snprintf(offset, sizeof(offset), "%llu", (unsigned long long)eif.section[i].at);
        (void)snprintf(size, sizeof(size), "%llu", (unsigned long long)eif.section[i].n);
        out_row(out, (const struct bytes[]) { bytes_str(eif_type_name(eif.section[i].type)),
                                              bytes_str(offset), bytes_str(size) });
    }
    out_table_end(out);
}

static const struct out_column file_columns[] = {
    { "ramdisk", 8 }, { "mode", 8 }, { "bytes", 12 }, { "sha384", 98 }, { "name", 0 },
};

static FALLIBLE show_file(struct out *out, size_t section, const struct ramdisk *disk)
{
    char number[24], mode[16], size[24], digits[DIGITS];
    uint8_t digest[EIF_PCR_BYTES];

    TRY(ramdisk_hash(disk, digest));
    hex_encode(digits, BYTES_OF(digest));
    (void)snprintf(number, sizeof(number), "%zu", section);
    (void)snprintf(mode, sizeof(mode), "%06o", (unsigned)disk->mode);
    (void)snprintf(size, sizeof(size), "%llu", (unsigned long long)disk->n);
    out_row(out, (const struct bytes[]) { bytes_str(number), bytes_str(mode), bytes_str(size),
                                          bytes_str(digits), bytes_str(disk->name) });
    return OK;
}

// Every entry of a ramdisk, shown or only read.
static FALLIBLE walk(struct out *out, const struct eif_source *source, size_t section)
{
    struct ramdisk disk = ramdisk_of(source, &eif.section[section]);
    bool is_entry = true;

    while (is_entry) {
        TRY(ramdisk_next(&disk, &is_entry));
        if (out && is_entry)
            TRY(show_file(out, section, &disk));
    }
    return OK;
}

// A ramdisk that cannot be read to its end is not listed at all: half a list would look whole.
static FALLIBLE show_files(struct out *out, const struct eif_source *source)
{
    bool is_listed[EIF_SECTIONS_MAX] = { false };

    for (size_t i = 0; i < eif.sections; i++) {
        struct err err;
        char key[48];

        if (eif.section[i].type != EIF_RAMDISK)
            continue;
        err = walk(NULL, source, i);
        is_listed[i] = !err.code;
        (void)snprintf(key, sizeof(key), "files_of_section_%zu", i);
        if (err.code)
            out_str(out, key, err_text(err));
    }
    out_table(out, "files", file_columns, ARRAY_LEN(file_columns));
    for (size_t i = 0; i < eif.sections; i++)
        if (is_listed[i])
            TRY(walk(out, source, i));
    out_table_end(out);
    return OK;
}

static void show_signature(struct out *out)
{
    out_bool(out, "signed", eif.signature.p != NULL);
    if (!eif.signature.p)
        return;
    out_str(out, "certificate_subject", sig.cert.subject);
    out_str(out, "certificate_issuer", sig.cert.issuer);
    out_time(out, "certificate_from", sig.cert.from_s * 1000);
    out_time(out, "certificate_until", sig.cert.until_s * 1000);
}

struct err imageview_describe(struct cli *cli)
{
    AUTO(fd_close) int fd = -1;
    struct out *out = &cli->out;
    const struct json *metadata = NULL;
    struct eif_source source;
    uint8_t crc[4];
    struct wr wr = WR_OF(crc);

    TRY(load(cli, &source, &fd));
    if (eif.metadata.p) {
        (void)snprintf(cli->where, sizeof(cli->where), "metadata: ");
        TRY(json_parse(&metadata, nodes, NODES_MAX, eif.metadata_buf, eif.metadata.n));
        cli->where[0] = 0;
    }
    wr_u32(&wr, eif.crc);
    out_str(out, "verified", "no: this only shows what it says");
    out_u64(out, "version", eif.version);
    out_str(out, "architecture", eif.is_arm ? "aarch64" : "x86_64");
    out_u64(out, "memory_hint", eif.memory_bytes);
    out_u64(out, "cpu_hint", eif.cpus);
    out_digits(out, "crc32", BYTES_OF(crc));
    out_text(out, "cmdline", eif.cmdline);
    out_value(out, "metadata", metadata);
    show_signature(out);
    show_sections(out);
    TRY(show_files(out, &source));
    imageview_measurements(out, &eif, eif.signature.p ? &sig : NULL);
    return OK;
}

static FALLIBLE check_signature(struct cli *cli)
{
    const char *pcr8 = args_get(&cli->args, "pcr8");
    uint8_t expected[EIF_PCR_BYTES];
    size_t n = 0;

    if (pcr8 && (cli_hex(expected, sizeof(expected), &n, pcr8).code || n != sizeof(expected)))
        return CLI_USAGE_ERROR(cli, "--pcr8: expected 96 hex digits");
    cli->exit = CLI_UNVERIFIED;
    ENSURE(eif.signature.p || !pcr8, ERR_UNTRUSTED, "PCR8: the image is not signed");
    if (!eif.signature.p)
        return OK;
    TRY(eifsig_verify(&sig, eif.pcr[0]));
    TRY(codesign_valid(&sig.cert, cli_now_ms() / 1000));
    ENSURE(!pcr8 || bytes_equal(BYTES_OF(expected), BYTES_OF(sig.pcr8)), ERR_UNTRUSTED,
           "PCR8: the image is signed under another certificate");
    return OK;
}

static FALLIBLE check_pcr0(struct cli *cli)
{
    const struct trust *trust = &cli->trust;

    cli->exit = CLI_UNVERIFIED;
    for (size_t i = 0; i < trust->pcr0_len; i++)
        if (bytes_equal(BYTES_OF(trust->pcr0[i]), BYTES_OF(eif.pcr[0])))
            return OK;
    ENSURE(trust->pcr0_len == 0, ERR_UNTRUSTED, "PCR0: the image is none of those that you trust");
    return OK;
}

static FALLIBLE check(struct cli *cli)
{
    TRY(check_signature(cli));
    return check_pcr0(cli);
}

static void say_what(struct cli *cli)
{
    struct out *out = &cli->out;
    bool is_pinned = cli->trust.pcr0_len > 0;
    const char *signature = "none: the image is not signed";

    if (eif.signature.p)
        signature = args_has(&cli->args, "pcr8")
                        ? "ok, by the certificate of --pcr8"
                        : "ok, by the certificate in the image, whoever's that is";
    out_str(out, "verified", is_pinned ? "yes" : "form ok, PCR0 not compared");
    out_str(out, "form", "ok: header, sections, order, sizes");
    out_str(out, "crc32", "ok");
    out_str(out, "pcr0", is_pinned ? "ok: one that you trust" : "not compared");
    out_str(out, "signature", signature);
}

struct err imageview_verify(struct cli *cli)
{
    AUTO(fd_close) int fd = -1;
    struct eif_source source;
    const char *path;
    struct err err;

    TRY(cli_word(cli, &path));
    TRY(cli_load_trust(cli, false));
    TRY(cli_read_pcr0(cli));
    TRY(load(cli, &source, &fd));
    err = check(cli);
    if (cli->is_usage)
        return err;
    if (err.code)
        out_str(&cli->out, "verified", "UNVERIFIED");
    else
        say_what(cli);
    show_signature(&cli->out);
    imageview_measurements(&cli->out, &eif, eif.signature.p ? &sig : NULL);
    TRY(err);
    cli->exit = cli->trust.pcr0_len > 0 ? CLI_DONE : CLI_DEPLOYMENT;
    if (cli->exit == CLI_DEPLOYMENT)
        out_say("cloister: ", BYTES_LIT("nothing says that this is the image you want: give "
                                        "--pcr0, or pcr0 in the trust file"));
    return OK;
}
