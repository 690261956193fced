/* The rate of learning from step to step. */
#include "train.h"

#include <math.h>

double inception_rate_at(const inception_rate *r, uint64_t step)
{
    if (step < r->warm_up) return r->rate * (double)(step + 1) / (double)(r->warm_up + 1);
    uint64_t since = step - r->warm_up, all = r->steps > r->warm_up ? r->steps - r->warm_up : 1;
    if (r->schedule == INCEPTION_SCHEDULE_EXPONENTIAL)
        return r->rate * pow(r->factor, (double)(step / (r->interval ? r->interval : 1)));
    if (r->schedule == INCEPTION_SCHEDULE_COSINE)
        return r->rate * (1 + cos(acos(-1) * fmin(1, (double)since / (double)all))) / 2;
    return r->rate;
}
