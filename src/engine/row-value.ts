import { bytesText } from '../model/copy/bytes-text.ts'
import type { RowValue } from '../model/event.ts'
import type { SqlValue } from '../stores/port.ts'

/** A value of an answer as JSON has it: whatever JSON would round or does not have is text, such as -0 and NaN. */
export function rowValue(value: SqlValue): RowValue {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : Number.isFinite(value) ? value : String(value)
  return value instanceof Uint8Array ? bytesText(value) : value
}
