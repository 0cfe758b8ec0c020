// Elementary functions: the same numbers on every driver, for scalars and vec4.
// Holes: S name suffix ("" or "_v4"); F, I, U, B the float, int, uint and bool type of that width; buffer the name of
// a storage buffer that the kernel binds.
//
// WGSL's own functions are only as good as the driver, and drivers may assume that no value is NaN or infinite. So
// special values are told by their bits, and each function is built from additions, multiplications, bit operations
// and the built-ins that are exact everywhere (floor, abs, select).

// 0, which no compiler can know to be 0: an array in a buffer has an element at least.
fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&{{buffer}}) == 0u);
}

// x, as a value that compilers cannot see through. They simplify arithmetic as if it were that of real numbers: x * 0
// and x - x become 0, which drops NaN and infinity, and (x + 1) - 1 becomes x. Added twice it does not cancel.
fn gc_hold{{S}}(x: {{F}}) -> {{F}} {
  return bitcast<{{F}}>(bitcast<{{U}}>(x) + {{U}}(gc_unknown()));
}

// The same for a truth.
fn gc_hold_bool{{S}}(x: {{B}}) -> {{B}} {
  return (select({{U}}(0u), {{U}}(1u), x) + {{U}}(gc_unknown())) != {{U}}(0u);
}

fn gc_isnan{{S}}(x: {{F}}) -> {{B}} {
  return (bitcast<{{U}}>(x) & {{U}}(0x7fffffffu)) > {{U}}(0x7f800000u);
}

fn gc_isinf{{S}}(x: {{F}}) -> {{B}} {
  return (bitcast<{{U}}>(x) & {{U}}(0x7fffffffu)) == {{U}}(0x7f800000u);
}

fn gc_isfinite{{S}}(x: {{F}}) -> {{B}} {
  return (bitcast<{{U}}>(x) & {{U}}(0x7f800000u)) != {{U}}(0x7f800000u);
}

// x / y for every y. GPUs multiply by the reciprocal, and that of a y beyond 2^126 is too small for them: they give 0.
fn gc_div{{S}}(x: {{F}}, y: {{F}}) -> {{F}} {
  let scale = select({{F}}(1.0), {{F}}(0.25), abs(y) > {{F}}(8.5e37));
  return (x * scale) / gc_hold{{S}}(y * scale);
}

// np.maximum: NaN wins over every number.
fn gc_max{{S}}(a: {{F}}, b: {{F}}) -> {{F}} {
  return select(select(max(a, b), b, gc_isnan{{S}}(b)), a, gc_isnan{{S}}(a));
}

// np.minimum: NaN wins over every number.
fn gc_min{{S}}(a: {{F}}, b: {{F}}) -> {{F}} {
  return select(select(min(a, b), b, gc_isnan{{S}}(b)), a, gc_isnan{{S}}(a));
}

// np.sign: NaN stays NaN.
fn gc_sign{{S}}(x: {{F}}) -> {{F}} {
  return select(sign(x), x, gc_isnan{{S}}(x));
}

// y with the sign of x, of which it is the whole part, rounded somehow. Where processors do not round, drivers do it by
// way of integers, which have no -0 (llvmpipe of 512 bits).
fn gc_whole{{S}}(x: {{F}}, y: {{F}}) -> {{F}} {
  return bitcast<{{F}}>(bitcast<{{U}}>(y) | (bitcast<{{U}}>(x) & {{U}}(0x80000000u)));
}

fn gc_floor{{S}}(x: {{F}}) -> {{F}} {
  return gc_whole{{S}}(x, floor(x));
}

fn gc_ceil{{S}}(x: {{F}}) -> {{F}} {
  return gc_whole{{S}}(x, ceil(x));
}

fn gc_trunc{{S}}(x: {{F}}) -> {{F}} {
  return gc_whole{{S}}(x, trunc(x));
}

// np.rint: half to even, as sums are rounded: of 2^23 and more only whole numbers are known. The same drivers' `round`
// rounds halves up.
fn gc_round{{S}}(x: {{F}}) -> {{F}} {
  let size = abs(x);
  let nearest = gc_hold{{S}}(size + 8388608.0) - 8388608.0;
  return gc_whole{{S}}(x, select(size, nearest, size < {{F}}(8388608.0)));
}

