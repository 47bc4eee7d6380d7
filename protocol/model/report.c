/* The words for what became of an edit. */
#include "protocol/model/model.h"

#include <assert.h>

const char *reason_text(enum reason reason, enum lang lang) {
    assert(lang < LANG_COUNT);
    switch (reason) {
#define REASON_CASE(name, number, en, zh)                                                          \
    case REASON_##name: return lang == LANG_ZH ? zh : en;
        REASON_ROWS(REASON_CASE)
#undef REASON_CASE
    case REASON_COUNT: break;
    }
    return lang == LANG_ZH ? "未知原因：请升级本程序"
                           : "a reason that this release does not know: update it";
}

static const struct {
    const char *name;
    const char *label[LANG_COUNT];
} OUTCOMES[OUTCOME_COUNT] = {
    [OUTCOME_APPLIED] = {"applied", {"applied", "已应用"}},
    [OUTCOME_MERGED] = {"merged", {"merged", "已合并"}},
    [OUTCOME_LOST] = {"lost", {"lost to another edit", "被其他修改取代"}},
    [OUTCOME_WAITING] = {"waiting", {"waiting", "等待处理"}},
    [OUTCOME_REFUSED] = {"refused", {"refused", "被拒绝"}},
};

const char *outcome_name(enum outcome outcome) {
    return (unsigned)outcome < OUTCOME_COUNT ? OUTCOMES[outcome].name : "unknown";
}

const char *outcome_label(enum outcome outcome, enum lang lang) {
    assert(lang < LANG_COUNT);
    if ((unsigned)outcome < OUTCOME_COUNT) return OUTCOMES[outcome].label[lang];
    return lang == LANG_ZH ? "未知" : "unknown";
}

/* ------------------------------------------------------------------ what became of a held edit */

static const struct state_row {
    const char *name;
    const char *label[LANG_COUNT];
} HELD_STATES[] = {
    [HELD_OPEN] = {"open", {"open", "待处理"}},
    [HELD_RELEASED] = {"released", {"sent again", "已重新提交"}},
    [HELD_APPROVED] = {"approved", {"approved", "已批准"}},
    [HELD_DECLINED] = {"declined", {"declined", "未批准"}},
    [HELD_WITHDRAWN] = {"withdrawn", {"withdrawn", "已撤回"}},
};

const char *held_state_name(enum held_state state) {
    return (unsigned)state < ARRAY_COUNT(HELD_STATES) ? HELD_STATES[state].name : "unknown";
}

const char *held_state_label(enum held_state state, enum lang lang) {
    assert(lang < LANG_COUNT);
    if ((unsigned)state < ARRAY_COUNT(HELD_STATES)) return HELD_STATES[state].label[lang];
    return lang == LANG_ZH ? "未知" : "unknown";
}

bool change_is_withdrawal(const struct change *change) {
    return change->kind == CHANGE_EDIT && change->edit_count == 0 && change->retry_count > 0;
}
