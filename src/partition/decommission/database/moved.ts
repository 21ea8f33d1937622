/** Tables of a database that moved to another one, according to the ledger there. */
import { hasTable } from '../../../engine/copy/ledger/statement.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { ContainedTable } from '../../../model/partition/retirement-port.ts'
import { tableKeyOf, type TableKey } from '../../../engine/copy/ledger/owner.ts'
import { documentOf } from '../../../engine/follow/cutover/between/document.ts'
import { BETWEEN_FORMAT } from '../../../engine/follow/cutover/cutover-row.ts'

export type LastSwitch = {
  readonly turn: number
  /** The stream that the cutover began. Ids of streams are times: a later one is greater. */
  readonly reverse: string
  /** `closes`: the table in the database to remove, closed to writers. `opens`: the table that users write to now. */
  readonly closes: TableKey
  readonly opens: TableKey
  /** Number of rows at the cutover, equal on both sides. */
  readonly rows: string
  /** Time of the cutover. */
  readonly ms: number
}

/** A table that a copy filled, or to which a cutover moved users. */
export type MovedTable = {
  /** `TableSpec.identity` of its source at planning; null for a table known from a cutover only. */
  readonly source: string | null
  /** Schema and name in the target. */
  readonly schema: string
  readonly name: string
  /** True if every row belongs to a chunk, and every chunk is copied. */
  readonly isWhole: boolean
  /** Condition on the copied rows; null for all. */
  readonly where: string | null
  /** `from -> to as type`, one per column. */
  readonly columns: readonly string[]
  /** Number of rows that its chunks copied. */
  readonly rows: string
  /** Surplus rows of the target, as counted by a copy. */
  readonly surplus: string
  /** When the last chunk was copied, ms since the epoch; null if unknown, or if no chunk was. */
  readonly copiedMs: number | null
  /** Mark (`TableMark`) of the target's table when it was filled; null if unknown. */
  readonly mark: string | null
  /** The last cutover that moved its users to the target; null if none. */
  readonly switched: LastSwitch | null
}

/**
 * The last cutover of each table that moved its users to another database.
 * @param database ledger of the database to which users moved
 * @param identity of the database to remove
 */
export async function switchesOut(database: LedgerDatabase, identity: string): Promise<readonly LastSwitch[]> {
  const { types } = ledgerDialect(database.dialect)
  if (!(await hasTable(database, 'migration_switches'))) return []
  const rows = await database.all(
    `SELECT turn, reverse_stream_id, CAST(proved_rows AS ${types.castText}), switched_ms, document FROM migration_switches
     WHERE status IN ('switched', 'announced', 'done') AND document LIKE '${BETWEEN_FORMAT}%' ORDER BY switched_ms`,
  )
  const last = new Map<string, LastSwitch>()
  for (const [turn, reverse, proved, ms, text] of rows) {
    const { closes, opens } = documentOf(String(text))
    if (closes.identity !== identity) continue
    const [from, to] = [tableKeyOf(closes.table), tableKeyOf(opens.table)]
    const ends = { closes: from, opens: to, rows: String(proved ?? 0), ms: Number(ms) }
    const one = { turn: Number(turn), reverse: String(reverse), ...ends }
    last.set(JSON.stringify([from.schema, from.name]), one)
  }
  return [...last.values()]
}

/**
 * Tables of one source that a copy filled, or that only a cutover moved. @param identity `CopyStore.identity` of the
 * source
 */
export async function movedFrom(database: LedgerDatabase, identity: string): Promise<readonly MovedTable[]> {
  const switches = await switchesOut(database, identity)
  const copied = (await readCopies(database, switches)).filter(
    ({ source }) => source?.startsWith(`${identity}/`) === true,
  )
  const others = switches.filter((one) => !copied.some(({ switched }) => switched === one))
  return [...copied, ...others.map(movedByCutover)]
}

async function readCopies(database: LedgerDatabase, switches: readonly LastSwitch[]): Promise<readonly MovedTable[]> {
  const { columns, types } = ledgerDialect(database.dialect)
  const there = (await database.all(columns, ['migration_plans'])).map(([name]) => String(name))
  if (there.length === 0) return []
  // A ledger of an older version lacks these columns until its next run.
  const late = ['target_mark', 'surplus'].map((name) => (there.includes(name) ? `p.${name}` : 'NULL'))
  const of = 'c.schema_name = p.schema_name AND c.table_name = p.table_name'
  const rows = await database.all(
    `SELECT p.schema_name, p.table_name, p.plan, p.planned, ${late[0]}, CAST(coalesce(${late[1]}, 0) AS ${types.castText}),
       (SELECT count(*) FROM migration_checkpoints c WHERE ${of} AND c.status <> 'completed'),
       (SELECT CAST(coalesce(sum(c.records_processed), 0) AS ${types.castText}) FROM migration_checkpoints c WHERE ${of}),
       (SELECT max(c.completed_ms) FROM migration_checkpoints c WHERE ${of})
     FROM migration_plans p ORDER BY 1, 2`,
  )
  return rows.map((row) => movedOf(row, switches))
}

function movedOf(
  [schema, name, text, planned, mark, surplus, open, rows, copied]: SqlRow,
  switches: readonly LastSwitch[],
): MovedTable {
  const plan = planOf(text)
  const { 'table identity': source, where, columns } = plan
  return {
    source: typeof source === 'string' ? source : '',
    schema: String(schema ?? ''),
    name: String(name),
    isWhole: Number(planned) === 1 && Number(open) === 0,
    where: typeof where === 'string' ? where : null,
    columns: Array.isArray(columns) ? columns.map(String) : [],
    rows: String(rows ?? 0),
    surplus: String(surplus ?? 0),
    copiedMs: copied == null ? null : Number(copied),
    mark: mark == null ? null : String(mark),
    switched: switches.find(({ opens }) => opens.schema === schema && opens.name === name) ?? null,
  }
}

/** A table that a reverse stream kept equal until its users moved back, so no copy filled its target. */
function movedByCutover(switched: LastSwitch): MovedTable {
  const { opens, rows } = switched
  const whole = { isWhole: true, where: null, columns: [], surplus: '0', copiedMs: null, mark: null }
  return { source: null, ...opens, ...whole, rows, switched }
}

/** Fields of a stored plan; empty if the plan is invalid. */
function planOf(text: unknown): Readonly<Record<string, unknown>> {
  try {
    const plan: unknown = JSON.parse(String(text))
    return typeof plan === 'object' && plan !== null ? (plan as Readonly<Record<string, unknown>>) : {}
  } catch {
    return {}
  }
}

/** The copies of a table, complete ones first. */
export function copiesOf({ identity, table }: ContainedTable, moved: readonly MovedTable[]): readonly MovedTable[] {
  const { schema, name } = tableKeyOf(table)
  return moved
    .filter(({ source, switched }) =>
      source === null
        ? switched?.closes.schema === schema && switched.closes.name === name
        : source === identity || source.startsWith(`${identity}/`),
    )
    .toSorted((one, other) => Number(isAll(other)) - Number(isAll(one)))
}

/** True if all rows of the source table are copied, without a condition. */
export function isAll({ isWhole, where }: MovedTable): boolean {
  return isWhole && where === null
}
