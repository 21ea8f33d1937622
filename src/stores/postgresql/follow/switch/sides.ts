/** The two tables of a switch, as the system catalogs have them now. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { SwitchFinding, SwitchRequest } from '../../../../model/follow/switch-port.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'

export type Side = {
  readonly oid: string
  readonly schema: string
  readonly name: string
  /** Schema and name as SQL has them. */
  readonly sql: string
  readonly isPartitioned: boolean
  /** `r`, `p`, or what else it is that has the name. */
  readonly kind: string
}

export type Sides = {
  readonly session: CopySession
  /** Has the public name until the switch. */
  readonly from: Side
  readonly to: Side
  /** The public name as SQL has it; the name of `from` before the switch, and of `to` after it. */
  readonly public: string
  /** What `from` is called after the switch, as SQL has it. */
  readonly parked: string
  readonly parkedName: string
}

/** One thing that a switch meets, with the statements that make it anew. They name the tables as they are called by then. */
export type Step = SwitchFinding & {
  /** While the tables have their old names. */
  readonly before?: readonly string[]
  /** Once they have changed places. */
  readonly after?: readonly string[]
}

/** One of the looks; each is about one idea. In a transaction whose search path is empty, so that the server writes every name in full. */
export type Look = (sides: Sides) => Promise<readonly Step[]>

/** @returns null where there is nothing of that name */
export async function sideOf(session: CopySession, { schema = 'public', name }: TableName): Promise<Side | null> {
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
export async function sidesOf(session: CopySession, request: SwitchRequest): Promise<Sides> {
  const sides: Side[] = []
  for (const table of [request.from, request.to]) {
    const side = await sideOf(session, table)
    if (side === null || !/^[rp]$/.test(side.kind)) throw goneTable(table)
    sides.push(side)
  }
  const [from, to] = sides as [Side, Side]
  return {
    session,
    from,
    to,
    public: from.sql,
    parked: tableSql({ schema: from.schema, name: request.parked }),
    parkedName: request.parked,
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
export async function objects<T>({ session }: Pick<Sides, 'session'>, sql: string): Promise<readonly T[]> {
  return (await session.ask(sql)).map(([json]) => JSON.parse(json ?? 'null') as T)
}
