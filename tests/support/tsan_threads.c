/* C11 threads by POSIX ones, linked into every program of a build with ThreadSanitizer. Its runtime
 * knows POSIX threads alone: librdkafka's, which come from thrd_create, die in it, and what their
 * mtx_t and cnd_t order would look like races. In glibc both kinds are the same objects. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "one is the other");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "one is the other");
_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "one is the other");

static int
result_of(int failure)
{
    return failure == 0           ? thrd_success
           : failure == ENOMEM    ? thrd_nomem
           : failure == EBUSY     ? thrd_busy
           : failure == ETIMEDOUT ? thrd_timedout
                                  : thrd_error;
}

struct start {
    thrd_start_t run;
    void *context;
};

static void *
thread_run(void *context)
{
    const struct start start = *(struct start *)context;
    free(context);
    return (void *)(intptr_t)start.run(start.context);
}

int
thrd_create(thrd_t *thread, thrd_start_t run, void *context)
{
    struct start *start = malloc(sizeof(*start));
    if (start == NULL) {
        return thrd_nomem;
    }
    *start = (struct start){run, context};
    const int failure = pthread_create(thread, NULL, thread_run, start);
    if (failure != 0) {
        free(start);
    }
    return result_of(failure);
}

int
thrd_join(thrd_t thread, int *result_out)
{
    void *result = NULL;
    const int failure = pthread_join(thread, &result);
    if (result_out != NULL) {
        *result_out = (int)(intptr_t)result;
    }
    return result_of(failure);
}

int
mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    if ((type & mtx_recursive) != 0) {
        pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    }
    const int failure = pthread_mutex_init((pthread_mutex_t *)mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return result_of(failure);
}

void
mtx_destroy(mtx_t *mutex)
{
    pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

int
mtx_lock(mtx_t *mutex)
{
    return result_of(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int
mtx_unlock(mtx_t *mutex)
{
    return result_of(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

int
cnd_init(cnd_t *condition)
{
    return result_of(pthread_cond_init((pthread_cond_t *)condition, NULL));
}

void
cnd_destroy(cnd_t *condition)
{
    pthread_cond_destroy((pthread_cond_t *)condition);
}

int
cnd_signal(cnd_t *condition)
{
    return result_of(pthread_cond_signal((pthread_cond_t *)condition));
}

int
cnd_broadcast(cnd_t *condition)
{
    return result_of(pthread_cond_broadcast((pthread_cond_t *)condition));
}

int
cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return result_of(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

int
cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
    return result_of(
        pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until));
}

void
call_once(once_flag *flag, void (*run)(void))
{
    pthread_once((pthread_once_t *)flag, run);
}
