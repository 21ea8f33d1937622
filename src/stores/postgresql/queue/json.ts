/** Values for columns of jsonb. */

/** JSON text that jsonb accepts: NUL and lone surrogates, which a quoted error may contain, are replaced. */
export function queueJsonbText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'string' ? held(part) : part))
}

function held(text: string): string {
  return text.replaceAll('\0', '\u{fffd}').replaceAll(HALF, '\u{fffd}')
}

const HALF = /\p{Surrogate}/gu
