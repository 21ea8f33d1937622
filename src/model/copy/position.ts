/** Log positions as sources write them. The ledger stores them as text and must order them without the source. */
import type { LogPosition } from './change.ts'

const LSN = /^([\dA-F]{1,8})\/([\dA-F]{1,8})$/i
const COUNTED = /^\d+$/

/**
 * A log position as two hexadecimal numbers (`0/1A2B3C8`), or the number of a counter (`42`).
 * @throws Error for any other text
 */
export function positionOf(text: string): LogPosition {
  if (COUNTED.test(text)) return BigInt(text)
  const [, high, low] = LSN.exec(text) ?? []
  if (high === undefined || low === undefined) throw new Error(`this is not a position of a log: ${text}`)
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
}
