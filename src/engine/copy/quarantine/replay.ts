/** Reads a quarantined row again from the source and writes it. */
import { keyTextOf } from '../../../model/copy/key-text.ts'
import type { Column } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { isOneRow, rowKeyOf, rowKeyText, type RowKey } from '../../../model/copy/row-key.ts'
import { rowHash, RowChecksum, addChecksums } from '../../../model/copy/row-hash.ts'
import { equalDigests, type Row, type WriteTimes } from '../../../model/copy/rows.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { Closing, LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { ChunkWriter } from '../../../model/copy/target-port.ts'
import { plannedReadColumns, targetKeyPositions, keyedTargetTable, writeColumns } from '../table/context.ts'
import { EqualKey, NEVER } from '../diff/change.ts'
import { areStamped, findsByKey, targetRange } from '../diff/sides.ts'
import { hasLossyKey } from '../chunk/exact-keys.ts'
import { replayedStatement, type QuarantinedRow } from '../ledger/quarantine.ts'
import { CLOSED } from '../ledger/stored-chunk.ts'
import { isRanged } from '../recount/ranged.ts'
import { withWriter } from '../../../stores/common/with-writer.ts'

/** Both sides, and the ledger of the target. */
export type ReplayContext = {
  readonly to: CopyStore
  readonly view: SourceView
  readonly database: LedgerDatabase
  readonly signal: AbortSignal
}

const ONE_ROW = { rows: 1, bytes: 1024 * 1024 }

/**
 * Writes the row and counts it in its chunk, in one transaction if the target has transactions.
 * @param plan of the table, with the `onExisting` of its copy: an existing row that this mode does not overwrite stays
 * @returns `gone` if the source no longer has the row
 * @throws SluiceError UNSUPPORTED_KEY for a row without a key; ROW_REFUSED, VALUE_REFUSED if it is still refused;
 * PROOF_FAILED
 */
export async function replay(
  quarantinedRow: QuarantinedRow,
  plan: TablePlan,
  replayContext: ReplayContext,
): Promise<'written' | 'gone'> {
  const { to, view, database, signal } = replayContext
  const key = trueKey(quarantinedRow, plan)
  const { rows, stamps } = await sourceRows(key, plan, view, signal)
  // A comparison records a refused row under its target key. Other source rows may get the same target key.
  const isBare = !findsByKey(plan) && JSON.stringify(targetKeys(plan, key)[0]) === JSON.stringify(key)
  if (rows.length === 0) refuseUnfindable(quarantinedRow, key, plan)
  if (rows.length === 0 && isBare) throw ambiguousRow(key, plan)
  const positions = targetKeyPositions(plan)
  const found = rows.slice(0, 1).map((row) => rowKeyOf(row, positions))
  const keys = rows.length > 0 ? found : targetKeys(plan, key)
  return await withWriter(
    to.target(),
    {
      table: keyedTargetTable(plan),
      columns: writeColumns(plan),
      range: { by: 'keys', keys },
      onExisting: 'upsert',
      careful: false,
      cursor: null,
      signal,
    },
    async (writer) => {
      // The target may have a row with this key: a copy leaves or overwrites existing rows, and a repair writes rows.
      const before = keys.length > 0 ? (await writer.digest({ scheme: 'count' })).rows : 0n
      const isAdded = before === 0n || (rows.length > 0 && (await isUncounted(database, quarantinedRow, plan)))
      const change = await changeOf(database, quarantinedRow, key, isAdded ? 1 : 0, rows[0])
      const sum = new RowChecksum()
      for (const row of rows) sum.add(row)
      const only = new Set(rows.map((row) => keyTextOf(row, positions)))
      const isThere = async (): Promise<boolean> =>
        equalDigests(sum.digest(), await writer.digest({ scheme: 'canonical', only }))
      // If several rows may have the key, it is unknown which one was refused. The entry then ends only if none of them
      // is missing, or if only one row has the key.
      const isPresent = rows.length > 0 && !isOneRow(key) && (await isThere())
      if (rows.length > 1 && !(isPresent && change === null)) throw severalRowsError(key, rows.length)
      if (rows.length === 1 && !isOneRow(key) && before > 0n && !isPresent)
        throw severalRowsError(key, Number(before), 'in the target')
      if (rows.length > 0 && before > 0n && hasLossyKey(plan) && !(await isThere())) throw sharedKeyError(key, plan)
      if (rows.length > 0 && before > 0n && isBare) throw ambiguousRow(key, plan)
      if (rows.length > 0 && before > 0n && !isPresent && (await holdsOther(writer, plan, only, before)))
        throw new EqualKey([], 'run the same copy with --again: it names what to do about the two rows')
      const stays = stamps === undefined && (plan.onExisting === 'append' || plan.onExisting === 'refuse')
      if (rows.length > 0 && before > 0n && stays && !(await isThere())) throw holdsOtherValues(key, plan)
      const closing = closingOf(database, quarantinedRow, change)
      if (rows.length > 0 && !isPresent) {
        // Until `commit`, nothing records whether this write was executed, so it must be repeatable.
        const step = { guard: closing.guard, advance: NOTHING, landed: NEVER }
        await writer.write(rows, to.can.atomic === 'batch' ? step : undefined, stamps)
        if (!(await isThere())) throw stamps === undefined ? differs(key) : newerValueError(key, plan)
      }
      await writer.commit(closing)
      return rows.length > 0 ? 'written' : 'gone'
    },
  )
}

