// Further elementary functions, made of those of math.wgsl: other logarithms, roots, hyperbolic and inverse functions.
// Holes: S name suffix ("" or "_v4"); F, I, U, B the float, int, uint and bool type of that width.

// The exponent is a whole number by itself, so that powers of two are exact.
fn gc_log2{{S}}(x: {{F}}) -> {{F}} {
  let e = gc_exponent{{S}}(x);
  let rest = gc_log_sum{{S}}(gc_mantissa{{S}}(x, e) - 1.0, {{F}}(0.0), {{F}}(0.0));
  return gc_log_special{{S}}(x, {{F}}(e) + rest * 1.442695);
}

// log10(2) in two parts, the high one of 11 bits, so that its product with the exponent is exact. The error is then
// below half of the last place where the result is whole: powers of ten are exact.
fn gc_log10{{S}}(x: {{F}}) -> {{F}} {
  let e = gc_exponent{{S}}(x);
  let rest = gc_log_sum{{S}}(gc_mantissa{{S}}(x, e) - 1.0, {{F}}(0.0), {{F}}(0.0));
  let y = {{F}}(e) * 0.30102539 + ({{F}}(e) * 4.605039e-6 + rest * 0.4342945);
  return gc_log_special{{S}}(x, y);
}

// x = 2^3q t with t in [0.7, 5.7); two steps of Halley's method from a root by its bits, which is within 6 %. Denormal
// numbers are scaled up, where the driver has them.
fn gc_cbrt{{S}}(x: {{F}}) -> {{F}} {
  let tiny = abs(x) < {{F}}(1.1754944e-38);
  let a = select(abs(x), abs(x) * 16777216.0, tiny);
  let e = gc_exponent{{S}}(a);
  let q = (e + 129) / 3 - 43;
  let t = bitcast<{{F}}>(bitcast<{{I}}>(a) - ((q * 3) << {{U}}(23u)));
  let first = bitcast<{{F}}>(bitcast<{{U}}>(t) / 3u + {{U}}(0x2a517d3cu));
  let cube = first * first * first;
  let second = first * (cube + 2.0 * t) / (2.0 * cube + t);
  let square = second * second;
  let y = second - (second * square - t) / (3.0 * square);
  let root = bitcast<{{F}}>(bitcast<{{I}}>(y) + (q << {{U}}(23u)));
  let found = select(select(root, root * 0.00390625, tiny), a, a == {{F}}(0.0));
  return select(gc_copysign{{S}}(found, x), x, !gc_isfinite{{S}}(x));
}

// e^a / 2 for a >= 9, finite wherever it is: half of e^(a / 2), by its exponent, times e^(a / 2).
fn gc_half_exp{{S}}(a: {{F}}) -> {{F}} {
  let root = gc_exp{{S}}(0.5 * max(a, {{F}}(9.0)));
  return bitcast<{{F}}>(bitcast<{{U}}>(root) - {{U}}(0x800000u)) * root;
}

fn gc_sinh{{S}}(x: {{F}}) -> {{F}} {
  let a = abs(x);
  let t = gc_expm1{{S}}(min(a, {{F}}(9.0)));
  let y = gc_copysign{{S}}(select(gc_half_exp{{S}}(a), 0.5 * (t + t / (t + 1.0)), a < {{F}}(9.0)), x);
  return select(y, x, gc_isnan{{S}}(x) | (a < {{F}}(2e-4)));
}

fn gc_cosh{{S}}(x: {{F}}) -> {{F}} {
  let a = abs(x);
  let t = gc_exp{{S}}(min(a, {{F}}(9.0)));
  return select(select(gc_half_exp{{S}}(a), 0.5 * (t + 1.0 / t), a < {{F}}(9.0)), x, gc_isnan{{S}}(x));
}

fn gc_tan{{S}}(x: {{F}}) -> {{F}} {
  return gc_sin{{S}}(x) / gc_cos{{S}}(x);
}

// The other leg of a right triangle whose long side is 1.
fn gc_across{{S}}(x: {{F}}) -> {{F}} {
  return sqrt((1.0 - x) * (1.0 + x));
}

fn gc_asin{{S}}(x: {{F}}) -> {{F}} {
  return gc_atan2{{S}}(x, gc_across{{S}}(x));
}

fn gc_acos{{S}}(x: {{F}}) -> {{F}} {
  return gc_atan2{{S}}(gc_across{{S}}(x), x);
}

// Above 4096 the square root of 1 + x^2 is x.
fn gc_asinh{{S}}(x: {{F}}) -> {{F}} {
  let a = abs(x);
  let near = min(a, {{F}}(4096.0));
  let square = near * near;
  let low = gc_log1p{{S}}(near + square / (1.0 + sqrt(1.0 + square)));
  let y = gc_copysign{{S}}(select(gc_log{{S}}(a) + 0.6931472, low, a < {{F}}(4096.0)), x);
  return select(y, x, gc_isnan{{S}}(x) | (a < {{F}}(2e-4)));
}

fn gc_acosh{{S}}(x: {{F}}) -> {{F}} {
  let t = clamp(x - 1.0, {{F}}(0.0), {{F}}(4096.0));
  let low = gc_log1p{{S}}(t + sqrt(t * (t + 2.0)));
  let y = select(gc_log{{S}}(x) + 0.6931472, low, x < {{F}}(4096.0));
  return select(select(y, gc_nan{{S}}(x), x < {{F}}(1.0)), x, gc_isnan{{S}}(x));
}

fn gc_atanh{{S}}(x: {{F}}) -> {{F}} {
  return select(0.5 * (gc_log1p{{S}}(x) - gc_log1p{{S}}(-x)), x, abs(x) < {{F}}(2e-4));
}

// The larger leg is taken out, so that nothing overflows. An infinite leg wins over NaN.
fn gc_hypot{{S}}(x: {{F}}, y: {{F}}) -> {{F}} {
  let a = gc_max{{S}}(abs(x), abs(y));
  let b = gc_min{{S}}(abs(x), abs(y));
  let usable = (a > {{F}}(0.0)) & gc_isfinite{{S}}(a);
  let ratio = gc_div{{S}}(b, select({{F}}(1.0), a, usable));
  let long = select(a, a * sqrt(1.0 + ratio * ratio), usable);
  return select(long, gc_inf{{S}}(x), gc_isinf{{S}}(x) | gc_isinf{{S}}(y));
}
