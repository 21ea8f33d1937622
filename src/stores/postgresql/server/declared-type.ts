/** Types of columns of a query that files with types have too. */
import { decimalType, type DeclaredType } from '../../../model/run/answer-file.ts'

/** By object id, as in pg_type.dat; they are the same on every server. */
const BY_OID: Readonly<Record<number, DeclaredType>> = {
  16: 'boolean',
  18: 'text',
  19: 'text',
  20: 'int64',
  21: 'int16',
  23: 'int32',
  25: 'text',
  26: 'int64',
  114: 'text',
  700: 'float',
  701: 'double',
  1042: 'text',
  1043: 'text',
  1082: 'date',
  1083: 'time',
  1114: 'timestamp',
  1184: 'timestamptz',
  2950: 'uuid',
  3802: 'text',
}
const NUMERIC = 1700
/** What stands in front of the digits in a modifier of numeric; -1 has none. */
const HEADER = 4

export function declaredIn(field: {
  readonly dataTypeID: number
  readonly dataTypeModifier: number
}): DeclaredType | undefined {
  if (field.dataTypeID !== NUMERIC) return BY_OID[field.dataTypeID]
  if (field.dataTypeModifier < HEADER) return undefined
  const modifier = field.dataTypeModifier - HEADER
  // Eleven bits with a sign: -1000 to 1000.
  const scale = ((modifier & 0x7ff) ^ 1024) - 1024
  return decimalType((modifier >> 16) & 0xffff, scale)
}
