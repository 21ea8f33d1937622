/** Text of somebody else's as it may stand on a screen. */
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** One line of text in which whatever does not show, or moves the cursor, can be seen. */
export function visible(text: string): string {
  return text.replaceAll(/\p{Cc}|\p{Cf}|\p{Cs}|[\u2028\u2029]/gu, (char) => {
    const code = char.codePointAt(0) ?? 0
    return NAMED[char] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`)
  })
}
