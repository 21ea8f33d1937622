/** Encodes values for D1 as JSON, which SQLite decodes. */
import { hexDigits } from '../../../model/copy/bytes-text.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { binderOf } from '../../common/sqlite-dialect/bind.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'
import { doubleJson, doubleSql, isExtreme } from './doubles.ts'

/** Maximum bytes of one value, and of all values of one row. */
export const MOST_ROW_BYTES = 2_000_000

type Present = Exclude<Cell, null>

export type D1Encoder = {
  /** The value for SQLite to store. @throws SluiceError ROW_REFUSED for a value that it would change */
  bind(cell: Present): SqlValue
  /** A stored value as JSON. */
  json(value: SqlValue): string
  /**
   * Expression that decodes the value at a position of `value`, a JSON list.
   * @param hasSpecial true if the position holds, in some row, a value for which `isSpecial` is true
   */
  sql(at: number, hasSpecial: boolean): string
  /**
   * True for a value that the expression of the column's type cannot decode: an extreme number (`doubles.ts`), bytes in
   * a column that is transferred as another type, or another value in a column that is transferred as bytes.
   */
  isSpecial(value: SqlValue): boolean
}

export function d1Encoder({ as, name, column }: WriteColumn): D1Encoder {
  const bind = binderOf(as, affinityOf(column.native))
  const anything = as.kind === 'native' && as.name === 'any'
  const bytes = as.kind === 'bytes'
  return {
    bind: (cell) => {
      const value = bind(cell)
      if (Object.is(value, -0)) throw noNegativeZero(name)
      return value
    },
    json: (value) => {
      if (value === null) return 'null'
      if (typeof value === 'object') return bytes ? `"${hexDigits(value)}"` : `{"o":"${hexDigits(value)}"}`
      const json = plainJson(value, anything)
      return bytes && !json.startsWith('[') ? `{"o":${json}}` : json
    },
    sql: (at, odd) => {
      const [plain, other] = [`value->>${at}`, `value->>'$[${at}].o'`]
      const usual = bytes ? `unhex(${plain})` : plain
      if (!anything && !odd) return usual
      const object = bytes ? other : `unhex(${other})`
      return `CASE json_type(value, '$[${at}]') WHEN 'array' THEN ${doubleSql(`(value->${at})`)} WHEN 'object' THEN ${object} ELSE ${usual} END`
    },
    isSpecial: (value) =>
      (typeof value === 'number' && isExtreme(value)) ||
      (value !== null && (typeof value === 'object') !== bytes && !anything),
  }
}

/** The value as JSON; an extreme number as a list of two numbers. */
function plainJson(value: string | bigint | number, anything: boolean): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return value.toString()
  return anything ? withPoint(doubleJson(value)) : doubleJson(value)
}

/** Marks a floating point number as such: an untyped column would store a whole one as an integer. */
function withPoint(json: string): string {
  return /[.e,]/.test(json) ? json : `${json}.0`
}

function noNegativeZero(name: string): SluiceError {
  return new SluiceError('ROW_REFUSED', `${name} is -0.0, which D1 cannot store`, {
    reason: 'it would be stored as 0',
    hint: 'change the value in the source, or copy the column into a text column',
  })
}
