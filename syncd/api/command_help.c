/* What is derived from a command table for people and their shells: help and completion. */
#include <string.h>

#include "syncd/api/command.h"

enum { HELP_INDENT = 2, HELP_GAP = 2 };

/* ------------------------------------------------------------------ help */

static void put_blanks(struct buf *out, size_t count) {
    for (size_t i = 0; i < count; i++) buf_put_byte(out, ' ');
}

/* "  left      right", with right on a line of its own when left is too long. */
static void put_pair(struct buf *out, const char *left, const char *right, size_t width) {
    size_t columns = text_columns(slice_from(left));
    put_blanks(out, HELP_INDENT);
    buf_put_text(out, left);
    if (columns > width) {
        buf_put_byte(out, '\n');
        put_blanks(out, HELP_INDENT + width + HELP_GAP);
    } else {
        put_blanks(out, width - columns + HELP_GAP);
    }
    buf_put_text(out, right);
    buf_put_byte(out, '\n');
}

static void put_option(struct buf *out, const struct command_option *o, enum lang lang,
                       size_t width) {
    SCOPED(buf_free) struct buf left = buf_new(BUF_MAX_LINE);
    if (o->letter) buf_printf(&left, "%s, ", o->letter);
    buf_put_text(&left, o->name);
    if (o->value[lang]) buf_printf(&left, " %s", o->value[lang]);
    put_pair(out, buf_text(&left), o->help[lang], width);
}

static void put_options(struct buf *out, const struct command_option *options, size_t count,
                        const char *title, enum lang lang) {
    enum { OPTION_COLUMNS = 24 };
    if (count == 0) return;
    buf_printf(out, "\n%s\n", title);
    for (size_t i = 0; i < count; i++) put_option(out, &options[i], lang, OPTION_COLUMNS);
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
        put_pair(out, set->commands[i].name, set->commands[i].summary[lang], width);
    put_options(out, set->options, set->option_count,
                lang == LANG_ZH ? "每个命令都有的选项：" : "Options of every command:", lang);
    buf_printf(out,
               lang == LANG_ZH ? "\n某个命令的详细说明：%s 命令 --help\n"
                               : "\nMore about one command: %s COMMAND --help\n",
               set->program);
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
    put_options(out, set->options, set->option_count,
                lang == LANG_ZH ? "每个命令都有的选项：" : "Options of every command:", lang);
}

/* ------------------------------------------------------------------ completion for bash
 *
 * The script holds all it needs: it starts no program while a person types.
 */

static void put_option_names(struct buf *out, const struct command_option *options, size_t count) {
    for (size_t i = 0; i < count; i++) buf_printf(out, "%s%s", i ? " " : "", options[i].name);
}

/* What completes one kind of word. */
static void put_found(struct buf *out, const struct command_set *set, const char *kind,
                      const char *before) {
    if (!strcmp(kind, "@file"))
        buf_put_text(out, "compopt -o filenames; COMPREPLY=($(compgen -f -- \"$word\")); return");
    else if (!strcmp(kind, "@dir"))
        buf_put_text(out, "compopt -o filenames; COMPREPLY=($(compgen -d -- \"$word\")); return");
    else if (!strcmp(kind, "-"))
        buf_put_text(out, "return");
    else if (kind[0] == '@')
        buf_printf(out, "_%s_%s %s", set->program, kind + 1, before);
    else
        buf_printf(out, "found=\"%s\"", kind);
}

static void put_option_values(struct buf *out, const struct command_set *set,
                              const struct command_option *options, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!options[i].words) continue;
        buf_printf(out, "        %s%s%s) ", options[i].name, options[i].letter ? "|" : "",
                   options[i].letter ? options[i].letter : "");
        put_found(out, set, options[i].words, "\"${plain[1]}\"");
        buf_put_text(out, ";;\n");
    }
}

