// factor_jacobi: rounds of rotations of pairs of rows, {{pairs}} pairs at once: {{what}}
// grid: a workgroup for each of {{items}} matrices of {{n}} rows of {{width}} elements, folded into y
var<workgroup> turned: array<vec2<{{type}}>, {{pairs}}>;
{{shared}}
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * {{columns}}u;
  if (matrix >= {{items}}u) { return; }
  let first = {{first}};
  for (var r = 0u; r < {{rounds}}u; r++) {
    let round = (first + r) % {{circle}}u;
{{rotations}}
    for (var e = local; e < {{row_items}}u; e += {{size}}u) {  // at most {{row_turns}} turns
      let both = pair_of(round, e / {{width}}u);
      let column = e % {{width}}u;
      let turn = turned[e / {{width}}u];
      if ((both.y < {{n}}u) & {{turns_at_all}}) {
        let p = {{row_p}};
        let q = {{row_q}};
        {{store_row_p}}
        {{store_row_q}}
      }
    }
    storageBarrier();
{{columns_too}}
  }
{{count_on}}
}

// The two rows that meet in a round: all others go round in a circle, past the last one.
fn pair_of(round: u32, pair: u32) -> vec2<u32> {
  let one = select((round + pair) % {{circle}}u, {{circle}}u, pair == 0u);
  let other = (round + {{circle}}u - pair) % {{circle}}u;
  return vec2<u32>(min(one, other), max(one, other));
}

// The sine of the angle that makes the product of two rows vanish, and the tangent of its half, from their squares and
// their product: with these a row becomes itself and a small part of both, which loses least.
fn rotation(pp: {{type}}, qq: {{type}}, pq: {{type}}) -> vec2<{{type}}> {
  let size = abs(pq);
  if ({{isnan}}(pq)) { return vec2<{{type}}>(pq, pq); }
  if ((size <= {{close}} * sqrt(abs(pp)) * sqrt(abs(qq))) | (size <= {{tiny}} * (abs(pp) + abs(qq)))) {
    return vec2<{{type}}>();
  }
  let ratio = (qq - pp) / ({{type}}(2.0) * pq);
  let part = {{type}}(1.0) / (abs(ratio) + sqrt({{type}}(1.0) + ratio * ratio));
  let tangent = select(part, -part, ratio < {{type}}(0.0));
  let half = tangent / ({{type}}(1.0) + sqrt({{type}}(1.0) + tangent * tangent));
  return vec2<{{type}}>({{type}}(2.0) * half / ({{type}}(1.0) + half * half), half);
}
