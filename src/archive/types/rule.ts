/** Which type of a Delta schema holds the values of a column exactly. */
import type { Column, ColumnType } from '../../model/copy/column-type.ts'
import type { StoredColumn, StoredType } from '../../model/archive/stored-column.ts'

type Rule = Pick<StoredColumn, 'as' | 'stored'>

/** Digits that decimals of Delta and Parquet have at most. */
const MOST_PRECISION = 38
/** Digits of a second that timestamps of Delta have. */
const MOST_DIGITS = 6

/**
 * @param isLoose the source holds its columns to no type: then a text says of which type a value is, as SQL spells it
 * @returns null for a type without a rule
 */
export function ruleFor({ type, native }: Column, asText: boolean, isLoose = false): Rule | null {
  if (asText) return isLoose || isAny(type) ? textOf(native, ANY) : textOf(native)
  switch (type.kind) {
    case 'bool':
      return { as: type, stored: 'boolean' }
    case 'int':
      return { as: type, stored: wholeType(type) }
    case 'decimal': {
      const { precision, scale = 0 } = type
      // The text, because the zeros that an unbounded number shows at its end are part of what it says.
      if (precision === undefined || precision < 1 || precision > MOST_PRECISION || scale < 0 || scale > precision) {
        return textOf(native)
      }
      return { as: type, stored: `decimal(${precision},${scale})` }
    }
    case 'float':
      return { as: type, stored: type.bits === 32 ? 'float' : 'double' }
    case 'text':
      // Without a length the server fills nothing up: blanks at the end are those that were written.
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
      // Of values that each have a type of their own a text would not say which.
      return isAny(type) || namesObjects(type) ? null : textOf(native, type)
  }
}

/** Of a value of any type its literal in SQL. */
const ANY: ColumnType = { kind: 'native', name: 'any' }

function isAny(type: ColumnType): boolean {
  return type.kind === 'native' && type.name === 'any'
}

/** Types of PostgreSQL that print the name which an object of the database has now: `regclass`, `regrole`, … */
const OBJECT =
  /^(?:pg_catalog\.)?(?:aclitem|reg(?:class|collation|config|database|dictionary|namespace|oper|operator|proc|procedure|role|type))$/

/** Whether texts of the type are names of objects, and come back as what has that name by then. */
export function namesObjects(type: ColumnType): boolean {
  return type.kind === 'list' ? namesObjects(type.of) : type.kind === 'native' && OBJECT.test(type.name)
}

/** As which type values of a column travel. Older ledgers call literals of a column without a type by the empty name of that type. */
export function travelsAs({ as, column }: Pick<StoredColumn, 'as' | 'column'>): ColumnType {
  return as.kind === 'native' && isAny(column.type) ? ANY : as
}

/** The text that the source prints and takes again. */
function textOf(native: string, as: ColumnType = { kind: 'native', name: native }): Rule {
  return { as, stored: 'string' }
}

/** Delta has no whole numbers without a sign, and none of 24 bits. */
function wholeType({ bits, unsigned }: ColumnType & { readonly kind: 'int' }): StoredType {
  const needed = unsigned === true ? bits + 1 : bits
  if (needed <= 8) return 'byte'
  if (needed <= 16) return 'short'
  if (needed <= 32) return 'integer'
  return needed <= 64 ? 'long' : 'decimal(20,0)'
}
