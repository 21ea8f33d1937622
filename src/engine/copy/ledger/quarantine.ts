/** Rows that could not be read or written, with their cause, until they are corrected and replayed. */
import { bytesText } from '../../../model/copy/bytes-text.ts'
import { createHash } from 'node:crypto'
import { isOneRow, type RowKey } from '../../../model/copy/row-key.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { Claim } from '../../../model/copy/plan.ts'
import type { ErrorCode } from '../../../shared/errors.ts'
import { storableError } from './error-text.ts'
import type { RunOwner, TableKey } from './owner.ts'
import { CLOSED, ownerQuery, OF_TABLE } from './stored-chunk.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { runStatement } from './statement.ts'

export type RowToQuarantine = {
  /** Key of the row at the source; empty if the row has none. */
  readonly key: RowKey
  readonly stage: 'read' | 'write'
  readonly code: ErrorCode
  readonly message: string
  /** Values by column, in readable form. */
  readonly row: Readonly<Record<string, string | number | null>>
  /** Number of indistinguishable rows of its chunk recorded before it; see `numberRefusedRows`. */
  readonly nth?: number
}

export type QuarantinedRow = RowToQuarantine & { readonly id: string; readonly runId: bigint; readonly table: TableKey }

/** Limit of characters per value; longer values are cut, because the row itself stays at the source. */
const SHOWN = 1000

/**
 * Statements that write a row into the quarantine; repeating them changes nothing.
 * @param guard query that returns a row while the statements may write; absent in the chunk's transaction, which checks
 * this
 */
export function quarantineStatement(
  database: LedgerDatabase,
  table: TableKey,
  owner: RunOwner,
  claim: Pick<Claim, 'id' | 'no'>,
  quarantinedRow: RowToQuarantine,
  guard?: Statement,
): readonly Statement[] {
  const { now } = ledgerDialect(database.dialect)
  const { key, row, nth = 0 } = quarantinedRow
  const isKeyless = key.length === 0
  // Each refused row has its own entry, with the same id when its chunk is copied again.
  const among = isOneRow(key) ? (nth === 0 ? [] : [claim.no, nth]) : [isKeyless ? claim.no : null, nth]
  const identity = [table.schema, table.name, key, isKeyless ? row : null, ...among]
  const id = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32)
  const values = `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${now}`
  const under = guard?.parameters ?? []
  return [
    {
      sql: `DELETE FROM migration_quarantine WHERE quarantine_id = ?${guard === undefined ? '' : ` AND EXISTS (${guard.sql})`}`,
      parameters: [id, ...under],
    },
    {
      sql: `INSERT INTO migration_quarantine (quarantine_id, run_id, schema_name, table_name, checkpoint_id, row_key, stage, error_code, message,
              row_json, created_ms) ${guard === undefined ? `VALUES (${values})` : `SELECT ${values} WHERE EXISTS (${guard.sql})`}`,
      parameters: [
        id,
        owner.runId,
        table.schema,
        table.name,
        claim.id,
        JSON.stringify(key),
        quarantinedRow.stage,
        quarantinedRow.code,
        storableError(quarantinedRow.message),
        JSON.stringify(row),
        ...under,
      ],
    },
  ]
}

/** Text that identifies the row of an entry: its key, plus the row itself if other rows may have the same key. */
export function lineOf({ key, row }: Pick<RowToQuarantine, 'key' | 'row'>): string {
  return JSON.stringify(isOneRow(key) ? [key] : [key, row])
}

/**
 * Numbers indistinguishable rows of one chunk in the order of their refusal. These are rows without a key, and rows
 * that share a key, which is possible in a source without a unique index.
 */
export function numberRefusedRows(): (quarantinedRow: RowToQuarantine) => RowToQuarantine {
  const seen = new Map<string, number>()
  return (quarantinedRow) => {
    const text = quarantinedRow.key.length === 0 ? lineOf(quarantinedRow) : JSON.stringify(quarantinedRow.key)
    const nth = seen.get(text) ?? 0
    seen.set(text, nth + 1)
    return { ...quarantinedRow, nth }
  }
}

/** Number of quarantine entries of a chunk, by `lineOf`. */
export async function quarantineLines(database: LedgerDatabase, checkpoint: number): Promise<Map<string, number>> {
  const rows = await database.all(
    'SELECT row_key, row_json FROM migration_quarantine WHERE checkpoint_id = ? AND replayed_ms IS NULL',
    [checkpoint],
  )
  const lines = new Map<string, number>()
  for (const [key, row] of rows) {
    const line = lineOf({
      key: JSON.parse(String(key)) as RowKey,
      row: JSON.parse(String(row)) as RowToQuarantine['row'],
    })
    lines.set(line, (lines.get(line) ?? 0) + 1)
  }
  return lines
}

