/**
 * Deletes rows that no version from `history_from` on needs. Readers never see these rows, so they are deleted in
 * transactions of bounded size, each under the table's lease. After a kill the next sweep deletes the remaining rows.
 */
import type { SqlReader } from '../model/run/sql-port.ts'
import type { RelationRowCounts } from './rollback.ts'
import { dropSuperseded, supersededRows } from './superseded.ts'
import { sweepReader, sweepStep, type CatalogSweep } from './sweep-step.ts'
import { countOf } from './count-rows.ts'
import { rangeColumns, ZONE_FILES } from './ranges/columns.ts'
import { dropVersions } from './state-relations.ts'

/** A table with at most this many rows is swept in one transaction. */
const FEW_ROWS = 5000

/** True if one transaction can sweep all rows of a table. */
export async function hasFewRows(reader: SqlReader, tableId: string, most: number = FEW_ROWS): Promise<boolean> {
  const past = (relation: string): string =>
    `EXISTS (SELECT 1 FROM (SELECT 1 AS one FROM ${relation} WHERE table_id = ? LIMIT 1 OFFSET ${most}) AS past)`
  const relations = ['delta_files', 'delta_actions', 'delta_file_ranges', 'delta_commits']
  const [row] = await reader.all(
    `SELECT CASE WHEN ${relations.map(past).join(' OR ')} THEN 1 ELSE 0 END`,
    relations.map(() => tableId),
  )
  return row?.[0] === 0
}

/** Rows inspected in one transaction. */
const STEP_ROWS = 50_000

/**
 * File lifetimes that began before a version and ended at or before it. A lifetime that began in that version is part
 * of its commit and stays.
 * The `+ 0` keeps the planner from scanning all closed lifetimes at every step.
 */
const ENDED = 'added_version < ? AND removed_version + 0 <= ?'

/** A range of row numbers: above `after`, up to `upTo`. */
type Step = { readonly after: number; readonly upTo: number }

/** Splits the file rows of a table into ranges of at most `rows` rows. */
async function* fileSteps(reader: SqlReader, tableId: string, rows: number = STEP_ROWS): AsyncGenerator<Step, void> {
  for (let after = -1; ;) {
    const [next] = await reader.all(
      'SELECT file_no FROM delta_files WHERE table_id = ? AND file_no > ? ORDER BY file_no LIMIT 1 OFFSET ?',
      [tableId, after, rows - 1],
    )
    const upTo = (next?.[0] ?? null) as number | null
    yield { after, upTo: upTo ?? Number.MAX_SAFE_INTEGER }
    if (upTo === null) return
    after = upTo
  }
}

/**
 * Removes rows that no version from `below` on needs; the history begins at `below`.
 * @returns removed rows, by relation
 */
export async function sweepBelow(at: CatalogSweep, below: number): Promise<RelationRowCounts> {
  const { tableId } = at
  let files = 0
  for await (const { after, upTo } of fileSteps(sweepReader(at), tableId, at.stepRows)) {
    files += await sweepStep(at, (transaction) =>
      transaction.run(`DELETE FROM delta_files WHERE table_id = ? AND file_no > ? AND file_no <= ? AND ${ENDED}`, [
        tableId,
        after,
        upTo,
        below,
        below,
      ]),
    )
  }
  const ranges = await sweepRanges(at, at.stepRows ?? STEP_ROWS)
  const partitions = await sweepStep(at, (transaction) =>
    transaction.run(
      `DELETE FROM delta_partitions WHERE table_id = ? AND NOT EXISTS (SELECT 1 FROM delta_files f
         WHERE f.table_id = delta_partitions.table_id AND f.partition_no = delta_partitions.partition_no)`,
      [tableId],
    ),
  )
  const actions = await dropActions(at, -1, below)
  const superseded = await dropSuperseded(at, below)
  return [
    { relation: 'delta_files', rows: files },
    { relation: 'delta_file_ranges', rows: ranges },
    { relation: 'delta_partitions', rows: partitions },
    { relation: 'delta_actions', rows: actions },
    ...superseded,
  ].filter(({ rows }) => rows > 0)
}

/** Counts the rows that `sweepBelow` would remove. */
export async function rowsBelow(reader: SqlReader, tableId: string, below: number): Promise<RelationRowCounts> {
  const counts = [
    {
      relation: 'delta_files',
      rows: await countOf(reader, `delta_files WHERE table_id = ? AND ${ENDED}`, [tableId, below, below]),
    },
    { relation: 'delta_file_ranges', rows: await rangesBelow(reader, tableId, below) },
    {
      relation: 'delta_partitions',
      rows: await countOf(
        reader,
        `delta_partitions p WHERE p.table_id = ? AND NOT EXISTS (SELECT 1 FROM delta_files f WHERE f.table_id = p.table_id
           AND f.partition_no = p.partition_no AND (f.added_version >= ? OR f.removed_version IS NULL OR f.removed_version > ?))`,
        [tableId, below, below],
      ),
    },
    {
      relation: 'delta_actions',
      rows: await countOf(reader, 'delta_actions WHERE table_id = ? AND version < ?', [tableId, below]),
    },
    ...(await supersededRows(reader, tableId, below)),
  ]
  return counts.filter(({ rows }) => rows > 0)
}

