#include "sim.h"

void
model_check(struct sim *sim)
{
    (void)sim;
}