/**
 * Completes chunks that still count quarantined rows although all of their entries are replayed: older versions wrote
 * one entry for several rows of one key. When the last entry is replayed, the key is in the target or no longer in the
 * source.
 */
export function completeStatement({ schema, name }: TableKey): Statement {
  const lines = (which: string): string =>
    `EXISTS (SELECT 1 FROM migration_quarantine q WHERE q.checkpoint_id = migration_checkpoints.id AND q.replayed_ms IS ${which})`
  return {
    // The order matters: MySQL sees values that the same UPDATE has set before.
    sql: `UPDATE migration_checkpoints SET rows_read = rows_read - rows_quarantined, surplus = surplus + rows_quarantined, rows_quarantined = 0,
            status = 'completed', error_code = NULL, error_message = NULL
          WHERE ${OF_TABLE} AND ${CLOSED} AND rows_quarantined > 0 AND ${lines('NOT NULL')} AND NOT ${lines('NULL')}`,
    parameters: [name, schema],
  }
}

/**
 * Marks all rows of a chunk as replayed. @param guard query that returns a row while this is allowed; absent if the
 * transaction checks it
 */
export function replayedChunk(database: LedgerDatabase, checkpoint: number, guard?: Statement): Statement {
  const { now } = ledgerDialect(database.dialect)
  const under = guard === undefined ? '' : ` AND EXISTS (${guard.sql})`
  return {
    sql: `UPDATE migration_quarantine SET replayed_ms = ${now} WHERE checkpoint_id = ? AND replayed_ms IS NULL${under}`,
    parameters: [checkpoint, ...(guard?.parameters ?? [])],
  }
}

/**
 * Ends the entries of earlier attempts when an attempt copies its chunk from the beginning. The new attempt writes or
 * refuses each of these rows again, so a later replay of the old entries would count a row twice.
 */
export function endedLines(
  database: LedgerDatabase,
  { id, attempt, cursor }: Pick<Claim, 'id' | 'attempt' | 'cursor'>,
): readonly Statement[] {
  return attempt > 1 && cursor === null ? [replayedChunk(database, id)] : []
}

/**
 * As `endedLines`, for a target that commits by batch. Entries stay if another process has the chunk, or if they are
 * written after this call, even if the service executes the statement later.
 */
export async function endLines(database: LedgerDatabase, owner: RunOwner, claim: Claim): Promise<void> {
  if (endedLines(database, claim).length === 0) return
  const { castText: text } = ledgerDialect(database.dialect).types
  const [[newest] = []] = await database.all(
    `SELECT CAST(MAX(created_ms) AS ${text}) FROM migration_quarantine WHERE checkpoint_id = ? AND replayed_ms IS NULL`,
    [claim.id],
  )
  if (newest == null) return
  const { sql, parameters } = replayedChunk(database, claim.id, ownerQuery(owner, claim))
  await runStatement(database, `${sql} AND created_ms <= ?`, [...parameters, BigInt(String(newest))])
}

/** Entries not replayed yet, oldest first. @param runId of one run; null: all @param table of the target; null: all */
export async function quarantined(
  database: LedgerDatabase,
  runId: bigint | null,
  table: TableKey | null = null,
): Promise<readonly QuarantinedRow[]> {
  const { castText: text } = ledgerDialect(database.dialect).types
  const rows = await database.all(
    `SELECT ${lineColumns(text)} FROM migration_quarantine WHERE replayed_ms IS NULL ${runId === null ? '' : 'AND run_id = ?'}
       ${table === null ? '' : 'AND schema_name = ? AND table_name = ?'} ORDER BY created_ms, quarantine_id`,
    [...(runId === null ? [] : [runId]), ...(table === null ? [] : [table.schema, table.name])],
  )
  return rows.map(quarantinedOf)
}

/** Columns for `quarantinedOf`. @param text type to which integers are cast */
function lineColumns(text: string): string {
  return `quarantine_id, CAST(run_id AS ${text}), schema_name, table_name, row_key, stage, error_code, message, row_json`
}

