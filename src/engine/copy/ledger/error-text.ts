/** Error messages in a form that every ledger can store: they may contain the very value that a database refuses. */
import { isWellFormed } from '../../../shared/well-formed.ts'

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** Replaces U+0000 by `\x00`, and a lone surrogate by U+FFFD. */
export function storableError(message: string): string {
  const held = message.replaceAll('\0', String.raw`\x00`)
  return isWellFormed(held) ? held : held.replaceAll(LONE_SURROGATE, '\ufffd')
}