// A NaN, and positive infinity: made from the bits of a value, since constant expressions may not be either.
fn gc_nan{{S}}(x: {{F}}) -> {{F}} {
  return bitcast<{{F}}>(bitcast<{{U}}>(x) | {{U}}(0x7fc00000u));
}

fn gc_inf{{S}}(x: {{F}}) -> {{F}} {
  return bitcast<{{F}}>((bitcast<{{U}}>(x) & {{U}}(0u)) | {{U}}(0x7f800000u));
}

// x * 2^n for n in [-252, 254], in two steps so that neither factor leaves the range of f32.
fn gc_scale{{S}}(x: {{F}}, n: {{I}}) -> {{F}} {
  let half = n >> {{U}}(1u);
  let rest = n - half;
  return x * bitcast<{{F}}>((half + 127) << {{U}}(23u)) * bitcast<{{F}}>((rest + 127) << {{U}}(23u));
}

// x without its 12 lowest mantissa bits: a product of two such numbers is exact. Masking, unlike Dekker's splitting
// by multiplication, survives a compiler that reassociates.
fn gc_high{{S}}(x: {{F}}) -> {{F}} {
  return bitcast<{{F}}>(bitcast<{{U}}>(x) & {{U}}(0xfffff000u));
}

// e^r - 1 - r for |r| <= ln(2) / 2.
fn gc_exp_tail{{S}}(r: {{F}}) -> {{F}} {
  return r * r * ((((0.0013946552 * r + 0.008366644) * r + 0.04166628) * r + 0.16666542) * r + 0.5);
}

// x = n ln 2 + r. The high part of ln 2 has 9 bits, so that its product with n is exact.
fn gc_exp{{S}}(x: {{F}}) -> {{F}} {
  let t = clamp(x, {{F}}(-104.0), {{F}}(89.0));
  let n = round(t * 1.442695);
  let r = (t - n * 0.693359375) + n * 2.1219444e-4;
  let y = gc_scale{{S}}(1.0 + (r + gc_exp_tail{{S}}(r)), {{I}}(n));
  let bounded = select(select(y, gc_inf{{S}}(x), x > {{F}}(88.72283172607422)), {{F}}(0.0), x < {{F}}(-104.0));
  return select(bounded, x, gc_isnan{{S}}(x));
}

// 2^n (e^r - 1) + (2^n - 1), halved throughout so that 2^(n - 1) is finite for every n.
fn gc_expm1{{S}}(x: {{F}}) -> {{F}} {
  let t = clamp(x, {{F}}(-20.0), {{F}}(89.0));
  let n = round(t * 1.442695);
  let r = (t - n * 0.693359375) + n * 2.1219444e-4;
  let power = bitcast<{{F}}>(({{I}}(n) + 126) << {{U}}(23u));
  let y = 2.0 * ((power - 0.5) + power * (r + gc_exp_tail{{S}}(r)));
  let bounded = select(y, gc_inf{{S}}(x), x > {{F}}(88.72283172607422));
  return select(bounded, x, gc_isnan{{S}}(x) | (abs(x) < {{F}}(1e-8)));
}

// The exponent e of x = 2^e m with m in [sqrt(1/2), sqrt(2)).
fn gc_exponent{{S}}(x: {{F}}) -> {{I}} {
  return (bitcast<{{I}}>(x) - {{I}}(0x3f3504f3)) >> {{U}}(23u);
}

// m of the same.
fn gc_mantissa{{S}}(x: {{F}}, e: {{I}}) -> {{F}} {
  return bitcast<{{F}}>(bitcast<{{I}}>(x) - (e << {{U}}(23u)));
}

