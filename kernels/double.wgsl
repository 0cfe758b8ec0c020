// The library functions for f64 and i64, where a device has them: WGSL's own exist for 32 bits only.
// Holes: S name suffix ("" or "_v4"); D, L, U, B the f64, i64, u32 and bool type of that width.
//
// Within a few ULP of float64, except pow, whose error grows with the size of y * log(x) (2e-13 at the end of the range).

// x, as a value that compilers cannot see through (see gc_hold).
fn gc_hold64{{S}}(x: {{D}}) -> {{D}} {
  return bitcast<{{D}}>(bitcast<{{L}}>(x) + {{L}}({{U}}(gc_unknown())));
}

// The float with these bits, given as two words. Naga takes words of 32 bits that become 64 for signed ones.
fn gc_from_words64(high: u32, low: u32) -> f64 {
  return bitcast<f64>((i64(high) << 32u) | (i64(low) & i64(0xffffffff)));
}

fn gc_isnan64{{S}}(x: {{D}}) -> {{B}} {
  return (bitcast<{{L}}>(x) & {{L}}(0x7fffffffffffffff)) > {{L}}(0x7ff0000000000000);
}

// Of held bits: some drivers know the test, and that they may take every number for finite.
fn gc_isfinite64{{S}}(x: {{D}}) -> {{B}} {
  return (bitcast<{{L}}>(gc_hold64{{S}}(x)) & {{L}}(0x7ff0000000000000)) != {{L}}(0x7ff0000000000000);
}

// A NaN, and positive infinity, made from the bits of a value.
fn gc_nan64{{S}}(x: {{D}}) -> {{D}} {
  return bitcast<{{D}}>(bitcast<{{L}}>(x) | {{L}}(0x7ff8000000000000));
}

fn gc_inf64{{S}}(x: {{D}}) -> {{D}} {
  return bitcast<{{D}}>((bitcast<{{L}}>(x) & {{L}}(0)) | {{L}}(0x7ff0000000000000));
}

// The size of a with the sign of b.
fn gc_copysign64{{S}}(a: {{D}}, b: {{D}}) -> {{D}} {
  let size = bitcast<{{L}}>(a) & {{L}}(0x7fffffffffffffff);
  return bitcast<{{D}}>(size | (bitcast<{{L}}>(b) & ~{{L}}(0x7fffffffffffffff)));
}

fn gc_max64{{S}}(a: {{D}}, b: {{D}}) -> {{D}} {
  return select(select(max(a, b), b, gc_isnan64{{S}}(b)), a, gc_isnan64{{S}}(a));
}

fn gc_min64{{S}}(a: {{D}}, b: {{D}}) -> {{D}} {
  return select(select(min(a, b), b, gc_isnan64{{S}}(b)), a, gc_isnan64{{S}}(a));
}

fn gc_sign64{{S}}(x: {{D}}) -> {{D}} {
  return select(sign(x), x, gc_isnan64{{S}}(x));
}

fn gc_floor64{{S}}(x: {{D}}) -> {{D}} {
  return gc_copysign64{{S}}(floor(x), x);
}

fn gc_ceil64{{S}}(x: {{D}}) -> {{D}} {
  return gc_copysign64{{S}}(ceil(x), x);
}

// Some drivers leave large doubles as they are (llvmpipe of 512 bits), and round them down and up rightly.
fn gc_trunc64{{S}}(x: {{D}}) -> {{D}} {
  return gc_copysign64{{S}}(select(floor(x), ceil(x), x < {{D}}(0.0)), x);
}

// Half to even, by floor: some drivers round doubles otherwise (llvmpipe of 512 bits rounds 1.5 to 1).
fn gc_round64{{S}}(x: {{D}}) -> {{D}} {
  let below = floor(x);
  let part = x - below;
  let half = {{D}}(0.5);
  let odd = floor(below * half) * {{D}}(2.0) != below;
  return gc_copysign64{{S}}(select(below, below + {{D}}(1.0), (part > half) | ((part == half) & odd)), x);
}

