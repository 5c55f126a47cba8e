#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

static void
test_murmur2_is_that_of_the_java_client(void **state)
{
    (void)state;
    /* From UtilsTest.testMurmur2 of Apache Kafka. */
    static const struct {
        const char *key;
        int32_t hash;
    } cases[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        const char *key = cases[index].key;
        assert_int_equal((int32_t)gf_murmur2(key, strlen(key)), cases[index].hash);
        const uint32_t positive = (uint32_t)cases[index].hash & 0x7fffffff;
        assert_int_equal(gf_partition_of(gf_span_text(key), 12), positive % 12);
        assert_int_equal(gf_partition_of(gf_span_text(key), 1), 0);
    }
    assert_int_equal(gf_murmur2(NULL, 0), 275646681);
}

static void
test_hashes_are_those_of_xxh3(void **state)
{
    (void)state;
    struct gf_digest digest = gf_digest_of("", 0);
    char text[33];
    gf_digest_print(&digest, text);
    assert_string_equal(text, "99aa06d3014798d86001c324468d497f");
    assert_true(gf_hash64("", 0, 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(gf_hash64(NULL, 0, 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(gf_hash64("a", 1, 0) != gf_hash64("a", 1, 1));
    assert_true(gf_hash64("a", 1, 0) != gf_hash64("b", 1, 0));
}

static void
test_parts_of_a_digest_do_not_run_together(void **state)
{
    (void)state;
    static const char *const splits[][2] = {
        {"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}, {"c", "ab"}};
    struct gf_digest digests[5];
    for (size_t index = 0; index < 5; index++) {
        digests[index] = gf_digest_of("start", 5);
        gf_digest_extend(&digests[index], splits[index][0], strlen(splits[index][0]));
        gf_digest_extend(&digests[index], splits[index][1], strlen(splits[index][1]));
        for (size_t other = 0; other < index; other++) {
            assert_memory_not_equal(&digests[index], &digests[other], sizeof(digests[0]));
        }
    }
    struct gf_digest again = gf_digest_of("start", 5);
    gf_digest_extend(&again, "ab", 2);
    gf_digest_extend(&again, "c", 1);
    assert_memory_equal(&again, &digests[0], sizeof(again));
}

/* A journal written today must be readable by the build of next year: the bits are part of its
 * format. */
static void
test_digests_stay_the_same(void **state)
{
    (void)state;
    struct gf_digest digest = gf_digest_of("gridfold", 8);
    gf_digest_extend(&digest, "journal", 7);
    gf_digest_extend(&digest, NULL, 0);
    char text[33];
    gf_digest_print(&digest, text);
    assert_string_equal(text, "fda6950193718aacf4d3854b934a7740");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_murmur2_is_that_of_the_java_client),
        cmocka_unit_test(test_hashes_are_those_of_xxh3),
        cmocka_unit_test(test_parts_of_a_digest_do_not_run_together),
        cmocka_unit_test(test_digests_stay_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
