/** The type of a Delta schema that stores the values of a column exactly. */
import type { Column, ColumnType } from '../../model/copy/column-type.ts'
import type { StoredColumn, StoredType } from '../../model/archive/stored-column.ts'

type Rule = Pick<StoredColumn, 'as' | 'stored'>

/** Largest precision of decimals in Delta and Parquet. */
const MOST_PRECISION = 38
/** Fractional digits of a second in Delta timestamps. */
const MOST_DIGITS = 6

/**
 * @param isLoose true if the source does not enforce column types: the stored text is then the SQL literal, which shows
 * the type of the value
 * @returns null for a type without a rule
 */
export function ruleFor({ type, native, textLoses }: Column, asText: boolean, isLoose = false): Rule | null {
  if (asText) return isLoose || isAny(type) ? textOf(native, ANY) : textOf(native)
  if (textLoses !== undefined) return null
  switch (type.kind) {
    case 'bool':
      return { as: type, stored: 'boolean' }
    case 'int':
      return { as: type, stored: wholeType(type) }
    case 'decimal': {
      const { precision, scale = 0 } = type
      // Store a number outside of Delta's limits as text. Trailing zeros of an unbounded number are part of its value.
      if (precision === undefined || precision < 1 || precision > MOST_PRECISION || scale < 0 || scale > precision) {
        return textOf(native)
      }
      return { as: type, stored: `decimal(${precision},${scale})` }
    }
    case 'float':
      return { as: type, stored: type.bits === 32 ? 'float' : 'double' }
    case 'text':
      // Without a length the server does not pad, so trailing blanks are part of the value.
      return type.padded === true && type.most === undefined ? textOf(native) : { as: type, stored: 'string' }
    case 'uuid':
    case 'time':
      return { as: type, stored: 'string' }
    case 'bytes':
      return { as: type, stored: 'binary' }
    case 'date':
      return { as: type, stored: 'date' }
    case 'timestamp':
      if (type.digits > MOST_DIGITS) return textOf(native)
      return { as: type, stored: type.zone ? 'timestamp' : 'timestamp_ntz' }
    case 'json':
      return textOf(native)
    case 'list':
      return namesObjects(type) ? null : textOf(native)
    case 'native':
      // If each value has its own type, a plain text would lose the type.
      return isAny(type) || namesObjects(type) ? null : textOf(native, type)
  }
}

/** A value of any type as its SQL literal. */
const ANY: ColumnType = { kind: 'native', name: 'any' }

function isAny(type: ColumnType): boolean {
  return type.kind === 'native' && type.name === 'any'
}

/** PostgreSQL types that print the present name of a database object: `regclass`, `regrole`, … */
const OBJECT =
  /^(?:pg_catalog\.)?(?:aclitem|reg(?:class|collation|config|database|dictionary|namespace|oper|operator|proc|procedure|role|type))$/

/**
 * True if values of the type are names of objects: a restored name refers to the object that has this name at the time
 * of the restore.
 */
export function namesObjects(type: ColumnType): boolean {
  return type.kind === 'list' ? namesObjects(type.of) : type.kind === 'native' && OBJECT.test(type.name)
}

/** The type in which values of a column are transferred. Older ledgers have `as` with an empty name for type `any`. */
export function travelsAs({ as, column }: Pick<StoredColumn, 'as' | 'column'>): ColumnType {
  return as.kind === 'native' && isAny(column.type) ? ANY : as
}

/** The text that the source prints and accepts. */
function textOf(native: string, as: ColumnType = { kind: 'native', name: native }): Rule {
  return { as, stored: 'string' }
}

/** The smallest type that holds all values of an integer type: Delta has no unsigned and no 24-bit integers. */
function wholeType({ bits, unsigned }: ColumnType & { readonly kind: 'int' }): StoredType {
  const needed = unsigned === true ? bits + 1 : bits
  if (needed <= 8) return 'byte'
  if (needed <= 16) return 'short'
  if (needed <= 32) return 'integer'
  return needed <= 64 ? 'long' : 'decimal(20,0)'
}