// x * 2^n for n in [-2044, 2046], in two steps so that neither factor leaves the range of f64.
fn gc_scale64{{S}}(x: {{D}}, n: {{L}}) -> {{D}} {
  let half = n / {{L}}(2);
  let rest = n - half;
  let bias = {{L}}(1023);
  return x * bitcast<{{D}}>((half + bias) << {{U}}(52u)) * bitcast<{{D}}>((rest + bias) << {{U}}(52u));
}

// (e^r - 1) / r for |r| < 0.35, by its Taylor series.
fn gc_expm1_series64{{S}}(r: {{D}}) -> {{D}} {
  var sum = {{D}}(1.0);
  for (var k = 15; k >= 2; k--) {
    sum = {{D}}(1.0) + sum * r / {{D}}(f64(k));
  }
  return sum;
}

fn gc_exp64{{S}}(x: {{D}}) -> {{D}} {
  let inside = clamp(x, {{D}}(-746.0), {{D}}(710.0));
  let n = round(inside * {{D}}(1.4426950408889634));
  // Held: some drivers bring n outside of the brackets, and the sum of both parts of ln 2 is no better than one.
  let r = gc_hold64{{S}}(inside - n * {{D}}(0.6931471803691238)) - n * {{D}}(1.9082149292705877e-10);
  let result = gc_scale64{{S}}({{D}}(1.0) + r * gc_expm1_series64{{S}}(r), {{L}}(n));
  return select(result, x, gc_isnan64{{S}}(x));
}

fn gc_expm164{{S}}(x: {{D}}) -> {{D}} {
  let small = clamp(x, {{D}}(-0.35), {{D}}(0.35));
  let near = x * gc_expm1_series64{{S}}(small);
  return select(gc_exp64{{S}}(x) - {{D}}(1.0), near, abs(x) < {{D}}(0.35));
}

// atanh(f) / f - 1 for |f| < 0.172, by its Taylor series: log(x) = 2 atanh((x - 1) / (x + 1)).
fn gc_atanh_series64{{S}}(f: {{D}}) -> {{D}} {
  let s = f * f;
  var series = {{D}}(0.0);
  for (var k = 23; k >= 3; k -= 2) {
    series = (series + {{D}}(1.0) / {{D}}(f64(k))) * s;
  }
  return series;
}

fn gc_log64{{S}}(x: {{D}}) -> {{D}} {
  let tiny = x < {{D}}(2.2250738585072014e-308);
  let bits = bitcast<{{L}}>(select(x, x * {{D}}(18014398509481984.0), tiny));
  // The mantissa between sqrt(1/2) and sqrt(2), so that the series is short and exact near one.
  let moved = bits - {{L}}(0x3fe6a09e667f3bcd);
  let exponent = moved >> {{U}}(52u);
  let m = bitcast<{{D}}>(bits - (exponent << {{U}}(52u)));
  let f = (m - {{D}}(1.0)) / (m + {{D}}(1.0));
  let n = {{D}}(exponent) - select({{D}}(0.0), {{D}}(54.0), tiny);
  let low = {{D}}(2.0) * f * gc_atanh_series64{{S}}(f) + n * {{D}}(1.9082149292705877e-10);
  let result = n * {{D}}(0.6931471803691238) + gc_hold64{{S}}({{D}}(2.0) * f + low);
  let zero = {{D}}(0.0);
  let edge = select(gc_nan64{{S}}(x), -gc_inf64{{S}}(x), x == zero);
  return select(select(edge, result, x > zero), x, gc_isnan64{{S}}(x) | (x == gc_inf64{{S}}(x)));
}