/** True if the target holds a row under an equal key of another spelling: writing would overwrite it. */
async function holdsOther(
  writer: ChunkWriter,
  plan: TablePlan,
  only: ReadonlySet<string>,
  before: bigint,
): Promise<boolean> {
  if (writer.stored === undefined) return (await writer.digest({ scheme: 'count', only })).rows < before
  const positions = targetKeyPositions(plan)
  return (await writer.stored(writeColumns(plan))).some((row) => !only.has(keyTextOf(row, positions)))
}

/**
 * Rows of the source with the key; with their write times and TTLs if both systems have them. @throws SluiceError
 * ROW_REFUSED if several rows have a key that must identify one row
 */
async function sourceRows(
  key: RowKey,
  plan: TablePlan,
  view: SourceView,
  signal: AbortSignal,
): Promise<{ readonly rows: readonly Row[]; readonly stamps: readonly WriteTimes[] | undefined }> {
  const isStamped = areStamped(plan)
  const request = {
    table: plan.source,
    columns: plannedReadColumns(plan),
    range: { by: 'keys', keys: [key] },
    where: plan.where ?? null,
    ordered: false,
    ...(isStamped ? { stamps: true as const } : {}),
  } as const
  const rows: Row[] = []
  const stamps: WriteTimes[] = []
  for await (const batch of view.read(request, ONE_ROW, signal)) {
    rows.push(...batch.rows)
    stamps.push(...(batch.stamps ?? []))
  }
  if (rows.length > 1 && isOneRow(key)) {
    throw new SluiceError(
      'ROW_REFUSED',
      `the row ${rowKeyText(key)} was not written: the source has ${rows.length} rows with this key`,
      {
        reason: 'the target accepts one of them: its key must be unique',
        hint: 'keep one of them at the source, then run the same command again',
      },
    )
  }
  return { rows, stamps: isStamped ? stamps : undefined }
}

/**
 * Statement that updates the chunk for the row. If another entry with this key was replayed, the chunk is updated as if
 * the source no longer had this row.
 */
async function changeOf(
  database: LedgerDatabase,
  quarantinedRow: QuarantinedRow,
  key: RowKey,
  added: 0 | 1,
  row: Row | undefined,
): ReturnType<typeof chunkChange> {
  const isOther = isOneRow(key) && (await hasReplayed(database, quarantinedRow))
  return isOther
    ? await chunkChange(database, quarantinedRow, undefined, 1)
    : await chunkChange(database, quarantinedRow, row, added)
}

/**
 * True if the existing row was written after the chunk was completed: by a retry that was killed after its write, or by
 * another program. The recorded surplus then does not include the row. Certain only if the chunk's range had no surplus
 * rows at its completion.
 */
async function isUncounted(database: LedgerDatabase, { id }: QuarantinedRow, plan: TablePlan): Promise<boolean> {
  const planSurplus = `(SELECT p.surplus FROM migration_plans p WHERE p.schema_name = c.schema_name AND p.table_name = c.table_name)`
  const found = await database.all(
    `SELECT 1 FROM migration_checkpoints c WHERE c.id = (SELECT checkpoint_id FROM migration_quarantine WHERE quarantine_id = ?)
       AND c.surplus + c.rows_quarantined <= 0${isRanged(plan) ? '' : ` AND ${planSurplus} = 0`}`,
    [id],
  )
  return found.length > 0
}

