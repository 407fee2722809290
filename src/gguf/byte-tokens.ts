/** llama.cpp's kinds of token (`enum llama_token_type`). User-defined ones are never split and print as text. */
export const NORMAL = 1;
export const CONTROL = 3;
export const USER_DEFINED = 4;

/** The letter that stands for each byte in GPT-2's vocabulary: printable Latin-1 as it is, the rest from U+0100. */
export function byteLetters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : next++);
  });
}
