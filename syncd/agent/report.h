/* Private to syncd/agent: how this laptop is, as head office is told. */
#ifndef ROADBOOK_REPORT_H
#define ROADBOOK_REPORT_H

#include "syncd/agent/agent.h"

/* Puts into the request what is worth telling; nothing without a home. */
enum status report_put(const struct agent_config *config, struct round_request *request,
                       struct err *err) NODISCARD;
/* The server has it. */
enum status report_told(const struct agent_config *config, const struct round_request *request,
                        struct err *err) NODISCARD;

#endif
