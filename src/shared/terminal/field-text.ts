/** Text that was pasted, as it may stand in a field: nothing of it is a command. */
import { visible } from '../visible.ts'

const CONTROLS = /(?![\t\n\r])\p{Cc}/gu
const LINE_ENDS = /\r\n|[\r\n\u2028\u2029]/g

/** Control characters that can be seen instead of acting; line ends and tabs stay. */
export function withoutControls(text: string): string {
  return text.replaceAll(CONTROLS, visible)
}

/** Whether nothing of the text ends a line. */
export function isOneLine(text: string): boolean {
  return text.search(LINE_ENDS) < 0
}

/** One line: without line ends, with a blank for each tab, and with control characters that can be seen. */
export function fieldText(text: string): string {
  return withoutControls(text).replaceAll(LINE_ENDS, '').replaceAll('\t', ' ')
}
