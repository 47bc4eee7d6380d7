/* Memory that runs out when a test wants it.
 *
 * Linking with rb_fault wraps malloc, calloc and realloc of this program's own code, and of jansson where
 * it is linked. The usual loop:
 *
 *     bool fired = true;
 *     for (size_t n = 1; fired; n++) {
 *         fault_arm(n);
 *         enum status status = the_operation(...);
 *         fired = fault_fired();
 *         fault_disarm();
 *         ...either it worked, or it failed cleanly and works now...
 *     }
 */
#ifndef ROADBOOK_FAULT_H
#define ROADBOOK_FAULT_H

#include <stdbool.h>
#include <stddef.h>

void fault_arm(size_t n);      /* the n-th allocation from now on fails, once; n begins with 1 */
void fault_disarm(void);
bool fault_fired(void);        /* since it was armed last */

#endif