fn gc_log1p64{{S}}(x: {{D}}) -> {{D}} {
  // Near zero 1 + x would lose the digits that matter.
  let inside = clamp(x, {{D}}(-0.29), {{D}}(0.41));
  let f = inside / (inside + {{D}}(2.0));
  let near = {{D}}(2.0) * f + {{D}}(2.0) * f * gc_atanh_series64{{S}}(f);
  return select(gc_log64{{S}}({{D}}(1.0) + x), select(near, x, x == {{D}}(0.0)), inside == x);
}

// The exponent of x, and the logarithm of what is left: log(x) = exponent ln 2 + rest. For normal numbers.
fn gc_log_whole64{{S}}(x: {{D}}) -> {{D}} {
  return {{D}}((bitcast<{{L}}>(x) - {{L}}(0x3fe6a09e667f3bcd)) >> {{U}}(52u));
}

fn gc_log_rest64{{S}}(x: {{D}}) -> {{D}} {
  let bits = bitcast<{{L}}>(x);
  let m = bitcast<{{D}}>(bits - (((bits - {{L}}(0x3fe6a09e667f3bcd)) >> {{U}}(52u)) << {{U}}(52u)));
  let f = (m - {{D}}(1.0)) / (m + {{D}}(1.0));
  return {{D}}(2.0) * f + {{D}}(2.0) * f * gc_atanh_series64{{S}}(f);
}

// The logarithm of x to some base: that of 2 is high + low, that of e is `unit`.
fn gc_log_base64{{S}}(x: {{D}}, high: f64, low: f64, unit: f64) -> {{D}} {
  let tiny = x < {{D}}(2.2250738585072014e-308);
  let number = select(x, x * {{D}}(18014398509481984.0), tiny);
  let n = gc_log_whole64{{S}}(number) - select({{D}}(0.0), {{D}}(54.0), tiny);
  let result = n * {{D}}(high) + gc_hold64{{S}}(n * {{D}}(low) + gc_log_rest64{{S}}(number) * {{D}}(unit));
  let edge = select(gc_nan64{{S}}(x), -gc_inf64{{S}}(x), x == {{D}}(0.0));
  return select(select(edge, result, x > {{D}}(0.0)), x, gc_isnan64{{S}}(x) | (x == gc_inf64{{S}}(x)));
}

fn gc_log264{{S}}(x: {{D}}) -> {{D}} {
  return gc_log_base64{{S}}(x, 1.0lf, 0.0lf, 1.4426950408889634lf);
}

fn gc_log1064{{S}}(x: {{D}}) -> {{D}} {
  return gc_log_base64{{S}}(x, 0.3010299956636118lf, 3.694239077158931e-13lf, 0.4342944819032518lf);
}

// A root by logarithms, then two steps of Newton's method.
fn gc_cbrt64{{S}}(x: {{D}}) -> {{D}} {
  let a = abs(x);
  let usable = (a > {{D}}(0.0)) & gc_isfinite64{{S}}(a);
  let t = select({{D}}(1.0), a, usable);
  var y = gc_exp64{{S}}(gc_log64{{S}}(t) / {{D}}(3.0));
  y = y - (y - t / (y * y)) / {{D}}(3.0);
  y = y - (y - t / (y * y)) / {{D}}(3.0);
  return select(x, gc_copysign64{{S}}(y, x), usable);
}

// e^a / 2 for a >= 20, finite wherever it is.
fn gc_half_exp64{{S}}(a: {{D}}) -> {{D}} {
  let root = gc_exp64{{S}}({{D}}(0.5) * max(a, {{D}}(20.0)));
  return bitcast<{{D}}>(bitcast<{{L}}>(root) - {{L}}(0x10000000000000)) * root;
}

fn gc_sinh64{{S}}(x: {{D}}) -> {{D}} {
  let a = abs(x);
  let t = gc_expm164{{S}}(min(a, {{D}}(20.0)));
  let near = {{D}}(0.5) * (t + t / (t + {{D}}(1.0)));
  let y = gc_copysign64{{S}}(select(gc_half_exp64{{S}}(a), near, a < {{D}}(20.0)), x);
  return select(y, x, gc_isnan64{{S}}(x));
}