// log(1 + f) + e ln 2 + correction, for 1 + f in [sqrt(1/2), sqrt(2)).
fn gc_log_sum{{S}}(f: {{F}}, e: {{F}}, correction: {{F}}) -> {{F}} {
  var p = -0.07859546 * f + 0.12881622;
  p = p * f - 0.13128768;
  p = p * f + 0.14181197;
  p = p * f - 0.16624554;
  p = p * f + 0.20002286;
  p = p * f - 0.2500081;
  p = p * f + 0.33333316;
  let tail = f * f * (p * f - 0.5) + (correction - e * 2.1219444e-4);
  return (f + tail) + e * 0.693359375;
}

// The value of a logarithm of x outside the finite positive numbers. Denormals count as zero.
fn gc_log_special{{S}}(x: {{F}}, y: {{F}}) -> {{F}} {
  let negative = select(y, gc_nan{{S}}(x), x < {{F}}(0.0));
  let zero = select(negative, -gc_inf{{S}}(x), abs(x) < {{F}}(1.1754944e-38));
  return select(zero, x, gc_isnan{{S}}(x) | (bitcast<{{U}}>(x) == {{U}}(0x7f800000u)));
}

fn gc_log{{S}}(x: {{F}}) -> {{F}} {
  let e = gc_exponent{{S}}(x);
  return gc_log_special{{S}}(x, gc_log_sum{{S}}(gc_mantissa{{S}}(x, e) - 1.0, {{F}}(e), {{F}}(0.0)));
}

// u = 1 + x rounded; what the rounding lost comes back as lost / u. Where u needs no scaling, x itself is f.
fn gc_log1p{{S}}(x: {{F}}) -> {{F}} {
  let u = 1.0 + x;
  let e = gc_exponent{{S}}(u);
  let lost = select(x - (u - 1.0), 1.0 - (u - x), x > {{F}}(1.0));
  let near = e == {{I}}(0);
  let f = select(gc_mantissa{{S}}(u, e) - 1.0, x, near);
  let y = gc_log_sum{{S}}(f, {{F}}(e), select(lost / u, {{F}}(0.0), near));
  return select(gc_log_special{{S}}(u, y), x, abs(x) < {{F}}(1e-8));
}

// Odd polynomial near zero; elsewhere 1 - 2 / (e^2x + 1).
fn gc_tanh{{S}}(x: {{F}}) -> {{F}} {
  let a = abs(x);
  let u = x * x;
  let p = (((-0.0055286246 * u + 0.020483306) * u - 0.053692963) * u + 0.13330899) * u - 0.33333263;
  let far = 1.0 - 2.0 / (gc_exp{{S}}(min(2.0 * a, {{F}}(30.0))) + 1.0);
  let y = select(select(far, -far, x < {{F}}(0.0)), x + x * (u * p), a < {{F}}(0.625));
  return select(y, x, gc_isnan{{S}}(x) | (a < {{F}}(1e-4)));
}

fn gc_sigmoid{{S}}(x: {{F}}) -> {{F}} {
  return 1.0 / (1.0 + gc_exp{{S}}(-x));
}

// x P(x^2) near zero; elsewhere 1 - e^Q(|x|), Q fitted to log erfc.
fn gc_erf{{S}}(x: {{F}}) -> {{F}} {
  let a = min(abs(x), {{F}}(4.0));
  let u = a * a;
  var p = -0.00059768936 * u + 0.00499098;
  p = p * u - 0.026765566;
  p = p * u + 0.112818025;
  p = p * u - 0.37612495;
  p = p * u + 0.12837915;
  var q = 0.00019593826 * a - 0.0030432267;
  q = q * a + 0.022226956;
  q = q * a - 0.103931665;
  q = q * a - 0.6371822;
  q = q * a - 1.1276757;
  q = q * a - 0.00019566654;
  let y = select(1.0 - gc_exp{{S}}(q), a * (1.0 + p), a < {{F}}(0.92));
  return select(gc_copysign{{S}}(y, x), x, gc_isnan{{S}}(x));
}

// The upper half of m * v.
fn gc_mulhi{{S}}(m: {{U}}, v: {{U}}) -> {{U}} {
  let low = v & {{U}}(0xffffu);
  let high = v >> {{U}}(16u);
  let part = m & {{U}}(0xffffu);
  let rest = m >> {{U}}(16u);
  let t = rest * low + ((part * low) >> {{U}}(16u));
  return rest * high + (t >> {{U}}(16u)) + ((part * high + (t & {{U}}(0xffffu))) >> {{U}}(16u));
}

