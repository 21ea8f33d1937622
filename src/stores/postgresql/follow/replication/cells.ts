/** Converts values of a stream to the cells of a copy, which selects some columns differently (`postgresSelection`). */
import { tableText, type TableSpec } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { FollowedTable } from '../../../../model/follow/port.ts'
import type { ReadColumn } from '../../../../model/copy/read-column.ts'
import { valueReader, type Reader } from '../../server/cells.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { arrayJson, elementJson, type ElementJson } from './array-json.ts'

/** Readers by table and column, in order; null if the cell is the text itself. */
export type CellReaders = readonly (readonly (Reader | null)[])[]

/** Element type of an array column, as the server describes it. */
type Element = {
  readonly delimiter: string
  /** OID of the type; for a domain, of its base type. */
  readonly base: number
  /** Function that casts it to text; empty if the cast is the type's own output. */
  readonly cast: string
}

/** Casts to text by OID of the type. The result of some casts differs from the type's output. */
const CASTS: Readonly<Record<number, ElementJson>> = {
  // bool
  16: (text) => JSON.stringify(text === 't' ? 'true' : 'false'),
  // "char", name
  18: (text) => JSON.stringify(text),
  19: (text) => JSON.stringify(text),
  // cidr, inet: the cast includes the mask of a single address
  650: (text) => JSON.stringify(withMask(text)),
  869: (text) => JSON.stringify(withMask(text)),
  // character(n)
  1042: (text) => JSON.stringify(text.replace(/ +$/, '')),
}

/** @throws SluiceError NOT_FOLLOWABLE if a column's values in the stream cannot become the cells of a copy */
export async function cellReaders(session: CopySession, tables: readonly FollowedTable[]): Promise<CellReaders> {
  const elements = tables.some(({ columns }) => columns.some(isList)) ? await listElements(session, tables) : null
  return tables.map(({ table, columns }) =>
    columns.map((column) => {
      if (!isList(column)) return valueReader(column, null)
      return valueReader(column, listReader(table, column, elements?.get(elementKey(table, column.name))))
    }),
  )
}

function isList({ column: { type } }: ReadColumn): boolean {
  return type.kind === 'list'
}

function elementKey({ table }: TableSpec, column: string): string {
  return JSON.stringify([tableText(table), column])
}

function listReader(
  table: TableSpec,
  { name, as, column: { type } }: ReadColumn,
  element: Element | undefined,
): ((text: string) => string) | null {
  if (type.kind !== 'list' || (as.kind !== 'list' && as.kind !== 'json')) return null
  const refused = (reason: string): SluiceError =>
    new SluiceError('NOT_FOLLOWABLE', `changes of the column ${name} cannot be replicated`, {
      where: `${tableText(table.table)}.${name}`,
      reason,
      hint: 'exclude the column with --columns, or copy the table without a stream',
    })
  if (as.kind === 'json' && as.spelled === true) {
    throw refused('the stream reports an array, but the target stores it as JSON in the form of the server')
  }
  if (element === undefined) throw refused('the server no longer describes its type')
  const json = elementJson(type.of) ?? nativeJson(element)
  if (json === null) throw refused(`the server casts its elements to text by ${element.cast}`)
  return (text) => arrayJson(text, json, element.delimiter)
}

/** @returns writer of elements that a copy selects as texts; null if the server casts them by an unknown function */
function nativeJson({ base, cast }: Element): ElementJson | null {
  const known = CASTS[base]
  if (known !== undefined) return known
  return cast === '' ? (text) => JSON.stringify(text) : null
}

function withMask(text: string): string {
  if (text.includes('/')) return text
  return `${text}/${text.includes(':') ? 128 : 32}`
}

async function listElements(
  session: CopySession,
  tables: readonly FollowedTable[],
): Promise<ReadonlyMap<string, Element>> {
  const names = tables.map(({ table: { table } }) => `(${literal(tableText(table))}, ${literal(tableSql(table))})`)
  const rows = await session.ask(
    `WITH RECURSIVE columns AS (
       SELECT w.name, a.attname, a.atttypid AS type FROM (VALUES ${names.join(', ')}) AS w (name, sql)
         JOIN pg_catalog.pg_attribute a ON a.attrelid = pg_catalog.to_regclass(w.sql)::oid AND a.attnum > 0 AND NOT a.attisdropped),
     arrays AS (
       SELECT name, attname, type FROM columns
       UNION ALL SELECT d.name, d.attname, t.typbasetype FROM arrays d JOIN pg_catalog.pg_type t ON t.oid = d.type AND t.typtype = 'd'),
     elements AS (
       SELECT a.name, a.attname, t.typelem AS type, e.typdelim FROM arrays a
         JOIN pg_catalog.pg_type t ON t.oid = a.type AND t.typcategory = 'A' AND t.typlen = -1 JOIN pg_catalog.pg_type e ON e.oid = t.typelem
       UNION ALL SELECT e.name, e.attname, t.typbasetype, e.typdelim FROM elements e
         JOIN pg_catalog.pg_type t ON t.oid = e.type AND t.typtype = 'd')
     SELECT e.name, e.attname, e.type, e.typdelim,
       CASE WHEN c.castfunc <> 0::oid THEN c.castfunc::pg_catalog.regprocedure::text ELSE '' END
     FROM elements e JOIN pg_catalog.pg_type t ON t.oid = e.type AND t.typtype <> 'd'
       LEFT JOIN pg_catalog.pg_cast c ON c.castsource = e.type AND c.casttarget = 'pg_catalog.text'::pg_catalog.regtype::oid`,
  )
  return new Map(
    rows.map(([name, column, type, delimiter, cast]) => [
      JSON.stringify([name, column]),
      { base: Number(type), delimiter: delimiter ?? ',', cast: cast ?? '' },
    ]),
  )
}
