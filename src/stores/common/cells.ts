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

/** A count or a sum as printed by any database; 0 for NULL. */
export function bigintOf(value: Given): bigint {
  return BigInt(String(value ?? 0))
}

/** The same bytes as a Buffer, not a copy. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