fn gc_cosh64{{S}}(x: {{D}}) -> {{D}} {
  let a = abs(x);
  let t = gc_exp64{{S}}(min(a, {{D}}(20.0)));
  let near = {{D}}(0.5) * (t + {{D}}(1.0) / t);
  return select(select(gc_half_exp64{{S}}(a), near, a < {{D}}(20.0)), x, gc_isnan64{{S}}(x));
}

fn gc_tan64{{S}}(x: {{D}}) -> {{D}} {
  return gc_sin64{{S}}(x) / gc_cos64{{S}}(x);
}

fn gc_across64{{S}}(x: {{D}}) -> {{D}} {
  return sqrt(({{D}}(1.0) - x) * ({{D}}(1.0) + x));
}

fn gc_asin64{{S}}(x: {{D}}) -> {{D}} {
  return gc_atan264{{S}}(x, gc_across64{{S}}(x));
}

fn gc_acos64{{S}}(x: {{D}}) -> {{D}} {
  return gc_atan264{{S}}(gc_across64{{S}}(x), x);
}

fn gc_asinh64{{S}}(x: {{D}}) -> {{D}} {
  let a = abs(x);
  let near = min(a, {{D}}(1e9));
  let square = near * near;
  let low = gc_log1p64{{S}}(near + square / ({{D}}(1.0) + sqrt({{D}}(1.0) + square)));
  let y = gc_copysign64{{S}}(select(gc_log64{{S}}(a) + {{D}}(0.6931471805599453), low, a < {{D}}(1e9)), x);
  return select(y, x, gc_isnan64{{S}}(x));
}

fn gc_acosh64{{S}}(x: {{D}}) -> {{D}} {
  let t = clamp(x - {{D}}(1.0), {{D}}(0.0), {{D}}(1e9));
  let low = gc_log1p64{{S}}(t + sqrt(t * (t + {{D}}(2.0))));
  let y = select(gc_log64{{S}}(x) + {{D}}(0.6931471805599453), low, x < {{D}}(1e9));
  return select(select(y, gc_nan64{{S}}(x), x < {{D}}(1.0)), x, gc_isnan64{{S}}(x));
}

fn gc_atanh64{{S}}(x: {{D}}) -> {{D}} {
  return {{D}}(0.5) * (gc_log1p64{{S}}(x) - gc_log1p64{{S}}(-x));
}

// As gc_hypot.
fn gc_hypot64{{S}}(x: {{D}}, y: {{D}}) -> {{D}} {
  let a = gc_max64{{S}}(abs(x), abs(y));
  let b = gc_min64{{S}}(abs(x), abs(y));
  let usable = (a > {{D}}(0.0)) & gc_isfinite64{{S}}(a);
  let ratio = b / select({{D}}(1.0), a, usable);
  let long = select(a, a * sqrt({{D}}(1.0) + ratio * ratio), usable);
  let infinite = gc_inf64{{S}}(x);
  return select(long, infinite, (abs(x) == infinite) | (abs(y) == infinite));
}

fn gc_tanh64{{S}}(x: {{D}}) -> {{D}} {
  let e = gc_expm164{{S}}({{D}}(-2.0) * abs(x));
  return select(gc_copysign64{{S}}(-e / (e + {{D}}(2.0)), x), x, gc_isnan64{{S}}(x));
}

fn gc_sigmoid64{{S}}(x: {{D}}) -> {{D}} {
  let e = gc_exp64{{S}}(-abs(x));
  return select(e, {{D}}(1.0), x >= {{D}}(0.0)) / ({{D}}(1.0) + e);
}

