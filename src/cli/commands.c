// SPDX-License-Identifier: Apache-2.0
// Finding a command by its words, and help.
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

static const struct args_option common[] = {
    { "trust", NULL, ARGS_VALUE, "FILE", "trust file, else ~/.config/cloister/trust" },
    { "json", NULL, ARGS_FLAG, NULL, "one JSON object on standard output" },
    { "help", "h", ARGS_FLAG, NULL, "this text" },
    { NULL, NULL, ARGS_FLAG, NULL, NULL },
};
const struct args_option *const commands_common = common;

const struct commands_entry *commands_find(char *const *argv, int *words)
{
    for (size_t i = 0; argv[0] && i < commands_table_len; i++) {
        if (strcmp(commands_table[i].noun, argv[0]) != 0)
            continue;
        *words = commands_table[i].verb ? 2 : 1;
        if (!commands_table[i].verb || (argv[1] && strcmp(commands_table[i].verb, argv[1]) == 0))
            return &commands_table[i];
    }
    return NULL;
}

bool commands_has_noun(const char *noun)
{
    for (size_t i = 0; i < commands_table_len; i++)
        if (strcmp(commands_table[i].noun, noun) == 0)
            return true;
    return false;
}

static void print_line(const struct commands_entry *command)
{
    char left[64];

    (void)snprintf(left, sizeof(left), "%s%s%s%s%s", command->noun, command->verb ? " " : "",
                   command->verb ? command->verb : "", command->word ? " " : "",
                   command->word ? command->word : "");
    printf("  %-24s %s\n", left, command->summary);
}

static void print_options(const struct args_option *options)
{
    for (; options->name; options++) {
        char left[64];

        (void)snprintf(left, sizeof(left), "%s%s%s--%s%s%s", options->letter ? "-" : "",
                       options->letter ? options->letter : "", options->letter ? ", " : "",
                       options->name, options->value ? " " : "",
                       options->value ? options->value : "");
        printf("  %-26s %s%s\n", left, options->help,
               options->kind == ARGS_REPEATED ? "; may be repeated" : "");
    }
}

void commands_help_all(void)
{
    puts("cloister: Ethereum keys that live and sign only inside a Nitro Enclave\n\n"
         "usage: cloister NOUN VERB [OPTIONS]; cloister NOUN VERB --help\n");
    for (size_t i = 0; i < commands_table_len; i++)
        print_line(&commands_table[i]);
    puts("\nOptions of every command:");
    print_options(common);
    puts("\nThe trust file says where the service is and what you know about it:\n\n"
         "  url = unix:///run/cloister/rest.sock\n"
         "  token_file = token\n"
         "  pcr0 = 96 hex digits of the image that you built or trust\n"
         "  keyset = 32 hex digits; optional: take keys of these keysets only\n"
         "  configuration = configuration.bin\n\n"
         "Exit codes: 0 done, 1 refused, 2 usage, 3 unreachable, 4 UNVERIFIED,\n"
         "5 code ok but deployment unverified. Example:\n\n"
         "  cloister account create --user alice --name main --unrestricted");
}

void commands_help_noun(const char *noun)
{
    const struct commands_entry *first = NULL;

    printf("usage: cloister %s VERB [OPTIONS]; cloister %s VERB --help\n\n", noun, noun);
    for (size_t i = 0; i < commands_table_len; i++) {
        if (strcmp(commands_table[i].noun, noun) != 0)
            continue;
        first = first ? first : &commands_table[i];
        print_line(&commands_table[i]);
    }
    if (first)
        printf("\n%s", first->text);
}

void commands_say_verbs(const char *noun)
{
    const char *before = "";

    (void)fprintf(stderr, "cloister %s: expected a verb: ", noun);
    for (size_t i = 0; i < commands_table_len; i++) {
        if (strcmp(commands_table[i].noun, noun) != 0 || !commands_table[i].verb)
            continue;
        (void)fprintf(stderr, "%s%s", before, commands_table[i].verb);
        before = ", ";
    }
    (void)fprintf(stderr, "; see cloister %s --help\n", noun);
}

void commands_help(const struct commands_entry *command)
{
    printf("cloister %s%s%s: %s\n\nusage: cloister %s%s%s%s%s [OPTIONS]\n\n", command->noun,
           command->verb ? " " : "", command->verb ? command->verb : "", command->summary,
           command->noun, command->verb ? " " : "", command->verb ? command->verb : "",
           command->word ? " " : "", command->word ? command->word : "");
    print_options(command->options);
    print_options(common);
    printf("\n%s", command->text);
}
