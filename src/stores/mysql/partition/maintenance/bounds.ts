/**
 * Meaning of partition bounds. For `RANGE COLUMNS` they are values of the column. For `RANGE (…)` they are integers
 * that a function computes from the values; a few of these functions can be inverted.
 */
import type { Column } from '../../../../model/copy/column-type.ts'

const MS_OF_DAY = 86_400_000
/** TO_DAYS and TO_SECONDS count from the year 0. */
const DAYS_BEFORE_1970 = 719_528
const FIRST = '0001-01-01'
const LAST_YEAR = 9999

/** Partitioning of a table: its column, and how bounds are read and written in SQL. */
export type RangeMethod = {
  /** As in `PARTITION BY`, for messages. */
  readonly text: string
  readonly column: Column
  /** @returns the bound as a value of the column; null if no value is above it; undefined if it cannot be read */
  readonly read: (description: string) => string | null | undefined
  /** @returns SQL; null if a partition of this table cannot begin there */
  readonly write: (bound: string) => string | null
}

const QUOTED = /^(?:"((?:[^"]|"")*)"|`((?:[^`]|``)*)`)$/
const CALL = /^(to_days|to_seconds|unix_timestamp|year)\((.*)\)$/is

/** @param method and expression from the dictionary @returns null if values cannot be derived from the bounds */
export function rangeMethod(method: string, expression: string, columns: readonly Column[]): RangeMethod | null {
  const [, name = '', argument = ''] = CALL.exec(expression) ?? [null, '', expression]
  const quoted = QUOTED.exec(argument.trim())
  const wanted = quoted === null ? argument : (quoted[1]?.replaceAll('""', '"') ?? quoted[2]?.replaceAll('``', '`'))
  const column = columns.find((one) => one.name === wanted)
  if (column === undefined) return null
  const form = formOf(method, name.toLowerCase(), column)
  return form === null ? null : { text: `${method} (${expression})`, column, ...form }
}

type Form = Pick<RangeMethod, 'read' | 'write'>

function formOf(method: string, call: string, { type, native }: Column): Form | null {
  if (type.kind === 'int') return call === '' ? WHOLE : null
  const isDate = type.kind === 'date'
  if (type.kind === 'timestamp' && type.zone) {
    // With fractional seconds the function returns a fraction, but bounds are integers.
    return call === 'unix_timestamp' && /^timestamp(?:\(0\))?$/i.test(native) ? EPOCH : null
  }
  if (!isDate && type.kind !== 'timestamp') return null
  if (method === 'RANGE COLUMNS') return call === '' ? valueForm(isDate) : null
  switch (call) {
    case 'to_days':
      return numberForm(isDate, MS_OF_DAY, DAYS_BEFORE_1970)
    case 'to_seconds':
      return numberForm(isDate, 1000, DAYS_BEFORE_1970 * 86_400)
    case 'year':
      return yearForm(isDate)
    default:
      return null
  }
}

const WHOLE: Form = {
  read: (text) => (/^-?\d{1,20}$/.test(text) ? text : undefined),
  write: (bound) => (/^-?\d{1,20}$/.test(bound) ? bound : null),
}

const EPOCH: Form = {
  read: (text) => {
    const at = numberOf(text)
    const clock = at === undefined ? undefined : textAt(Math.max(at, 0) * 1000, false)
    return clock == null ? clock : `${clock}+00`
  },
  write: (bound) => {
    const at = instantOf(bound)
    return at === null ? null : String(at / 1000)
  },
}

/** The server prints bounds as users have written them: `2024-4-1` and `20240401` are dates too. */
const WRITTEN = /^'(\d{4})(?:-(\d{1,2})-(\d{1,2})|(\d\d)(\d\d))(?:[ T]?(\d{1,2}):?(\d\d):?(\d\d)(?:\.(\d*))?)?'$/

function valueForm(isDate: boolean): Form {
  return {
    read: (text) => {
      const [whole, year, month = '', day = '', month2 = '', day2 = '', h = '00', m = '00', s = '00', rest] =
        WRITTEN.exec(text) ?? []
      if (whole === undefined || year === undefined) return undefined
      const date = `${year}-${(month || month2).padStart(2, '0')}-${(day || day2).padStart(2, '0')}`
      // Only zero dates are before FIRST.
      const from = date < FIRST ? FIRST : date
      if (isDate) return from
      const part = rest?.replace(/0+$/, '') ?? ''
      return `${from} ${h.padStart(2, '0')}:${m}:${s}${part === '' ? '' : `.${part}`}`
    },
    write: (bound) => {
      const at = instantOf(bound)
      if (at === null || (isDate && at % MS_OF_DAY !== 0)) return null
      return `'${textAt(at, isDate) ?? ''}'`
    },
  }
}

/** @param unit milliseconds per step of the number */
function numberForm(isDate: boolean, unit: number, before1970: number): Form {
  return {
    read: (text) => {
      const number = numberOf(text)
      return number === undefined ? undefined : textAt((number - before1970) * unit, isDate)
    },
    write: (bound) => {
      const at = instantOf(bound)
      return at === null || at % unit !== 0 ? null : String(at / unit + before1970)
    },
  }
}

function yearForm(isDate: boolean): Form {
  return {
    read: (text) => {
      const year = numberOf(text)
      if (year === undefined) return undefined
      if (year > LAST_YEAR) return null
      return textAt(Date.parse(`${String(Math.max(year, 1)).padStart(4, '0')}-01-01T00:00:00Z`), isDate)
    },
    write: (bound) => (/^\d{4}-01-01(?: 00:00:00)?$/.test(bound) ? String(Number(bound.slice(0, 4))) : null),
  }
}

function numberOf(text: string): number | undefined {
  return /^-?\d{1,20}$/.test(text) ? Number(text) : undefined
}

/**
 * Milliseconds since 1970 of a bound, read as UTC. Null if it has fractional seconds, or no year of four digits.
 */
function instantOf(bound: string): number | null {
  const [, day, clock = '00:00:00'] = /^(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d:\d\d)(?:\+00)?)?$/.exec(bound) ?? []
  const at = day === undefined ? Number.NaN : Date.parse(`${day}T${clock}Z`)
  return Number.isNaN(at) ? null : at
}

/** Text of a bound; null after the year 9999. For dates, a bound within a day becomes the next day. */
function textAt(at: number, isDate: boolean): string | null {
  const instant = Math.max(isDate ? Math.ceil(at / MS_OF_DAY) * MS_OF_DAY : at, Date.parse(`${FIRST}T00:00:00Z`))
  if (instant > Date.parse(`${LAST_YEAR}-12-31T23:59:59Z`)) return null
  const text = new Date(instant).toISOString()
  return isDate ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, 19)}`
}