// W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23, 1969.
fn gc_erf64{{S}}(x: {{D}}) -> {{D}} {
  let size = abs(x);
  let s = min(size, {{D}}(0.46875)) * min(size, {{D}}(0.46875));
  let p = ((({{D}}(1.85777706184603153e-1) * s + {{D}}(3.16112374387056560)) * s + {{D}}(1.13864154151050156e2)) * s
    + {{D}}(3.77485237685302021e2)) * s + {{D}}(3.20937758913846947e3);
  let q = (((s + {{D}}(2.36012909523441209e1)) * s + {{D}}(2.44024637934444173e2)) * s
    + {{D}}(1.28261652607737228e3)) * s + {{D}}(2.84423683343917062e3);
  let near = x * p / q;
  let t = clamp(size, {{D}}(0.46875), {{D}}(6.0));
  let u = ((((((({{D}}(2.15311535474403846e-8) * t + {{D}}(5.64188496988670089e-1)) * t
    + {{D}}(8.88314979438837594)) * t + {{D}}(6.61191906371416295e1)) * t + {{D}}(2.98635138197400131e2)) * t
    + {{D}}(8.81952221241769090e2)) * t + {{D}}(1.71204761263407058e3)) * t + {{D}}(2.05107837782607147e3)) * t
    + {{D}}(1.23033935479799725e3);
  let v = (((((((t + {{D}}(1.57449261107098347e1)) * t + {{D}}(1.17693950891312499e2)) * t
    + {{D}}(5.37181101862009858e2)) * t + {{D}}(1.62138957456669019e3)) * t + {{D}}(3.29079923573345963e3)) * t
    + {{D}}(4.36261909014324716e3)) * t + {{D}}(3.43936767414372164e3)) * t + {{D}}(1.23033935480374942e3);
  // exp(-t * t) in two factors: the square of `head` is exact.
  let head = floor(t * {{D}}(16.0)) / {{D}}(16.0);
  let decay = gc_exp64{{S}}(-head * head) * gc_exp64{{S}}((head - t) * (head + t));
  let far = gc_copysign64{{S}}({{D}}(1.0) - decay * u / v, x);
  return select(select(far, near, size < {{D}}(0.46875)), x, gc_isnan64{{S}}(x));
}

fn gc_pow64{{S}}(x: {{D}}, y: {{D}}) -> {{D}} {
  let zero = {{D}}(0.0);
  let one = {{D}}(1.0);
  let whole = floor(y) == y;
  let odd = whole & (floor(y / {{D}}(2.0)) * {{D}}(2.0) != y);
  let size = gc_exp64{{S}}(y * gc_log64{{S}}(abs(x)));
  let negative = bitcast<{{L}}>(x) < {{L}}(0);
  let signed = select(size, -size, negative & odd);
  var result = select(signed, gc_nan64{{S}}(x), (x < zero) & !whole & gc_isfinite64{{S}}(x) & gc_isfinite64{{S}}(y));
  result = select(result, x, gc_isnan64{{S}}(x));
  result = select(result, y, gc_isnan64{{S}}(y));
  let unit = (abs(x) == one) & (abs(y) == gc_inf64{{S}}(y));
  return select(result, one, (x == one) | (y == zero) | unit);
}

// x - n * pi / 2 for the nearest n, and n: pi / 2 in three parts of 33 bits, good for |x| < 1e5.
fn gc_quarter64{{S}}(x: {{D}}) -> {{D}} {
  return round(x * {{D}}(0.6366197723675814));
}

fn gc_reduced64{{S}}(x: {{D}}, n: {{D}}) -> {{D}} {
  let high = gc_hold64{{S}}(x - n * {{D}}(1.5707963267341256));  // held as in gc_exp64
  let middle = gc_hold64{{S}}(n * {{D}}(6.077100506303966e-11));
  let rest = gc_hold64{{S}}(high - middle);
  return rest - (n * {{D}}(2.0222662487959506e-21) - ((high - rest) - middle));
}

