/** What went wrong, as every ledger can hold it: a message may name the very value that a database refuses. */
import { isWellFormed } from '../../../shared/well-formed.ts'

const HALF = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** U+0000 as `\x00`, and what is half a character as U+FFFD. */
export function errorText(message: string): string {
  const held = message.replaceAll('\0', String.raw`\x00`)
  return isWellFormed(held) ? held : held.replaceAll(HALF, '\ufffd')
}
