/** Values for columns of jsonb. */

/** A value as the text of a jsonb, which holds neither NUL nor half a character: what somebody's error quotes may have both. */
export function jsonbText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'string' ? held(part) : part))
}

function held(text: string): string {
  return text.replaceAll('\0', '\u{fffd}').replaceAll(HALF, '\u{fffd}')
}

const HALF = /\p{Surrogate}/gu