// x in quarters of a turn, for |x| > 1e5: what is left after the nearest number of them, in radians, in `part` 0, and that
// number modulo 4 in `part` 1. As gc_quarters, with 192 bits of 2 / pi.
fn gc_far64{{S}}(x: {{D}}, part: i32) -> {{D}} {
  // 2 / pi in binary, after two words of zeros: the first bit of the third word is worth a half.
  var words = array<u32, 39>(
    0x00000000u, 0x00000000u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u,
    0xfe5163abu, 0xdebbc561u, 0xb7246e3au, 0x424dd2e0u, 0x06492eeau, 0x09d1921cu, 0xfe1deb1cu, 0xb129a73eu,
    0xe88235f5u, 0x2ebb4484u, 0xe99c7026u, 0xb45f7e41u, 0x3991d639u, 0x835339f4u, 0x9c845f8bu, 0xbdf9283bu,
    0x1ff897ffu, 0xde05980fu, 0xef2f118bu, 0x5a0a6d1fu, 0x6d367ecfu, 0x27cb09b7u, 0x4f463f66u, 0x9e5fea2du,
    0x7527bac7u, 0xebe5f17bu, 0x3d0739f7u, 0x8a5292eau, 0x6bfb5fb1u, 0x1f8d5d08u, 0x56033046u,
  );
  let bits = bitcast<{{L}}>(x) & {{L}}(0x7fffffffffffffff);
  let top = {{U}}(bits >> {{U}}(32u));
  let low = {{U}}(bits & {{L}}(0xffffffff));
  let high = (top & {{U}}(0xfffffu)) | {{U}}(0x100000u);
  let skip = max(top >> {{U}}(20u), {{U}}(1013u)) - {{U}}(1013u);
  let begin = skip >> {{U}}(5u);
  var a: array<{{U}}, 8>;
  for (var k = 0u; k < 39u; k++) {
    for (var j = 0u; j < 7u; j++) {
      a[j] = select(a[j], {{U}}(words[k]), {{U}}(k) == begin + {{U}}(j));
    }
  }
  let up = skip & {{U}}(31u);
  for (var j = 0u; j < 6u; j++) {
    a[j] = (a[j] << up) | ((a[j + 1u] >> {{U}}(1u)) >> ({{U}}(31u) - up));
  }
  a[6] = {{U}}(0u);
  // The product with the 53 bits of x, a word at a time from the last; what lies above the first is whole turns.
  var p: array<{{U}}, 6>;
  var sum = {{L}}(0);
  for (var j = 6u; j > 0u; j--) {
    sum = gc_word64{{S}}(low, high, a[j - 1u], a[j], a[j + 1u], sum);
    p[j - 1u] = {{U}}(sum & {{L}}(0xffffffff));
  }
  let count = {{D}}((p[0] + {{U}}(0x20000000u)) >> {{U}}(30u));
  let negative = (p[0] & {{U}}(0x20000000u)) != {{U}}(0u);
  let turned = select({{U}}(0u), {{U}}(0xffffffffu), negative);
  var size = {{D}}(0.0);
  for (var j = 4u; j > 0u; j--) {
    let word = ((p[j - 1u] << {{U}}(2u)) | (p[j] >> {{U}}(30u))) ^ turned;
    size = (size + {{D}}(word)) * {{D}}(2.3283064365386963e-10);
  }
  let left = size * {{D}}(1.5707963267948966);
  let back = negative != (x < {{D}}(0.0));
  return select(select(count, -count, x < {{D}}(0.0)), select(left, -left, back), {{B}}(part == 0));
}

