/**
 * The content of a tag in a model's answer: the last closing tag and the opening tag that matches it, so
 * that drafts before the final answer are ignored and nested tags of the same name stay whole. Empty when
 * nothing matches. Case-sensitive; the content is not trimmed (lse/helpers.py:197-250).
 */
export function extractTag(text: string, tag: string): string {
  const open = `<${tag}>`;
  const close = `</${tag}>`;
  const end = text.lastIndexOf(close);
  if (end < 0) return "";
  const unmatched: number[] = [];
  let position = 0;
  while (position < end) {
    const nextOpen = text.indexOf(open, position);
    const nextClose = text.indexOf(close, position);
    if (nextOpen >= 0 && nextOpen < nextClose) {
      unmatched.push(nextOpen);
      position = nextOpen + open.length;
    } else if (nextClose < end) {
      unmatched.pop();
      position = nextClose + close.length;
    } else {
      break;
    }
  }
  const start = unmatched.pop();
  return start === undefined ? "" : text.slice(start + open.length, end);
}
