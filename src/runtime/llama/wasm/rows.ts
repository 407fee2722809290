/**
 * Sums and maxima over rows of logits, in AssemblyScript (not TypeScript): compiled to WebAssembly with four numbers
 * to an instruction, which JavaScript engines do not do by themselves. `../logits.ts` is the way to it.
 */

/** Makes room for `bytes` bytes of rows and results, once and for good, at address 0 and up. */
export function reserve(bytes: i32): void {
  const missing = bytes - (memory.size() << 16);
  if (missing > 0 && memory.grow((missing + 0xffff) >>> 16) < 0) unreachable();
}

/** The largest of each `block` numbers, which is a multiple of 4; `count` is a multiple of `block`. NaN loses. */
export function blockMaxima(row: usize, count: i32, block: i32, out: usize): void {
  const end = row + ((<usize>count) << 2);
  const step = (<usize>block) << 2;
  for (let from = row; from < end; from += step) {
    let highest = f32x4.splat(-Infinity);
    for (let at = from; at < from + step; at += 16) highest = f32x4.pmax(highest, v128.load(at));
    const a = max(f32x4.extract_lane(highest, 0), f32x4.extract_lane(highest, 1));
    const b = max(f32x4.extract_lane(highest, 2), f32x4.extract_lane(highest, 3));
    f32.store(out, max(a, b));
    out += 4;
  }
}

/**
 * Σ exp((x − highest) · scale) over `count` numbers, a multiple of 4. Each term is exact to 1.2e-7 of itself: the power of two
 * by its exponent bits, the rest by a polynomial of the sixth degree (Taylor's, on ±ln 2 / 2). Added up in f64.
 * Terms below e^−80, NaN among them, count as e^−80.
 */
export function sumOfExponentials(row: usize, count: i32, highest: f32, scale: f32): f64 {
  const end = row + ((<usize>count) << 2);
  const top = f32x4.splat(highest);
  const scales = f32x4.splat(scale);
  const lowest = f32x4.splat(-80);
  let sums = f64x2.splat(0);
  for (let at = row; at < end; at += 16) {
    const x = f32x4.pmax(lowest, f32x4.mul(f32x4.sub(v128.load(at), top), scales));
    const power = f32x4.nearest(f32x4.mul(x, f32x4.splat(<f32>Math.LOG2E)));
    // ln 2 in two parts, so that the product with a whole number is exact.
    let rest = f32x4.sub(x, f32x4.mul(power, f32x4.splat(0.693359375)));
    rest = f32x4.add(rest, f32x4.mul(power, f32x4.splat(2.1219444e-4)));
    let y = f32x4.splat(1.0 / 720);
    y = f32x4.add(f32x4.mul(y, rest), f32x4.splat(1.0 / 120));
    y = f32x4.add(f32x4.mul(y, rest), f32x4.splat(1.0 / 24));
    y = f32x4.add(f32x4.mul(y, rest), f32x4.splat(1.0 / 6));
    y = f32x4.add(f32x4.mul(y, rest), f32x4.splat(0.5));
    y = f32x4.add(f32x4.mul(y, rest), f32x4.splat(1));
    y = f32x4.add(f32x4.mul(y, rest), f32x4.splat(1));
    const exponent = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(power), i32x4.splat(127)), 23);
    const term = f32x4.mul(y, exponent);
    sums = f64x2.add(sums, f64x2.promote_low_f32x4(term));
    sums = f64x2.add(sums, f64x2.promote_low_f32x4(v128.shuffle<i32>(term, term, 2, 3, 2, 3)));
  }
  return f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
}