// A word of (high 2^32 + low) a, of which `a`, `next` and `last` are this word and the two after it; with the carry of
// the sum before, and its own carry above 32 bits.
fn gc_word64{{S}}(low: {{U}}, high: {{U}}, a: {{U}}, next: {{U}}, last: {{U}}, before: {{L}}) -> {{L}} {
  let word = {{L}}(0xffffffff);  // see gc_from_words64
  let one = ({{L}}(low * a) & word) + ({{L}}(gc_mulhi{{S}}(low, next)) & word);
  let two = ({{L}}(high * next) & word) + ({{L}}(gc_mulhi{{S}}(high, last)) & word);
  return one + two + (before >> {{U}}(32u));
}

// sin(r) where `turned` is false, cos(r) where it is true, for |r| <= pi / 4.
fn gc_sincos64{{S}}(r: {{D}}, turned: {{B}}) -> {{D}} {
  let s = r * r;
  var sine = {{D}}(1.0);
  var cosine = {{D}}(1.0);
  for (var k = 18; k >= 2; k -= 2) {
    sine = {{D}}(1.0) - sine * s / {{D}}(f64(k * (k + 1)));
    cosine = {{D}}(1.0) - cosine * s / {{D}}(f64(k * (k - 1)));
  }
  return select(sine * r, cosine, turned);
}

fn gc_turned64{{S}}(x: {{D}}, shift: i32) -> {{D}} {
  let near = clamp(x, {{D}}(-1e5), {{D}}(1e5));
  let rounded = gc_quarter64{{S}}(near);
  var left = gc_reduced64{{S}}(near, rounded);
  var count = {{L}}(rounded);
  let far = x != near;
  if (any(far)) {
    left = select(left, gc_far64{{S}}(x, 0), far);
    count = select(count, {{L}}(gc_far64{{S}}(x, 1)), far);
  }
  let quadrant = count + {{L}}(i64(shift));
  let value = gc_sincos64{{S}}(left, (quadrant & {{L}}(1)) != {{L}}(0));
  let result = select(value, -value, (quadrant & {{L}}(2)) != {{L}}(0));
  return select(gc_nan64{{S}}(x), result, gc_isfinite64{{S}}(x));
}

fn gc_sin64{{S}}(x: {{D}}) -> {{D}} {
  return gc_turned64{{S}}(x, 0);
}

fn gc_cos64{{S}}(x: {{D}}) -> {{D}} {
  return gc_turned64{{S}}(x, 1);
}

// atan(t) for t in [0, 1]: above tan(pi / 8) as pi / 4 + atan((t - 1) / (t + 1)), by its Taylor series.
fn gc_atan_unit64{{S}}(t: {{D}}) -> {{D}} {
  let far = t > {{D}}(0.41421356237309503);
  let r = select(t, (t - {{D}}(1.0)) / (t + {{D}}(1.0)), far);
  let s = r * r;
  var series = {{D}}(0.0);
  for (var k = 47; k >= 3; k -= 2) {
    series = {{D}}(1.0) / {{D}}(f64(k)) - s * series;
  }
  let near = r - r * (s * series);
  return select(near, {{D}}(0.7853981633974483) + (near + {{D}}(3.061616997868383e-17)), far);
}

fn gc_atan64{{S}}(x: {{D}}) -> {{D}} {
  let a = abs(x);
  let steep = a > {{D}}(1.0);
  let near = gc_atan_unit64{{S}}(select(a, {{D}}(1.0) / clamp(a, {{D}}(1.0), {{D}}(1e300)), steep));
  let y = select(near, {{D}}(1.5707963267948966) - (near - {{D}}(6.123233995736766e-17)), steep);
  return select(gc_copysign64{{S}}(y, x), x, gc_isnan64{{S}}(x));
}

