#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 5

static void
program_die(const struct test_program *program, const char *what)
{
    fprintf(stderr, "program with log %s: %s\n", program->log, what);
    test_file_show(program->log);
    if (program->pid > 0) {
        kill(program->pid, SIGKILL);
    }
    exit(1);
}

void
test_program_start(struct test_program *program, const char *log, const char *const arguments[])
{
    snprintf(program->log, sizeof(program->log), "%s", log);
    const pid_t parent = getpid();
    program->pid = fork();
    if (program->pid < 0) {
        program->pid = 0;
        program_die(program, "fork");
    }
    if (program->pid > 0) {
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() != parent || out < 0 || nothing < 0 || dup2(nothing, 0) < 0 || dup2(out, 1) < 0 ||
        dup2(out, 2) < 0) {
        _exit(126);
    }
    execv(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

int
test_program_wait_ms(struct test_program *program, int ms)
{
    for (;;) {
        int status = 0;
        if (waitpid(program->pid, &status, WNOHANG) == program->pid) {
            program->pid = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        if (ms <= 0) {
            return -1;
        }
        poll(NULL, 0, ms < TICK_MS ? ms : TICK_MS);
        ms -= TICK_MS;
    }
}

int
test_program_wait(struct test_program *program)
{
    const int code = test_program_wait_ms(program, PROGRAM_SECONDS_MAX * 1000);
    if (code < 0) {
        program_die(program, "does not end");
    }
    return code;
}

void
test_program_signal(const struct test_program *program, int signal_number)
{
    if (program->pid > 0) {
        kill(program->pid, signal_number);
    }
}

int
test_program_run(const char *log, const char *const arguments[])
{
    struct test_program program;
    test_program_start(&program, log, arguments);
    return test_program_wait(&program);
}

bool
test_file_has(const char *path, const char *text)
{
    bool is_there = false;
    static char line[65536];
    FILE *const file = fopen(path, "r");
    while (file != NULL && !is_there && fgets(line, sizeof(line), file) != NULL) {
        is_there = strstr(line, text) != NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return is_there;
}

size_t
test_file_lines(const char *path)
{
    size_t count = 0;
    FILE *const file = fopen(path, "r");
    for (int c; file != NULL && (c = getc(file)) != EOF;) {
        count += c == '\n';
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

void
test_file_show(const char *path)
{
    char line[1024];
    FILE *const file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        fputs(line, stderr);
    }
    if (file != NULL) {
        fclose(file);
    }
}
