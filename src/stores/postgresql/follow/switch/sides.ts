/** The two tables of a cutover, from the catalogs as they are now. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { SwitchFinding, SwitchRequest } from '../../../../model/follow/switch-port.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'

export type CutoverTable = {
  readonly oid: string
  readonly schema: string
  readonly name: string
  /** Schema and name in SQL. */
  readonly sql: string
  readonly isPartitioned: boolean
  /** pg_class.relkind: `r`, `p`, or another kind if no table has this name. */
  readonly kind: string
}

export type CutoverTables = {
  readonly session: CopySession
  /** The table that has the public name until the cutover. */
  readonly from: CutoverTable
  readonly to: CutoverTable
  /** The public name in SQL: name of `from` before the cutover, and of `to` after it. */
  readonly public: string
  /** Name of `from` after the cutover, in SQL. */
  readonly oldTable: string
  readonly oldTableName: string
}

/** A finding, with statements that recreate the object. They use the names of the tables at the time when they run. */
export type CutoverStep = SwitchFinding & {
  /** To run while the tables have their old names. */
  readonly before?: readonly string[]
  /** To run after the tables have exchanged their names. */
  readonly after?: readonly string[]
}

/** Inspects one topic. Needs a transaction with an empty search path, so that the server writes full names. */
export type CutoverInspection = (sides: CutoverTables) => Promise<readonly CutoverStep[]>

/** @returns null if no relation has this name */
export async function cutoverTable(
  session: CopySession,
  { schema = 'public', name }: TableName,
): Promise<CutoverTable | null> {
  const [row] = await session.ask(
    `SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ${literal(schema)} AND c.relname = ${literal(name)}`,
  )
  if (row === undefined) return null
  const [oid, kind] = row
  return {
    oid: oid ?? '',
    schema,
    name,
    sql: tableSql({ schema, name }),
    isPartitioned: kind === 'p',
    kind: kind ?? '',
  }
}

/** @throws SluiceError SOURCE_GONE if the table does not exist, or is not a table */
export async function cutoverSide(session: CopySession, table: TableName): Promise<CutoverTable> {
  const side = await cutoverTable(session, table)
  if (side === null || !/^[rp]$/.test(side.kind)) throw goneTable(table)
  return side
}

/** @throws SluiceError SOURCE_GONE if one of the tables does not exist, or is not a table */
export async function cutoverTables(session: CopySession, request: SwitchRequest): Promise<CutoverTables> {
  const from = await cutoverSide(session, request.from)
  const to = await cutoverSide(session, request.to)
  return {
    session,
    from,
    to,
    public: from.sql,
    oldTable: tableSql({ schema: from.schema, name: request.oldTable }),
    oldTableName: request.oldTable,
  }
}

/** Error for a name that refers to no table. */
export function goneTable(table: TableName): SluiceError {
  return new SluiceError('SOURCE_GONE', `there is no table ${tableText(table)}`, {
    where: tableText(table),
    reason: 'it was dropped or renamed',
    hint: 'inspect both tables, then plan the cutover again',
  })
}

/** Rows of a statement that returns one JSON object a row. */
export async function cutoverFacts<T>({ session }: Pick<CutoverTables, 'session'>, sql: string): Promise<readonly T[]> {
  return (await session.ask(sql)).map(([json]) => JSON.parse(json ?? 'null') as T)
}
