/** Converts values of rows to one type, for every database: some databases return 64-bit numbers as bigint. */
import type { SqlValue } from '../../model/run/sql-port.ts'

type Given = SqlValue | undefined

export function textOrNull(value: Given): string | null {
  if (value === null || value === undefined) return null
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : String(value)
}

/** @returns the number; callers pass only integers that a double holds exactly, such as all numbers of the catalog */
export function numberOrNull(value: Given): number | null {
  return value === null || value === undefined ? null : Number(value)
}

export function bytesOrNull(value: Given): Uint8Array | null {
  if (value === null || value === undefined) return null
  return value instanceof Uint8Array ? value : Buffer.from(String(value), 'utf8')
}
