// factor_squares: functions for the length of vectors of any scale, of which other kernels are made
// Squares of large, middling and small elements have a sum each, in which none overflows or vanishes: large ones are
// squared times 2^-{{down}}, small ones times 2^{{up}}.

// The square of x in the part of its size: (large, middling, small).
fn square_of(x: {{type}}) -> vec3<{{type}}> {
  let large = abs(x) > {{large}};
  let small = abs(x) < {{small}};
  let scaled = x * select(select({{type}}(1.0), {{more}}, small), {{less}}, large);
  let square = scaled * scaled;
  return select(vec3<{{type}}>(), vec3<{{type}}>(square), vec3<bool>(large, !large & !small, small));
}

// The root of a sum of such squares.
fn length_of(total: vec3<{{type}}>) -> {{type}} {
  let own = sqrt(select(total.y + total.z * {{tiny}} * {{tiny}}, total.z, total.y == {{type}}()));
  let length = own * select({{type}}(1.0), {{tiny}}, total.y == {{type}}());
  return select(sqrt(total.x + total.y * {{less}} * {{less}}) * {{whole}}, length, total.x == {{type}}());
}