/** True if another entry of the same key and chunk is replayed. */
async function hasReplayed(database: LedgerDatabase, { id }: QuarantinedRow): Promise<boolean> {
  const found = await database.all(
    `SELECT 1 FROM migration_quarantine o JOIN migration_quarantine q ON o.checkpoint_id = q.checkpoint_id AND o.row_key = q.row_key
     WHERE q.quarantine_id = ? AND o.quarantine_id <> q.quarantine_id AND o.replayed_ms IS NOT NULL`,
    [id],
  )
  return found.length > 0
}

/** Key of the row in the target; empty if the key is no valid value in the target. */
function targetKeys(plan: TablePlan, key: RowKey): readonly RowKey[] {
  try {
    const range = targetRange({ plan }, { by: 'keys', keys: [key] })
    return range.by === 'keys' ? range.keys : []
  } catch (thrown) {
    if (asSluiceError(thrown).code === 'VALUE_REFUSED') return []
    throw thrown
  }
}

/**
 * Key of an entry. Older versions wrote an empty text for a NULL key; the stored row shows which of the two is meant.
 */
function trueKey(quarantinedRow: QuarantinedRow, { source }: TablePlan): RowKey {
  if (quarantinedRow.key.length === 0) {
    throw new SluiceError(
      'UNSUPPORTED_KEY',
      `a quarantined row of ${quarantinedRow.table.name} cannot be found: it has no key`,
      {
        hint: 'correct the row at the source, empty the table of the target, then copy the table again with --restart',
      },
    )
  }
  const key = quarantinedRow.key.map((text, i) => {
    const name = source.key[i] ?? ''
    return text === '' && Object.hasOwn(quarantinedRow.row, name) && quarantinedRow.row[name] === null ? null : text
  })
  const isMade = (at: number): boolean => source.columns.find(({ name }) => name === source.key[at])?.made !== undefined
  const isPartition =
    /^token -?\d+$/.test(key[0] ?? '') ||
    (key.some((text, at) => text === null && !isMade(at)) &&
      Object.entries(quarantinedRow.row).every(([name, value]) => value === null || source.key.includes(name)))
  if (quarantinedRow.stage === 'read' && source.ring !== undefined && isPartition) {
    throw new SluiceError('ROW_REFUSED', `partition ${rowKeyText(key)} could not be read, so its rows are unknown`, {
      hint: 'run the same copy with --again once the partition can be read: it compares both sides and writes what is missing',
    })
  }
  return key
}

/**
 * Refuses a key that no query finds, even if the row still exists. Such a key contains bytes that are not valid
 * characters, or NULL for an empty value in the key of a partition.
 * @throws SluiceError ROW_REFUSED
 */
function refuseUnfindable({ stage, row }: QuarantinedRow, key: RowKey, { source }: TablePlan): void {
  const keyColumn = (at: number): Column | undefined => source.columns.find(({ name }) => name === source.key[at])
  const hasOwnValues = source.columns.some(
    ({ name, static: isShared }) => isShared !== true && !source.key.includes(name) && (row[name] ?? null) !== null,
  )
  const isFindable = (text: string | null, at: number): boolean =>
    text === null
      ? source.ring === undefined || !hasOwnValues || keyColumn(at)?.made !== undefined
      : keyColumn(at)?.type.kind === 'bytes' || !/^\\x|\ufffd/.test(text)
  if (stage !== 'read' || key.every(isFindable)) return
  throw new SluiceError(
    'ROW_REFUSED',
    `the key ${rowKeyText(key)} is not a valid value of its column: a query by it finds no row`,
    {
      reason: 'sluice cannot check whether the source still has the row',
      hint: 'correct the key of the row at the source, then run the same copy with --again: it compares both sides and writes what is missing',
    },
  )
}

/** Error: several source rows may get this key, and the entry does not show which of them was refused. */
function ambiguousRow(key: RowKey, { source, target }: TablePlan): SluiceError {
  return new SluiceError(
    'ROW_REFUSED',
    `it is unknown which row of ${source.table.name} has the key ${rowKeyText(key)} in ${target.table.name}`,
    {
      reason: 'several source rows may get this key in the target, so a query by key may find another row',
      hint: 'run the same copy with --again: that compares both sides, and names what is still missing',
    },
  )
}

/** Error: another row has the key, and writing this row would overwrite it. */
function sharedKeyError(key: RowKey, { target }: TablePlan): SluiceError {
  return new SluiceError(
    'ROW_REFUSED',
    `key ${rowKeyText(key)} becomes equal to the key of another row of ${target.table.name}`,
    {
      reason: 'the type of the target column loses data, which --accept-lossy accepted',
      hint: 'give the column of the target a type that keeps the whole key',
    },
  )
}

