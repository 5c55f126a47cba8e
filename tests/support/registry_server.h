/* A schema registry for tests, on loopback, with the three requests that matter: register, look up,
 * fetch. It gives ids that no built-in schema has. */
#ifndef GF_TEST_REGISTRY_SERVER_H
#define GF_TEST_REGISTRY_SERVER_H

#include <stdint.h>

#define REGISTRY_SERVER_FIRST_ID 1001

/* Starts it in a thread; sets "http://127.0.0.1:port". Returns 0, or -1 when it does not work. */
int registry_server_start(char *url_out, uint32_t size);
void registry_server_stop(void);

/* The id of a subject's newest schema; 0 when there is none. And how many schemas there are. */
uint32_t registry_server_id(const char *subject);
uint32_t registry_server_count(void);

#endif
