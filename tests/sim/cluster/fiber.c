#include "fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define STACK_SIZE ((size_t)4 << 20)

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif

#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SWITCH_START(save, stack, size)   __sanitizer_start_switch_fiber(save, stack, size)
#define SWITCH_FINISH(saved, stack, size) __sanitizer_finish_switch_fiber(saved, stack, size)
#define STACK_UNPOISON(stack, size)       __asan_unpoison_memory_region(stack, size)
#else
#define SWITCH_START(save, stack, size)   ((void)0)
#define SWITCH_FINISH(saved, stack, size) ((void)0)
#define STACK_UNPOISON(stack, size)       ((void)0)
#endif

static void
fiber_main(unsigned low, unsigned high)
{
    struct fiber *fiber = (struct fiber *)((uintptr_t)low | (uintptr_t)high << 32);
    SWITCH_FINISH(NULL, &fiber->resumer_stack, &fiber->resumer_stack_size);
    fiber->run(fiber->context);
    fiber->is_done = true;
    SWITCH_START(NULL, fiber->resumer_stack, fiber->resumer_stack_size);
    _longjmp(fiber->resumer, 1);
}

void
fiber_set(struct fiber *fiber, void (*run)(void *context), void *context)
{
    if (fiber->stack == NULL) {
        fiber->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (fiber->stack == MAP_FAILED) {
            abort();
        }
    }
    STACK_UNPOISON(fiber->stack, STACK_SIZE); /* what was left for good left its red zones */
    fiber->run = run;
    fiber->context = context;
    fiber->is_begun = false;
    fiber->is_done = false;
    fiber->asan_own = NULL;
    getcontext(&fiber->first);
    fiber->first.uc_stack.ss_sp = fiber->stack;
    fiber->first.uc_stack.ss_size = STACK_SIZE;
    fiber->first.uc_link = NULL;
    makecontext(&fiber->first, (void (*)(void))fiber_main, 2, (unsigned)(uintptr_t)fiber,
                (unsigned)((uintptr_t)fiber >> 32));
}

void
fiber_free(struct fiber *fiber)
{
    if (fiber->stack != NULL) {
        STACK_UNPOISON(fiber->stack, STACK_SIZE);
        munmap(fiber->stack, STACK_SIZE);
        fiber->stack = NULL;
    }
}

/* Once begun, switching is a jump: no system call as in swapcontext, and both sides are known. */
void
fiber_resume(struct fiber *fiber)
{
    if (_setjmp(fiber->resumer) == 0) {
        SWITCH_START(&fiber->asan_resumer, fiber->stack, STACK_SIZE);
        if (fiber->is_begun) {
            _longjmp(fiber->at, 1);
        }
        fiber->is_begun = true;
        setcontext(&fiber->first);
    }
    SWITCH_FINISH(fiber->asan_resumer, NULL, NULL);
}

void
fiber_leave(struct fiber *fiber)
{
    if (_setjmp(fiber->at) == 0) {
        SWITCH_START(&fiber->asan_own, fiber->resumer_stack, fiber->resumer_stack_size);
        _longjmp(fiber->resumer, 1);
    }
    SWITCH_FINISH(fiber->asan_own, &fiber->resumer_stack, &fiber->resumer_stack_size);
}
