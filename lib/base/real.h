/* exp, log and friends that give the same bits everywhere: the C library picks other variants on
 * other processors. Built from exact basic operations (+ - * / sqrt, all rounded by IEEE 754) in a
 * fixed order; error below 2 ulp. */
#ifndef GF_BASE_REAL_H
#define GF_BASE_REAL_H

double gf_exp(double x);
double gf_log(double x); /* x > 0; log(0) = -inf, log(<0) = NaN */
double gf_sin(double x); /* |x| < 1e6 */
double gf_sqrt(double x);
double gf_sigmoid(double x); /* 1 / (1 + exp(-x)) without overflow */

#endif
