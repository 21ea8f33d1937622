/** Types of columns of a query that files with types have too. */
import type { FieldPacket } from 'mysql2'
import { decimalType, type DeclaredType } from '../../model/run/answer-file.ts'

const UNSIGNED = 32
const NEWDECIMAL = 246

/** By the numbers of the protocol; of whole numbers those with a sign. TINYINT(1) is no boolean: it holds 2 as well. */
const BY_NUMBER: Readonly<Record<number, DeclaredType>> = {
  1: 'int16',
  2: 'int16',
  3: 'int32',
  4: 'double',
  5: 'double',
  7: 'timestamptz',
  8: 'int64',
  9: 'int32',
  10: 'date',
  11: 'time',
  12: 'datetime',
  13: 'int16',
  245: 'text',
  252: 'text',
  253: 'text',
  254: 'text',
}
const WITHOUT_SIGN: Readonly<Record<number, DeclaredType | undefined>> = { 2: 'int32', 3: 'int64', 8: undefined }

export function declaredIn(field: FieldPacket): DeclaredType | undefined {
  const { columnType, decimals, columnLength, flags, extendedTypeName } = field
  if (columnType === undefined) return undefined
  if (extendedTypeName === 'uuid') return 'uuid'
  const isUnsigned = typeof flags === 'number' && (flags & UNSIGNED) !== 0
  if (columnType === NEWDECIMAL) {
    // The length is that of the text: digits, a sign and a point.
    const digits = (columnLength ?? 0) - (isUnsigned ? 0 : 1) - (decimals > 0 ? 1 : 0)
    return decimalType(digits, decimals)
  }
  return isUnsigned && columnType in WITHOUT_SIGN ? WITHOUT_SIGN[columnType] : BY_NUMBER[columnType]
}
