/* Deletes every topic of gridfold that a prefix has on a broker; ends the test's process on errors.
 */
#ifndef GF_TEST_TOPIC_DELETE_H
#define GF_TEST_TOPIC_DELETE_H

void topics_delete(const char *brokers, const char *prefix);

#endif
