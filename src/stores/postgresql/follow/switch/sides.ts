/** The two tables of a cutover, from the catalogs as they are now. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { FurthestValues, SwitchFinding, SwitchRequest } from '../../../../model/follow/switch-port.ts'
import type { CopySession } from '../../server/session.ts'
import { quoteName } from '../../server/connect.ts'
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
  /** The table that gets the public name. */
  readonly to: CutoverTable
  /** The public name in SQL: name of `from` before the cutover, and of `to` after it. */
  readonly public: string
  /** Name of `from` after the cutover, in SQL. */
  readonly oldTable: string
  /** The same name without schema and quotes. */
  readonly oldTableName: string
  /** Furthest values of numbered columns of all rows; absent before the cutover. */
  readonly furthest?: readonly FurthestValues[]
}

/** A finding, with statements that recreate the object. They use the names of the tables at the time when they run. */
export type CutoverStep = SwitchFinding & {
  /** To run while the tables have their old names. */
  readonly before?: readonly string[]
  /** To run after the tables have exchanged their names. */
  readonly after?: readonly string[]
}

/** A trigger, rule or policy: its name is unique within its table. */
export type NamedOfTable = { readonly kind: 'TRIGGER' | 'RULE' | 'POLICY'; readonly name: string }

/**
 * Creates a trigger, rule or policy of the public table on the other table, in place of one with that name.
 * @param make statements that create it under the public name
 */
export function recreated(
  { to, public: table }: CutoverTables,
  { kind, name, comment }: NamedOfTable & { readonly comment: string | null },
  make: readonly string[],
  isThere: boolean,
): CutoverStep {
  const commented = `COMMENT ON ${kind} ${quoteName(name)} ON ${table} IS ${literal(comment ?? '')}`
  return {
    verdict: 'made',
    about: kind.toLowerCase(),
    object: name,
    detail: isThere ? 'the other table has a different one of that name, which is replaced' : 'the other table gets it',
    ...(isThere ? { before: [`DROP ${kind} ${quoteName(name)} ON ${to.sql}`] } : {}),
    after: [...make, ...(comment === null ? [] : [commented])],
  }
}

/** Drops a trigger, rule or policy of the other table that the public table does not have. */
export function dropped({ to }: CutoverTables, { kind, name }: NamedOfTable, definition: string): CutoverStep {
  return {
    verdict: 'made',
    about: kind.toLowerCase(),
    object: name,
    detail: `the public table does not have it, so it is dropped from the other table: ${definition}`,
    before: [`DROP ${kind} ${quoteName(name)} ON ${to.sql}`],
  }
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
    hint: 'inspect both tables, then run the cutover again',
  })
}