// The angle of the point (x, y), as gc_atan2.
fn gc_atan264{{S}}(y: {{D}}, x: {{D}}) -> {{D}} {
  let large = max(abs(x), abs(y));
  let small = min(abs(x), abs(y));
  let none = (large == {{D}}(0.0)) | (!gc_isfinite64{{S}}(large) & gc_isfinite64{{S}}(small));
  let t = select(select(small / large, {{D}}(1.0), small == large), {{D}}(0.0), none);
  let near = gc_atan_unit64{{S}}(t);
  let first = select(near, {{D}}(1.5707963267948966) - (near - {{D}}(6.123233995736766e-17)), abs(y) > abs(x));
  let back = {{D}}(3.141592653589793) - (first - {{D}}(1.2246467991473532e-16));
  let angle = gc_copysign64{{S}}(select(first, back, bitcast<{{L}}>(x) < {{L}}(0)), y);
  return select(select(angle, x, gc_isnan64{{S}}(x)), y, gc_isnan64{{S}}(y));
}

// np.fmod, exact: long division of the mantissas, 10 bits at a time, in integers.
fn gc_fmod64{{S}}(x: {{D}}, y: {{D}}) -> {{D}} {
  let zero = {{L}}(0);
  let one = {{L}}(1);
  let leading = {{L}}(0x10000000000000);
  let size_x = bitcast<{{L}}>(x) & {{L}}(0x7fffffffffffffff);
  let size_y = bitcast<{{L}}>(y) & {{L}}(0x7fffffffffffffff);
  let exponent_x = max(size_x >> {{U}}(52u), one);
  let exponent_y = max(size_y >> {{U}}(52u), one);
  let divisor = max((size_y & (leading - one)) | select(zero, leading, size_y >= leading), one);
  var rest = ((size_x & (leading - one)) | select(zero, leading, size_x >= leading)) % divisor;
  var left = max(exponent_x - exponent_y, zero);
  while (any(left > zero)) {  // at most 205 turns
    let step = min(left, {{L}}(10));
    rest = (rest << {{U}}(step)) % divisor;
    left = left - step;
  }
  let far = gc_copysign64{{S}}(gc_scale64{{S}}({{D}}(rest), exponent_y - {{L}}(1075)), x);
  let infinite = {{L}}(0x7ff0000000000000);
  let invalid = (size_x >= infinite) | (size_y > infinite) | (size_y == zero);
  return select(select(far, x, size_x < size_y), gc_nan64{{S}}(x), invalid);
}

fn gc_mod64{{S}}(x: {{D}}, y: {{D}}) -> {{D}} {
  let rest = gc_fmod64{{S}}(x, y);
  let zero = {{D}}(0.0);
  let moved = select(rest, rest + y, (y < zero) != (rest < zero));
  return select(moved, gc_copysign64{{S}}(zero, y), rest == zero);
}

fn gc_floordiv64{{S}}(x: {{D}}, y: {{D}}) -> {{D}} {
  let rest = gc_fmod64{{S}}(x, y);
  let zero = {{D}}(0.0);
  let one = {{D}}(1.0);
  let borrow = (rest != zero) & ((y < zero) != (rest < zero));
  let quotient = (x - rest) / y - select(zero, one, borrow);
  let below = floor(quotient);
  let nearest = select(below, below + one, quotient - below > {{D}}(0.5));
  let signed_zero = bitcast<{{D}}>((bitcast<{{L}}>(x) ^ bitcast<{{L}}>(y)) & ~{{L}}(0x7fffffffffffffff));
  let result = select(nearest, signed_zero, quotient == zero);
  return select(select(result, rest, gc_isnan64{{S}}(rest)), x / y, y == zero);
}

// x ** y by squaring, modulo 2**64; a negative power is 1 / x ** -y rounded towards zero.
fn gc_ipow64{{S}}(x: {{L}}, y: {{L}}) -> {{L}} {
  let zero = {{L}}(0);
  let one = {{L}}(1);
  var base = x;
  var left = max(y, zero);
  var result = one;
  while (any(left > zero)) {  // at most 63 turns
    result = select(result, result * base, (left & one) != zero);
    base = base * base;
    left = left >> {{U}}(1u);
  }
  let inverse = select(zero, select(one, x, (y & one) != zero), abs(x) == one);
  return select(result, inverse, y < zero);
}