/* Words by place: the last kind holds for all that follow. */
static void put_places(struct buf *out, const struct command_set *set, const struct command *c) {
    struct slice rest = slice_from(c->complete), kind;
    size_t place = 0;
    if (rest.len == 0) return;
    buf_put_text(out, "            case $count in\n");
    while (slice_cut(&rest, ' ', &kind)) {
        SCOPED(buf_free) struct buf name = buf_new(BUF_MAX_LINE);
        buf_put_slice(&name, kind);
        if (rest.len == 0)
            buf_put_text(out, "            *) ");
        else
            buf_printf(out, "            %zu) ", place);
        put_found(out, set, buf_text(&name), "\"${plain[1]}\"");
        buf_put_text(out, ";;\n");
        place++;
    }
    buf_put_text(out, "            esac\n");
}

static void put_command(struct buf *out, const struct command_set *set, const struct command *c) {
    buf_printf(out, "    \"%s\")\n        [[ $word == -* ]] && found=\"", c->name);
    put_option_names(out, set->options, set->option_count);
    if (c->option_count > 0) buf_put_byte(out, ' ');
    put_option_names(out, c->options, c->option_count);
    buf_put_text(out, "\" || {\n");
    buf_put_text(out, "            :\n");
    if (c->complete) put_places(out, set, c);
    buf_put_text(out, "        };;\n");
}

static void put_names(struct buf *out, const struct command_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        const char *name = set->commands[i].name;
        if (!strchr(name, ' ')) buf_printf(out, "%s%s", i ? " " : "", name);
    }
}

/* Second words ("held retry") join the first ones when the name of the command is looked for. */
static void put_pairs(struct buf *out, const struct command_set *set) {
    buf_put_text(out, "    case \"${plain[0]} ${plain[1]}\" in\n");
    for (size_t i = 0; i < set->count; i++) {
        const char *name = set->commands[i].name;
        if (strchr(name, ' '))
            buf_printf(out, "    \"%s\") name=\"%s\"; plain=(\"$name\" \"${plain[@]:2}\");;\n",
                       name, name);
    }
    buf_put_text(out, "    esac\n");
}

/* Whatever takes a value swallows the next word, so that it is not counted as a plain one. */
static void put_walk(struct buf *out, const struct command_set *set) {
    buf_put_text(out, "    local i plain=() takes=\" ");
    for (size_t c = 0; c <= set->count; c++) {
        const struct command_option *o = c < set->count ? set->commands[c].options : set->options;
        size_t n = c < set->count ? set->commands[c].option_count : set->option_count;
        for (size_t i = 0; i < n; i++)
            if (o[i].value[LANG_EN]) buf_printf(out, "%s ", o[i].name);
    }
    buf_put_text(out,
                 "\"\n"
                 "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                 "        if [[ $takes == *\" ${COMP_WORDS[i]} \"* ]]; then ((i++)); continue; fi\n"
                 "        [[ ${COMP_WORDS[i]} == -* ]] || plain+=(\"${COMP_WORDS[i]}\")\n"
                 "    done\n");
}

void command_completion(const struct command_set *set, const struct command_kind *kinds,
                        size_t count, void *ctx, struct buf *out) {
    const char *p = set->program;
    buf_printf(out,
               "# Completion of %s for bash. Put it to use with: source <(%s completion bash)\n", p,
               p);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "_%s_%s() {\n", p, kinds[i].name);
        kinds[i].write(ctx, out);
        buf_put_text(out, "}\n");
    }
    buf_printf(out, "_%s() {\n", p);
    buf_put_text(out, "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} "
                      "found= name\n");
    buf_put_text(out, "    COMPREPLY=()\n");
    put_walk(out, set);
    buf_put_text(out, "    name=${plain[0]}\n");
    put_pairs(out, set);
    buf_put_text(out, "    local count=$((${#plain[@]} - 1))\n    case $before in\n");
    put_option_values(out, set, set->options, set->option_count);
    for (size_t i = 0; i < set->count; i++)
        put_option_values(out, set, set->commands[i].options, set->commands[i].option_count);
    buf_put_text(out, "    esac\n    if [[ -z $found ]]; then case $name in\n    \"\") found=\"");
    put_names(out, set);
    buf_put_text(out, "\";;\n");
    for (size_t i = 0; i < set->count; i++) put_command(out, set, &set->commands[i]);
    buf_put_text(out, "    esac; fi\n"
                      "    COMPREPLY=($(compgen -W \"$found\" -- \"$word\"))\n"
                      "    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
                      "    return 0\n}\n");
    buf_printf(out, "complete -F _%s %s\n", p, p);
}
