/* Programs that a test runs: started with their output in a file, waited for, stopped, killed. Each
 * function ends the test program with a message when it does not work. */
#ifndef GF_TEST_PROGRAM_H
#define GF_TEST_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROGRAM_SECONDS_MAX 120

struct test_program {
    pid_t pid; /* 0: not running */
    char log[256];
};

/* `arguments` ends with NULL; its first is the program. Standard output and error go to the file
 * `log`, anew. The program dies with the test. */
void test_program_start(struct test_program *program, const char *log,
                        const char *const arguments[]);

/* The exit code, or 128 + signal. */
int test_program_wait(struct test_program *program);
/* The same, or -1 when it still runs after `ms`. */
int test_program_wait_ms(struct test_program *program, int ms);
void test_program_signal(const struct test_program *program, int signal_number);

/* Starts and waits. */
int test_program_run(const char *log, const char *const arguments[]);

/* Whether a line of the file has `text` in it. */
bool test_file_has(const char *path, const char *text);
size_t test_file_lines(const char *path);
void test_file_show(const char *path); /* to standard error */

#endif
