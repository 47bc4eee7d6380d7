/* What is derived from a command table for people: help. */
#include <string.h>

#include "syncd/api/command.h"

enum { HELP_INDENT = 2, HELP_GAP = 2 };

/* ------------------------------------------------------------------ help */

static void put_blanks(struct buf *out, size_t count) {
    for (size_t i = 0; i < count; i++) buf_put_byte(out, ' ');
}

/* "  left      right", with right on a line of its own when left is too long. */
static void put_pair(struct buf *out, const char *left, const char *right, size_t indent,
                     size_t width) {
    size_t columns = text_columns(slice_from(left));
    put_blanks(out, indent);
    buf_put_text(out, left);
    if (columns > width) {
        buf_put_byte(out, '\n');
        put_blanks(out, indent + width + HELP_GAP);
    } else {
        put_blanks(out, width - columns + HELP_GAP);
    }
    buf_put_text(out, right);
    buf_put_byte(out, '\n');
}

static void put_option(struct buf *out, const struct command_option *o, enum lang lang,
                       size_t indent) {
    enum { OPTION_COLUMNS = 24 };
    SCOPED(buf_free) struct buf left = buf_new(BUF_MAX_LINE);
    if (o->letter) buf_printf(&left, "%s, ", o->letter);
    buf_put_text(&left, o->name);
    if (o->value[lang]) buf_printf(&left, " %s", o->value[lang]);
    put_pair(out, buf_text(&left), o->help[lang], indent, OPTION_COLUMNS);
}

static void put_options(struct buf *out, const struct command_option *options, size_t count,
                        const char *title, enum lang lang) {
    if (count == 0) return;
    buf_printf(out, "\n%s\n", title);
    for (size_t i = 0; i < count; i++) put_option(out, &options[i], lang, HELP_INDENT);
}

static void put_every_options(struct buf *out, const struct command_set *set, enum lang lang) {
    put_options(out, set->options, set->option_count,
                lang == LANG_ZH ? "每个命令都有的选项：" : "Options of every command:", lang);
}

void command_usage(const struct command_set *set, const struct command *command, enum lang lang,
                   struct buf *out) {
    buf_put_text(out, lang == LANG_ZH ? "用法：" : "usage: ");
    if (!command) {
        buf_printf(out, "%s %s\n", set->program,
                   lang == LANG_ZH ? "命令 [参数...] [选项...]"
                                   : "COMMAND [ARGUMENT...] [OPTION...]");
        return;
    }
    buf_printf(out, "%s %s", set->program, command->name);
    if (command->usage[lang][0]) buf_printf(out, " %s", command->usage[lang]);
    buf_put_byte(out, '\n');
}

static void help_program(const struct command_set *set, enum lang lang, struct buf *out) {
    size_t width = 0;
    for (size_t i = 0; i < set->count; i++) {
        size_t n = strlen(set->commands[i].name);
        if (n > width) width = n;
    }
    buf_printf(out, "%s\n\n", set->about[lang]);
    command_usage(set, NULL, lang, out);
    buf_printf(out, "\n%s\n", lang == LANG_ZH ? "命令：" : "Commands:");
    for (size_t i = 0; i < set->count; i++)
        put_pair(out, set->commands[i].name, set->commands[i].summary[lang], HELP_INDENT, width);
    put_every_options(out, set, lang);
    buf_printf(out,
               lang == LANG_ZH ? "\n某个命令的详细说明：%s 命令 --help\n"
                               : "\nMore about one command: %s COMMAND --help\n",
               set->program);
}

/* The commands of two words that begin with this one, each with its options. */
static void help_family(const struct command_set *set, const char *word, enum lang lang,
                        struct buf *out) {
    size_t len = strlen(word);
    for (size_t i = 0; i < set->count; i++) {
        const struct command *c = &set->commands[i];
        if (strncmp(c->name, word, len) || c->name[len] != ' ') continue;
        if (out->len > 0) buf_put_byte(out, '\n');
        command_usage(set, c, lang, out);
        put_blanks(out, HELP_INDENT);
        buf_printf(out, "%s\n", c->summary[lang]);
        for (size_t o = 0; o < c->option_count; o++)
            put_option(out, &c->options[o], lang, 2 * HELP_INDENT);
    }
}

void command_help(const struct command_set *set, const struct command *command, enum lang lang,
                  struct buf *out) {
    if (!command) {
        help_program(set, lang, out);
        return;
    }
    buf_printf(out, "%s\n\n", command->summary[lang]);
    command_usage(set, command, lang, out);
    if (command->details[lang]) buf_printf(out, "\n%s", command->details[lang]);
    put_options(out, command->options, command->option_count,
                lang == LANG_ZH ? "选项：" : "Options:", lang);
    help_family(set, command->name, lang, out);
    put_every_options(out, set, lang);
}

enum status command_help_words(const struct command_set *set, const char *const *words,
                               size_t count, enum lang lang, struct buf *out, struct err *err) {
    size_t taken = 0;
    const struct command *command = count ? command_named(set, words, count, &taken) : NULL;
    if (command || count == 0) command_help(set, command, lang, out);
    if (count == 1 && !command) {
        help_family(set, words[0], lang, out);
        if (out->len > 0) put_every_options(out, set, lang);
    }
    if (out->len > 0) return ST_OK;
    return err_set(err, ST_USAGE, "no such command: %s (see: %s --help)",
                   "没有此命令：%s（见 %s --help）", words[0], set->program);
}

void command_version(const struct command_set *set, bool json, struct buf *out) {
    buf_printf(out, json ? "{\"program\":\"%s\",\"version\":\"%s\"}\n" : "%s %s\n", set->program,
               ROADBOOK_VERSION);
}