/**
 * Error: the target has a row with other values. Another program wrote it since the row was quarantined, or a
 * comparison could not overwrite it. Only a repair records the values that it overwrites.
 */
function holdsOtherValues(key: RowKey, { target, onExisting }: TablePlan): SluiceError {
  return new SluiceError(
    'ROW_REFUSED',
    `${target.table.name} already has a row ${rowKeyText(key)}, with other values than the source`,
    {
      reason: `another program wrote it, or --again could not overwrite it; a copy with --on-existing ${onExisting} overwrites no rows`,
      hint: 'run the same copy with --again: it overwrites the row, and records its old values; sluice diff shows both rows',
    },
  )
}

function differs(key: RowKey): SluiceError {
  return new SluiceError(
    'PROOF_FAILED',
    `the row ${rowKeyText(key)} in the target differs from the row that was read`,
    { hint: 'sluice diff names the values that differ' },
  )
}

/** Error: of two values with write times, the target keeps the later one. */
function newerValueError(key: RowKey, { target }: TablePlan): SluiceError {
  return new SluiceError(
    'ROW_REFUSED',
    `the row ${rowKeyText(key)} of ${target.table.name} differs from the source after the write`,
    {
      reason:
        'the target has values or a deletion with a later write time, or values have changed or expired meanwhile',
      hint: 'sluice diff names the values that differ; sluice diff --fix --overwrite-newer also replaces later values of the target',
    },
  )
}

function severalRowsError(key: RowKey, rows: number, where = 'in the source'): SluiceError {
  const others = rows === 1 ? `a row ${where} has it, too` : `${rows} rows ${where} have it`
  return new SluiceError('ROW_REFUSED', `the key ${rowKeyText(key)} does not identify one row: ${others}`, {
    reason: 'rows whose key is NULL cannot be distinguished',
    hint: 'give each of these rows a unique key without NULL at the source, or change the target so that it accepts them; then copy the table again with --restart',
  })
}

/** SQL assignments that complete a chunk when its last quarantined row is replayed. */
const COMPLETED_COLUMNS = ['status', 'error_code', 'error_message']
  .map((name) => {
    const whole = name === 'status' ? "'completed'" : 'NULL'
    return `${name} = CASE WHEN rows_quarantined <= 1 THEN ${whole} ELSE ${name} END`
  })
  .join(', ')

const NOTHING: Statement = { sql: 'SELECT 1', parameters: [] }

/**
 * Statement that counts the row as written in its chunk, and adds it to the checksum; null if the chunk is not
 * completed.
 * @param more change of the target's surplus: 1 if the source has one row fewer, or the target one more
 */
async function chunkChange(
  database: LedgerDatabase,
  quarantinedRow: QuarantinedRow,
  row: Row | undefined,
  more: number,
): Promise<Statement | null> {
  const [found] = await database.all(
    `SELECT id, proof, source_checksum, target_checksum FROM migration_checkpoints
     WHERE id = (SELECT checkpoint_id FROM migration_quarantine WHERE quarantine_id = ?) AND ${CLOSED}`,
    [quarantinedRow.id],
  )
  if (found === undefined) return null
  const [id, proof, source, target] = found
  const grown = (sum: unknown): string | null => {
    if (row === undefined || proof !== 'canonical' || typeof sum !== 'string' || sum === '')
      return (sum ?? null) as string | null
    return addChecksums(sum, rowHash(row).slice(20))
  }
  const [read, written] = row === undefined ? [-1, 0] : [0, 1]
  return {
    // The order matters: MySQL sees values that the same UPDATE has set before.
    sql: `UPDATE migration_checkpoints SET ${COMPLETED_COLUMNS}, rows_read = rows_read + ?, rows_written = rows_written + ?, records_processed = records_processed + ?,
            rows_quarantined = rows_quarantined - 1, source_checksum = ?, target_checksum = ?, surplus = surplus + ? WHERE id = ?`,
    parameters: [read, written, written, grown(source), grown(target), more, id ?? null],
  }
}

function closingOf(database: LedgerDatabase, { id }: QuarantinedRow, change: Statement | null): Closing {
  const open: Statement = {
    sql: 'SELECT 1 FROM migration_quarantine WHERE quarantine_id = ? AND replayed_ms IS NULL',
    parameters: [id],
  }
  return {
    statements: [replayedStatement(database, id), ...(change === null ? [] : [change])],
    guard: open,
    landed: {
      sql: 'SELECT 1 FROM migration_quarantine WHERE quarantine_id = ? AND replayed_ms IS NOT NULL',
      parameters: [id],
    },
  }
}