// |x| in quarters of a turn modulo 4, for finite |x| >= 2^13, as a number of 64 bits: 2 before the point, 62 after it;
// its upper and its lower word in `part` 0 and 1. With x = m 2^e, the bits of 2 / pi that are worth more than 2^(2 - e)
// make whole turns, and the 96 bits after them are all that counts. Source: M. Payne, R. Hanek, "Radian reduction for
// trigonometric functions", SIGNUM Newsletter 18, 1983.
fn gc_quarters{{S}}(x: {{F}}, part: i32) -> {{U}} {
  let bits = bitcast<{{U}}>(x);
  let m = (bits & {{U}}(0x7fffffu)) | {{U}}(0x800000u);
  let skip = min(max((bits >> {{U}}(23u)) & {{U}}(0xffu), {{U}}(140u)) - {{U}}(120u), {{U}}(134u));
  // Words of 2 / pi in binary, after one of zeros: the first bit of the second word is worth a half.
  let four = skip >= {{U}}(128u);
  let two = (skip & {{U}}(64u)) != {{U}}(0u);
  let one = (skip & {{U}}(32u)) != {{U}}(0u);
  let p0 = select({{U}}(0u), {{U}}(0xf534ddc0u), four);
  let p1 = select({{U}}(0xa2f9836eu), {{U}}(0xdb629599u), four);
  let p2 = select({{U}}(0x4e441529u), {{U}}(0x3c439041u), four);
  let p3 = select({{U}}(0xfc2757d1u), {{U}}(0xfe5163abu), four);
  let q0 = select(p0, p2, two);
  let q1 = select(p1, p3, two);
  let q2 = select(p2, {{U}}(0xf534ddc0u), two);
  let q3 = select(p3, {{U}}(0xdb629599u), two);
  let q4 = select({{U}}(0xf534ddc0u), {{U}}(0x3c439041u), two);
  let r0 = select(q0, q1, one);
  let r1 = select(q1, q2, one);
  let r2 = select(q2, q3, one);
  let r3 = select(q3, q4, one);
  let up = skip & {{U}}(31u);
  let down = {{U}}(31u) - up;
  let a = (r0 << up) | ((r1 >> {{U}}(1u)) >> down);
  let b = (r1 << up) | ((r2 >> {{U}}(1u)) >> down);
  let c = (r2 << up) | ((r3 >> {{U}}(1u)) >> down);
  let low = m * b + gc_mulhi{{S}}(m, c);
  let carry = select({{U}}(0u), {{U}}(1u), low < m * b);
  return select(low, m * a + gc_mulhi{{S}}(m, b) + carry, {{B}}(part == 0));
}

// What is left of |x| after the nearest number of quarters of a turn, in radians, for |x| >= 2^13.
fn gc_within_quarter{{S}}(x: {{F}}) -> {{F}} {
  let upper = gc_quarters{{S}}(x, 0);
  let lower = gc_quarters{{S}}(x, 1);
  let high = (upper << {{U}}(2u)) | (lower >> {{U}}(30u));
  let low = lower << {{U}}(2u);
  let negative = (high & {{U}}(0x80000000u)) != {{U}}(0u);
  let borrow = select({{U}}(0u), {{U}}(1u), low == {{U}}(0u));
  let big = select(high, ~high + borrow, negative);
  let small = select(low, ~low + {{U}}(1u), negative);
  let zeros = min(countLeadingZeros(big), {{U}}(31u));
  let leading = (big << zeros) | ((small >> {{U}}(1u)) >> ({{U}}(31u) - zeros));
  let radians = {{F}}(gc_mulhi{{S}}(leading, {{U}}(0xc90fdaa2u)));
  let size = radians * bitcast<{{F}}>(({{U}}(96u) - zeros) << {{U}}(23u));
  return select(size, -size, negative);
}