/** Removes the raw lines of versions above `above` and below `below`. @returns number of removed lines */
async function dropActions(at: CatalogSweep, above: number, below: number): Promise<number> {
  const { tableId } = at
  const range = 'table_id = ? AND version > ? AND version < ?'
  let gone = 0
  for (;;) {
    const [next] = await sweepReader(at).all(
      `SELECT version, line FROM delta_actions WHERE ${range} ORDER BY version, line LIMIT 1 OFFSET ?`,
      [tableId, above, below, (at.stepRows ?? STEP_ROWS) - 1],
    )
    const [version, line] = (next ?? [below, -1]) as readonly [number, number]
    gone += await sweepStep(at, (transaction) =>
      transaction.run(`DELETE FROM delta_actions WHERE ${range} AND (version < ? OR (version = ? AND line <= ?))`, [
        tableId,
        above,
        below,
        version,
        version,
        line,
      ]),
    )
    if (next === undefined) return gone
  }
}

// Deletes ranges of removed files. No query uses these ranges, but they take space. Bounds of zones are not changed: a
// bound that is too wide never excludes a matching file.

const OF_COLUMN = 'table_id = ? AND column_no = ?'

/** Removes the ranges of files that are no longer in the catalog. @returns how many */
async function sweepRanges(at: CatalogSweep, stepRows: number): Promise<number> {
  const { tableId } = at
  const reader = sweepReader(at)
  const zones = Math.max(1, Math.floor(stepRows / ZONE_FILES))
  let gone = 0
  for (const { columnNo } of await rangeColumns(reader, tableId)) {
    const [bounds] = await reader.all(`SELECT min(zone_no), max(zone_no) FROM delta_file_ranges WHERE ${OF_COLUMN}`, [
      tableId,
      columnNo,
    ])
    const [first, last] = (bounds ?? [null, null]) as readonly [number | null, number | null]
    if (first === null || last === null) continue
    for (let zone = first; zone <= last; zone += zones) {
      gone += await sweepStep(at, (transaction) =>
        transaction.run(
          `DELETE FROM delta_file_ranges WHERE ${OF_COLUMN} AND zone_no >= ? AND zone_no < ? AND NOT EXISTS (
             SELECT 1 FROM delta_files f WHERE f.table_id = delta_file_ranges.table_id AND f.file_no = delta_file_ranges.file_no)`,
          [tableId, columnNo, zone, zone + zones],
        ),
      )
    }
  }
  return gone
}

/**
 * Number of ranges of files that were added before a version and removed at or before it, or are no longer in the
 * catalog.
 */
async function rangesBelow(reader: SqlReader, tableId: string, below: number): Promise<number> {
  if ((await rangeColumns(reader, tableId)).length === 0) return 0
  return await countOf(
    reader,
    `delta_file_ranges r WHERE r.table_id = ? AND NOT EXISTS (
       SELECT 1 FROM delta_files f WHERE f.table_id = r.table_id AND f.file_no = r.file_no
         AND (f.added_version >= ? OR f.removed_version IS NULL OR f.removed_version > ?))`,
    [tableId, below, below],
  )
}

/**
 * Gives a table a new base while it stays readable. The log was cleaned up past the catalog's version, and only a
 * checkpoint above this version is left. Readers see no change before the new base is current. Open file lifetimes end
 * at the new base's version, and the base is written above the current version. The transaction that makes the base
 * current deletes the old commits and state; the end of the import deletes all other old rows.
 *
 * Prepares the new base: deletes rows that an earlier try wrote above the current version, and ends every open lifetime
 * at the new base.
 * @param current version that readers see
 * @param base version of the checkpoint, above `current`
 */
export async function prepareRebase(at: CatalogSweep, current: number, base: number): Promise<void> {
  const { database, tableId } = at
  for await (const { after, upTo } of fileSteps(database, tableId, at.stepRows)) {
    await sweepStep(at, async (transaction) => {
      const step = [tableId, after, upTo, current]
      await transaction.run(
        'DELETE FROM delta_files WHERE table_id = ? AND file_no > ? AND file_no <= ? AND added_version > ?',
        step,
      )
      await transaction.run(
        `UPDATE delta_files SET removed_version = ? WHERE table_id = ? AND file_no > ? AND file_no <= ?
           AND (removed_version IS NULL OR removed_version > ?)`,
        [base, ...step],
      )
    })
  }
  await dropActions(at, current, Number.MAX_SAFE_INTEGER)
  await sweepStep(at, (transaction) => dropVersions(transaction, tableId, 'version > ?', current))
}
