/** The two tables of a switch, as the system catalogs have them now. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { SwitchFinding, SwitchRequest } from '../../../../model/follow/switch-port.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'

export type CutoverTable = {
  readonly oid: string
  readonly schema: string
  readonly name: string
  /** Schema and name as SQL has them. */
  readonly sql: string
  readonly isPartitioned: boolean
  /** `r`, `p`, or what else it is that has the name. */
  readonly kind: string
}

export type CutoverTables = {
  readonly session: CopySession
  /** Has the public name until the switch. */
  readonly from: CutoverTable
  readonly to: CutoverTable
  /** The public name as SQL has it; the name of `from` before the switch, and of `to` after it. */
  readonly public: string
  /** What `from` is called after the switch, as SQL has it. */
  readonly oldTable: string
  readonly oldTableName: string
}

/** One thing that a switch meets, with the statements that make it anew. They name the tables as they are called by then. */
export type CutoverStep = SwitchFinding & {
  /** While the tables have their old names. */
  readonly before?: readonly string[]
  /** Once they have changed places. */
  readonly after?: readonly string[]
}

/** One of the looks; each is about one idea. In a transaction whose search path is empty, so that the server writes every name in full. */
export type CutoverInspection = (sides: CutoverTables) => Promise<readonly CutoverStep[]>

/** @returns null where there is nothing of that name */
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

/** @throws SluiceError SOURCE_GONE where one of the tables is not there, or is no table */
export async function cutoverTables(session: CopySession, request: SwitchRequest): Promise<CutoverTables> {
  const sides: CutoverTable[] = []
  for (const table of [request.from, request.to]) {
    const side = await cutoverTable(session, table)
    if (side === null || !/^[rp]$/.test(side.kind)) throw goneTable(table)
    sides.push(side)
  }
  const [from, to] = sides as [CutoverTable, CutoverTable]
  return {
    session,
    from,
    to,
    public: from.sql,
    oldTable: tableSql({ schema: from.schema, name: request.oldTable }),
    oldTableName: request.oldTable,
  }
}

/** Of a name that leads to no table. */
export function goneTable(table: TableName): SluiceError {
  return new SluiceError('SOURCE_GONE', `there is no table ${tableText(table)}`, {
    where: tableText(table),
    reason: 'it was dropped, or has another name by now',
    hint: 'look at both tables, then plan the switch again',
  })
}

/** Rows of a statement that gives one object of JSON a row. */
export async function cutoverFacts<T>({ session }: Pick<CutoverTables, 'session'>, sql: string): Promise<readonly T[]> {
  return (await session.ask(sql)).map(([json]) => JSON.parse(json ?? 'null') as T)
}
