/** Numbers of 16 bits as those of 32. */

/** IEEE 754 half precision. @param bytes two for each number, little-endian as the machine is */
export const F16 = (bytes: ArrayBufferLike): Float32Array<ArrayBuffer> =>
  Float32Array.from(new Uint16Array(bytes), halfValue);

/** The upper halves of float32. @param bytes as of `F16` */
export const BF16 = (bytes: ArrayBufferLike): Float32Array<ArrayBuffer> =>
  new Float32Array(Uint32Array.from(new Uint16Array(bytes), (bits) => bits << 16).buffer);

/** The value of a half by its bits. */
export const halfValue = (bits: number): number => HALVES[bits] as number;

const HALVES = Float32Array.from({ length: 1 << 16 }, (_, bits) => {
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent < 31) return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
  return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
});
