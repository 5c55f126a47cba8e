/* Fiber: a function that runs on a stack of its own and can be left at any call and gone on with
 * later, in one thread. One that is left for good is simply forgotten: what it held is its owner's
 * to free. AddressSanitizer is told of every switch. */
#ifndef GF_SIM_FIBER_H
#define GF_SIM_FIBER_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

struct fiber {
    ucontext_t first;    /* how it begins */
    jmp_buf at, resumer; /* where it was left; who resumed it */
    void *stack;         /* kept for the next function */
    void (*run)(void *context);
    void *context;
    bool is_begun, is_done;
    void *asan_own, *asan_resumer; /* what AddressSanitizer keeps of each side */
    const void *resumer_stack;
    size_t resumer_stack_size;
};

/* Makes it ready to run `run` from the start, whatever it did before. */
void fiber_set(struct fiber *fiber, void (*run)(void *context), void *context);
void fiber_free(struct fiber *fiber);
/* Runs it until it leaves or ends. */
void fiber_resume(struct fiber *fiber);
/* Goes back to whoever resumed it; returns when it is resumed again, if ever. */
void fiber_leave(struct fiber *fiber);

#endif