function quarantinedOf([id, run, schema, name, key, stage, code, message, row]: readonly unknown[]): QuarantinedRow {
  return {
    id: String(id),
    runId: BigInt(String(run)),
    table: { schema: String(schema), name: String(name) },
    key: JSON.parse(String(key)) as RowKey,
    stage: stage === 'read' ? 'read' : 'write',
    code: String(code) as ErrorCode,
    message: String(message),
    row: JSON.parse(String(row)) as Readonly<Record<string, string | number | null>>,
  }
}

export type WaitingRow = QuarantinedRow & { readonly createdMs: number }

/**
 * The oldest rows that are not replayed yet, and the number of all such rows.
 * @param of run and tables of the target to list; null for all
 * @param limit maximum number of rows returned
 */
export async function waitingRows(
  database: LedgerDatabase,
  of: { readonly runId: bigint | null; readonly tables: readonly TableKey[] | null },
  limit: number,
): Promise<{ readonly rows: readonly WaitingRow[]; readonly count: bigint }> {
  const { castText: text } = ledgerDialect(database.dialect).types
  const { runId, tables } = of
  const named = tables?.map(() => '(schema_name = ? AND table_name = ?)') ?? []
  const where = `WHERE replayed_ms IS NULL ${runId === null ? '' : 'AND run_id = ?'}
    ${tables === null ? '' : `AND (${named.join(' OR ')})`}`
  const parameters = [
    ...(runId === null ? [] : [runId]),
    ...(tables ?? []).flatMap(({ schema, name }) => [schema, name]),
  ]
  const [counted] = await database.all(
    `SELECT CAST(COUNT(*) AS ${text}) FROM migration_quarantine ${where}`,
    parameters,
  )
  const rows = await database.all(
    `SELECT ${lineColumns(text)}, CAST(created_ms AS ${text}) FROM migration_quarantine ${where}
     ORDER BY created_ms, quarantine_id LIMIT ${limit}`,
    parameters,
  )
  return {
    rows: rows.map((row) => ({ ...quarantinedOf(row), createdMs: Number(row[9]) })),
    count: BigInt(String(counted?.[0] ?? 0)),
  }
}

/** Runs with quarantined rows of a table that are not replayed yet, oldest first. */
export async function quarantinedRuns(
  database: LedgerDatabase,
  { schema, name }: TableKey,
): Promise<readonly bigint[]> {
  const { castText: text } = ledgerDialect(database.dialect).types
  const rows = await database.all(
    `SELECT DISTINCT CAST(run_id AS ${text}) FROM migration_quarantine WHERE replayed_ms IS NULL AND schema_name = ? AND table_name = ?`,
    [schema, name],
  )
  return rows.map(([run]) => BigInt(String(run))).toSorted((a, b) => (a < b ? -1 : 1))
}

/** Number of a table's quarantined rows that are not replayed yet, over all runs of the ledger. */
export async function quarantinedCount(database: LedgerDatabase, { schema, name }: TableKey): Promise<number> {
  const [row] = await database.all(
    'SELECT COUNT(*) FROM migration_quarantine WHERE replayed_ms IS NULL AND schema_name = ? AND table_name = ?',
    [schema, name],
  )
  return Number(row?.[0] ?? 0)
}

/** Records that a row is in the target now, or gone from the source; does nothing if this is recorded already. */
export function replayedStatement(database: LedgerDatabase, id: string): Statement {
  const { now } = ledgerDialect(database.dialect)
  return {
    sql: `UPDATE migration_quarantine SET replayed_ms = ${now} WHERE quarantine_id = ? AND replayed_ms IS NULL`,
    parameters: [id],
  }
}

/**
 * Ends the entries without a key of a table that is copied again from the beginning: the copy reads these rows again,
 * and writes or refuses each. Nothing else could end them, because no query finds such a row.
 */
export function endedKeyless(database: LedgerDatabase, { schema, name }: TableKey): Statement {
  const { now } = ledgerDialect(database.dialect)
  return {
    sql: `UPDATE migration_quarantine SET replayed_ms = ${now}
          WHERE schema_name = ? AND table_name = ? AND row_key = '[]' AND replayed_ms IS NULL`,
    parameters: [schema, name],
  }
}

/** A row in readable form. */
export function readableRow(names: readonly string[], row: Row): Readonly<Record<string, string | number | null>> {
  return Object.fromEntries(names.map((name, i) => [name, shown(row[i] ?? null)]))
}

function shown(cell: Cell): string | number | null {
  if (cell === null) return null
  if (typeof cell === 'number') return Number.isFinite(cell) ? cell : String(cell)
  const text = typeof cell === 'string' ? cell : bytesText(cell)
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
}