// sin(x + turn pi / 2), good to 4 ULP. Cody-Waite reduction for |x| <= 1e4: pi / 2 in parts of 11 bits, whose products
// with n <= 6366 are exact. What lies beyond is reduced in integers.
fn gc_trig{{S}}(x: {{F}}, turn: i32) -> {{F}} {
  let rounded = round(clamp(x * 0.63661975, {{F}}(-6400.0), {{F}}(6400.0)));
  var r = (((x - rounded * 1.5703125) - rounded * 0.0004837513) - rounded * 7.5495336e-08) - rounded * 2.563344e-12;
  var n = {{I}}(rounded);
  let far = abs(x) > {{F}}(1e4);
  if (any(far)) {
    let left = gc_within_quarter{{S}}(x);
    let count = {{I}}((gc_quarters{{S}}(x, 0) + {{U}}(0x20000000u)) >> {{U}}(30u));
    r = select(r, select(left, -left, x < {{F}}(0.0)), far);
    n = select(n, select(count, -count, x < {{F}}(0.0)), far);
  }
  let u = r * r;
  let s = r + r * (u * ((-0.00019516012 * u + 0.008332169) * u - 0.16666655));
  let c = 1.0 - u * (0.5 - u * ((2.4437006e-05 * u - 0.0013887355) * u + 0.041666646));
  let quadrant = n + turn;
  let y = select(s, c, (quadrant & {{I}}(1)) != {{I}}(0));
  return select(select(y, -y, (quadrant & {{I}}(2)) != {{I}}(0)), gc_nan{{S}}(x), !gc_isfinite{{S}}(x));
}

fn gc_sin{{S}}(x: {{F}}) -> {{F}} {
  return select(gc_trig{{S}}(x, 0), x, abs(x) < {{F}}(1e-4));
}

fn gc_cos{{S}}(x: {{F}}) -> {{F}} {
  return gc_trig{{S}}(x, 1);
}

// The size of a with the sign of b. Put together from bits, it comes out wrong beside a test for NaN on processors with
// AVX-512 where Mesa uses LLVM 22.
fn gc_copysign{{S}}(a: {{F}}, b: {{F}}) -> {{F}} {
  return select(abs(a), -abs(a), bitcast<{{I}}>(b) < {{I}}(0));
}

// atan(t) for t in [0, 1]; the polynomial in t^2 is fitted for the least relative error.
fn gc_atan_unit{{S}}(t: {{F}}) -> {{F}} {
  let u = t * t;
  var p = -0.0017936176 * u + 0.010914587;
  p = p * u - 0.031177811;
  p = p * u + 0.05795756;
  p = p * u - 0.08403448;
  p = p * u + 0.10952185;
  p = p * u - 0.14264241;
  p = p * u + 0.19998549;
  p = p * u - 0.333333;
  return t + t * (u * p);
}

fn gc_atan{{S}}(x: {{F}}) -> {{F}} {
  let a = abs(x);
  let steep = a > {{F}}(1.0);
  let near = gc_atan_unit{{S}}(select(a, 1.0 / clamp(a, {{F}}(1.0), {{F}}(1e38)), steep));
  let y = gc_copysign{{S}}(select(near, 1.5707964 - near, steep), x);
  return select(y, x, gc_isnan{{S}}(x) | (a < {{F}}(1e-4)));
}

// The angle of the point (x, y): the smaller leg over the larger one, then the octant. Signs are those of the bits,
// since zeros have them too; equal legs, infinite ones among them, make 45 degrees.
fn gc_atan2{{S}}(y: {{F}}, x: {{F}}) -> {{F}} {
  let large = max(abs(x), abs(y));
  let small = min(abs(x), abs(y));
  let none = (large == {{F}}(0.0)) | (gc_isinf{{S}}(large) & gc_isfinite{{S}}(small));
  let t = select(select(gc_div{{S}}(small, large), {{F}}(1.0), small == large), {{F}}(0.0), none);
  let near = gc_atan_unit{{S}}(t);
  let first = select(near, 1.5707964 - near, abs(y) > abs(x));
  let angle = gc_copysign{{S}}(select(first, 3.1415927 - first, bitcast<{{I}}>(x) < {{I}}(0)), y);
  return select(select(angle, x, gc_isnan{{S}}(x)), y, gc_isnan{{S}}(y));
}

