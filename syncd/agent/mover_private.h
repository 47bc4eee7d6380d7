/* What the files of the mover share. */
#ifndef ROADBOOK_MOVER_PRIVATE_H
#define ROADBOOK_MOVER_PRIVATE_H

#include "syncd/agent/mover.h"

enum {
    MOVER_PLAN_BYTES_MAX = 8 * 1024 * 1024,
    MOVER_STEP_BYTES_MAX = 16 * 1024 * 1024, /* a piece, and the messages around it */
    MOVER_HTTP_BYTES = 700 /* request line, fields and reply line of an exchange */
};

struct task {
    struct hash content;
    int64_t bytes;
    bool up, wanted;
};

struct mover {
    struct mover_config config;
    struct blobs blobs;
    struct pace pace;
    struct mover_progress progress;
    bool must_look; /* the rows may say something else than the plan */
    struct arena plan_mem;
    struct task *tasks; /* in plan_mem; [task_at, task_count) are still to do */
    size_t task_at, task_count;
    bool asked; /* of the task under way: at is known */
    int64_t at; /* so much of it is there */
    uint32_t failures;
    bool renewed; /* the next exchange makes a new connection because we said so */
};

/* Fills tasks from rows, folder and rules. */
enum status mover_plan(struct mover *m, struct err *err) NODISCARD;

#endif
