/* Completion for bash, from the command table. The script holds all it needs: it starts no program
 * while a person types.
 */
#include <string.h>

#include "protocol/model/model.h"
#include "syncd/api/command.h"

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
    else if (!strcmp(kind, "@command"))
        buf_printf(out, "_%s_command", set->program);
    else if (kind[0] == '@')
        buf_printf(out, "_%s_%s %s", set->program, kind + 1, before);
    else
        buf_printf(out, "found=\"%s\"", kind);
}

/* of: the command that has the options, since others may have some of the same name; "": all do. */
static void put_option_values(struct buf *out, const struct command_set *set, const char *of,
                              const struct command_option *options, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!options[i].words) continue;
        buf_printf(out, "        \"%s:%s\"", of, options[i].name);
        if (options[i].letter) buf_printf(out, "|\"%s:%s\"", of, options[i].letter);
        buf_put_text(out, ") ");
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

/* The first word of commands of two words stands once, also when it is no command itself. */
static bool is_first_seen(const struct command_set *set, size_t at, size_t len) {
    for (size_t i = 0; i < at; i++)
        if (!strncmp(set->commands[i].name, set->commands[at].name, len) &&
            (set->commands[i].name[len] == ' ' || set->commands[i].name[len] == 0))
            return false;
    return true;
}

static void put_names(struct buf *out, const struct command_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        const char *name = set->commands[i].name;
        size_t len = strcspn(name, " ");
        if (!is_first_seen(set, i, len)) continue;
        if (i > 0) buf_put_byte(out, ' ');
        buf_put_slice(out, slice_of(name, len));
    }
}

static void put_second_words(struct buf *out, const struct command_set *set) {
    buf_put_text(out, "    [[ ${#plain[@]} == 1 && $word != -* ]] && case $name in\n");
    for (size_t i = 0; i < set->count; i++) {
        const char *name = set->commands[i].name;
        size_t len = strcspn(name, " ");
        if (name[len] == 0) continue;
        buf_printf(out, "    %.*s) found+=\"%s \";;&\n", (int)len, name, name + len + 1);
    }
    buf_put_text(out, "    esac\n");
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

/* ------------------------------------------------------------------ words of the catalogue */

static void put_entities(const struct command_set *set, const struct catalogue *catalogue,
                         struct buf *out) {
    buf_printf(out, "_%s_entity() {\n    found=\"", set->program);
    for (size_t i = 0; i < catalogue->count; i++)
        buf_printf(out, "%s%s", i ? " " : "", catalogue->entities[i].name);
    buf_put_text(out, "\"\n}\n");
}

/* By the entity, which is the function's first argument. */
static void put_fields(const struct command_set *set, const struct catalogue *catalogue,
                       const char *kind, const char *tail, struct buf *out) {
    buf_printf(out, "_%s_%s() {\n    case $1 in\n", set->program, kind);
    for (size_t i = 0; i < catalogue->count; i++) {
        const struct entity *e = &catalogue->entities[i];
        buf_printf(out, "    %s) found=\"", e->name);
        for (size_t k = 0; k < e->field_count; k++)
            buf_printf(out, "%s%s%s", k ? " " : "", e->fields[k].name, tail);
        buf_put_text(out, "\";;\n");
    }
    buf_put_text(out, "    esac\n}\n");
}

static void put_kinds(const struct command_set *set, const struct catalogue *catalogue,
                      struct buf *out) {
    buf_printf(out, "_%s_command() {\n    found=\"", set->program);
    put_names(out, set);
    buf_put_text(out, "\"\n}\n");
    if (!catalogue) return;
    put_entities(set, catalogue, out);
    put_fields(set, catalogue, "field", "", out);
    put_fields(set, catalogue, "assign", "=", out);
}

/* ------------------------------------------------------------------ the script */

static void put_function(const struct command_set *set, struct buf *out) {
    buf_printf(out, "_%s() {\n", set->program);
    buf_put_text(out, "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} "
                      "found= name\n");
    buf_put_text(out, "    COMPREPLY=()\n");
    put_walk(out, set);
    buf_put_text(out, "    name=${plain[0]}\n");
    put_pairs(out, set);
    buf_put_text(out, "    local count=$((${#plain[@]} - 1))\n    case \":$before\" in\n");
    put_option_values(out, set, "", set->options, set->option_count);
    buf_put_text(out, "    esac\n    case \"$name:$before\" in\n");
    for (size_t i = 0; i < set->count; i++)
        put_option_values(out, set, set->commands[i].name, set->commands[i].options,
                          set->commands[i].option_count);
    buf_put_text(out, "    esac\n    if [[ -z $found ]]; then\n");
    put_second_words(out, set);
    buf_printf(out, "    case $name in\n    \"\") _%s_command;;\n", set->program);
    for (size_t i = 0; i < set->count; i++) put_command(out, set, &set->commands[i]);
    buf_put_text(out, "    esac; fi\n"
                      "    COMPREPLY=($(compgen -W \"$found\" -- \"$word\"))\n"
                      "    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
                      "    return 0\n}\n");
}

enum status command_completion(const struct command_set *set, const char *shell,
                               const struct catalogue *catalogue, struct buf *out,
                               struct err *err) {
    const char *p = set->program;
    if (strcmp(shell, "bash") != 0)
        return err_set(err, ST_USAGE, "there is completion for bash only, not for: %s",
                       "仅支持 bash 的命令补全，不支持：%s", shell);
    buf_printf(out,
               "# Completion of %s for bash. Put it to use with: source <(%s completion bash)\n", p,
               p);
    put_kinds(set, catalogue, out);
    put_function(set, out);
    buf_printf(out, "complete -F _%s %s\n", p, p);
    return buf_status(out, err);
}