// |x|^y for positive finite x: 2^(y log2 x), the logarithm and the product held in two floats, so that the result
// keeps its precision where the exponent is large. log2 m = (2 / ln 2) atanh(z), z = (m - 1) / (m + 1).
fn gc_pow_positive{{S}}(x: {{F}}, y: {{F}}) -> {{F}} {
  let e = gc_exponent{{S}}(x);
  let f = gc_mantissa{{S}}(x, e) - 1.0;
  let z_high = gc_high{{S}}(f / (2.0 + f));
  let f_high = gc_high{{S}}(f);
  let z_low = (((f - 2.0 * z_high) - z_high * f_high) - z_high * (f - f_high)) / (2.0 + f);
  let z = z_high + z_low;
  let u = z * z;
  let log_high = z_high * 2.8847656;
  let square = z_high * z_high;
  let square_high = gc_high{{S}}(square);
  let cube = square_high * z_high;
  let cube_high = gc_high{{S}}(cube);
  let cube_low = (cube - cube_high) + ((square - square_high) * z_high + 3.0 * z_high * z * z_low);
  let third = cube_high * 0.9616699;
  let fifth = z * (u * u * ((0.34042314 * u + 0.41169617) * u + 0.577083));
  let whole = {{F}}(e);
  let log_top = gc_high{{S}}(whole + (log_high + third));
  let small = (fifth + cube * 0.00012677205) + cube_low * 0.9617967 + (z * 0.0006244568 + z_low * 2.8847656);
  let log_rest = (((whole - log_top) + log_high) + third) + small;
  let t = clamp(y, {{F}}(-1.0995116e12), {{F}}(1.0995116e12));
  let t_high = gc_high{{S}}(t);
  let product = t_high * log_top;
  let rest = t_high * log_rest + (t - t_high) * (log_top + log_rest);
  let total = clamp(product + rest, {{F}}(-160.0), {{F}}(160.0));
  let n = round(total);
  let r = clamp((product - n) + rest, {{F}}(-0.51), {{F}}(0.51));
  var p = 0.00015477369 * r + 0.0013401625;
  p = p * r + 0.009618;
  p = p * r + 0.055503245;
  p = p * r + 0.2402265;
  p = p * r + 0.6931472;
  let scaled = gc_scale{{S}}(1.0 + r * p, {{I}}(n));
  return select(select(scaled, gc_inf{{S}}(x), total > {{F}}(128.5)), {{F}}(0.0), total < {{F}}(-150.0));
}

// np.power for floats, special cases as in IEEE 754, x^1 exact. Denormal bases count as zero.
fn gc_pow{{S}}(x: {{F}}, y: {{F}}) -> {{F}} {
  let a = abs(x);
  let is_zero = a < {{F}}(1.1754944e-38);
  let grows = y > {{F}}(0.0);
  let at_zero = select(gc_inf{{S}}(x), {{F}}(0.0), grows);
  let at_infinity = select({{F}}(0.0), gc_inf{{S}}(x), grows);
  let edge = select(select(gc_pow_positive{{S}}(a, y), at_zero, is_zero), at_infinity, gc_isinf{{S}}(x));
  let whole = (floor(y) == y) | (abs(y) >= {{F}}(8388608.0));
  let odd = whole & (abs(y) < {{F}}(16777216.0)) & (floor(y * 0.5) != y * 0.5);
  let minus = (bitcast<{{U}}>(x) & {{U}}(0x80000000u)) != {{U}}(0u);
  let signed_value = select(edge, -edge, minus & odd);
  let no_root = minus & !whole & !is_zero & !gc_isinf{{S}}(x);
  let same = select(signed_value, x, y == {{F}}(1.0));
  let number = select(same, gc_nan{{S}}(x), no_root | gc_isnan{{S}}(x) | gc_isnan{{S}}(y));
  return select(number, {{F}}(1.0), (y == {{F}}(0.0)) | (bitcast<{{U}}>(x) == {{U}}(0x3f800000u)));
}
