/** Pasted text for a field; nothing in it acts as a command. */
import { visible } from '../visible.ts'

const CONTROLS = /(?![\t\n\r])\p{Cc}/gu
const LINE_ENDS = /\r\n|[\r\n\u2028\u2029]/g

/** Makes control characters visible; line ends and tabs stay. */
export function withoutControls(text: string): string {
  return text.replaceAll(CONTROLS, visible)
}

/** True if the text has no line end. */
export function isOneLine(text: string): boolean {
  return text.search(LINE_ENDS) < 0
}

/** One line: without line ends, with a blank for each tab, and with visible control characters. */
export function fieldText(text: string): string {
  return withoutControls(text).replaceAll(LINE_ENDS, '').replaceAll('\t', ' ')
}
