/** Makes text from other sources safe to print on a terminal. */
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Invisible characters, such as control characters: they move the cursor, or make different names appear equal. */
export const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029]/gu

/** One line of text with visible signs for invisible characters and cursor movements. Applying it twice is safe. */
export function visible(text: string): string {
  return text.replaceAll(INVISIBLE, (char) => {
    const code = char.codePointAt(0) ?? 0
    return NAMED[char] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`)
  })
}

/** A message as one line: line ends and tabs become blanks, all else is `visible`. */
export function oneLine(text: string): string {
  return visible(text.replaceAll(/\r?\n|\t/g, ' '))
}

/** Characters that JSON keeps, but terminals act on: C1 controls and those that change the text direction. */
const TERMINAL_CONTROLS = /[\u007f-\u009f\u2028\u2029]|\p{Bidi_Control}/gu

/**
 * A value as one line of JSON that is inert in terminals and in GitHub's runner, which reads `##[` as a command.
 * It parses to the same value.
 */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll(TERMINAL_CONTROLS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .replaceAll('##[', String.raw`\u0023#[`)
}
