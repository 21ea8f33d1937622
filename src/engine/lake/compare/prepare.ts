/**
 * Selects the parameters of the questions before any time is measured: versions that log and catalog both have, a
 * partition, a condition, a file.
 */
import { readableTable, type ReadableTable } from '../../../catalog/catalog.ts'
import { partitionTotals, type FileRecord, activeFiles } from '../../../catalog/query/files.ts'
import { stateAt } from '../../../catalog/query/state.ts'
import { schemaOf } from '../../../delta/schema.ts'
import { DeltaTable } from '../../../delta/table.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import type { ParquetRows } from '../../../model/lake/parquet-rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { SqlDatabase, SqlReader } from '../../../model/run/sql-port.ts'
import { chooseCondition } from './choose-condition.ts'
import type { ComparePlan } from './plan.ts'
import type { QuestionId } from './questions.ts'
import { parsePartitionValues, type AddPartitionValues } from './rows.ts'
import { breathe, throwIfAborted } from '../../../shared/abort.ts'
import { LOOP_TURN_MS } from './answer.ts'

const LAST_COMMITS = 20
const CHANGED_COMMITS = 141
/** Maximum number of files of the selected partition: a typical query does not read half of the table. */
const PARTITION_FILES = 1_000
const PARTITIONS_TRIED = 10_000
const NO_FILES = 'the table has no files'

export type Prepared = {
  readonly plan: ComparePlan
  /** Why a question cannot be asked of this table. */
  readonly reasons: ReadonlyMap<QuestionId, string>
  /** Notes of the log's reader about what it skipped. */
  readonly notes: readonly string[]
}

export type PrepareOptions = {
  readonly log: LogStore
  readonly parquet: () => Promise<ParquetRows>
  readonly catalog: SqlDatabase
  readonly tableId: string
  /** Selecting a condition or a file reads every active file, so it is done only for these questions. */
  readonly wanted: ReadonlySet<QuestionId>
  readonly signal: AbortSignal
}

/**
 * @throws SluiceError of the log (NO_LOG, LOG_GAP, TABLE_FEATURE …) and of the catalog (NOT_IMPORTED, IMPORT_UNFINISHED
 * …); HISTORY_MISSING if no version is in both
 */
export async function prepareComparison(options: PrepareOptions): Promise<Prepared> {
  const { log, parquet, catalog, tableId, wanted, signal } = options
  const table = await DeltaTable.open(log, parquet, signal)
  const snapshot = await table.snapshot({}, { signal })
  const run = await table.buildableHistory(signal)
  return await catalog.read(async (reader) => {
    const imported = await readableTable(reader, { tableId })
    const version = Math.min(snapshot.version, imported.latest)
    const from = Math.max(run.from, imported.historyFrom)
    if (version < from) throw nothingShared(imported, run.from)
    // A checkpoint has only the state of its version, not the commit that wrote it.
    const firstCommit = from === 0 && run.checkpoint === null ? 0 : from + 1
    const reasons = new Map<QuestionId, string>()
    const picked = await pick({ reader, tableId, version, firstCommit, wanted, signal }, reasons)
    const commits = Math.min(LAST_COMMITS, version - firstCommit + 1)
    if (commits < 1) reasons.set('last-commits', `no commit since v${from}, where the history begins`)
    const changesFrom = Math.max(version - CHANGED_COMMITS, from)
    if (changesFrom >= version) reasons.set('changes', `the log and the catalog have only v${version} in common`)
    if (from >= version) reasons.set('old-snapshot', `the log and the catalog have only v${version} in common`)
    const plan = {
      tableId: imported.tableId,
      location: imported.location,
      version,
      logVersion: snapshot.version,
      catalogVersion: imported.latest,
      from,
      ...picked,
      oldVersion: from >= version ? null : from + Math.floor((version - from) / 2),
      commits: Math.max(0, commits),
      changesFrom: changesFrom >= version ? null : changesFrom,
    }
    return { plan, reasons, notes: table.notes }
  })
}

type Picking = {
  readonly reader: SqlReader
  readonly tableId: string
  readonly version: number
  readonly firstCommit: number
  readonly wanted: ReadonlySet<QuestionId>
  readonly signal: AbortSignal
}

async function pick(
  picking: Picking,
  reasons: Map<QuestionId, string>,
): Promise<Pick<ComparePlan, 'partition' | 'predicate' | 'origin' | 'schema'>> {
  const { reader, tableId, version, firstCommit, wanted, signal } = picking
  const { protocol, metadata } = await stateAt(reader, tableId, version)
  if (protocol === null || metadata === null) {
    throw new SluiceError(
      'NOT_IMPORTED',
      `the catalog has no protocol or metadata of ${tableId} at version ${version}`,
      {
        hint: 'import the table again',
      },
    )
  }
  const partitionColumns = metadata.partitionColumns ?? []
  const schema = schemaOf(protocol, metadata)
  const isPartitioned = partitionColumns.length > 0
  const partition =
    isPartitioned && wanted.has('files-of-partition') ? await pickPartition(reader, tableId, version) : null
  if (partition === null) reasons.set('files-of-partition', isPartitioned ? NO_FILES : 'the table is not partitioned')
  if (!wanted.has('min-max') && !wanted.has('file-origin')) return { partition, predicate: null, origin: null, schema }
  const sample = await sampleFiles(reader, tableId, version, signal)
  const stats = sample.flatMap((file) => (file.stats === null ? [] : [file.stats]))
  const predicate = chooseCondition(stats, { schema, partitionColumns })
  const isEmpty = sample.length === 0
  if (predicate === null) reasons.set('min-max', isEmpty ? NO_FILES : 'no data column has min/max statistics')
  const origin = pickOrigin(sample, firstCommit)
  if (origin === null) {
    reasons.set(
      'file-origin',
      isEmpty ? NO_FILES : `every file is older than v${firstCommit}, where the history begins`,
    )
  }
  return { partition, predicate, origin, schema }
}

/** The largest partition of at most 1000 files; the median one if all are larger. */
async function pickPartition(reader: SqlReader, tableId: string, version: number): Promise<AddPartitionValues | null> {
  const totals = await partitionTotals(reader, tableId, version, PARTITIONS_TRIED, 0)
  const bySize = totals.toSorted((a, b) => b.files - a.files)
  const chosen = bySize.find(({ files }) => files <= PARTITION_FILES) ?? bySize[bySize.length >> 1]
  return chosen === undefined ? null : parsePartitionValues(chosen.values)
}

/** A file from the middle of the history: a reader begins with the newest commit, so the cost depends on the place. */
function pickOrigin(sample: readonly FileRecord[], firstCommit: number): ComparePlan['origin'] {
  const known = sample.filter(({ addedVersion }) => addedVersion >= firstCommit)
  const byAge = known.toSorted((a, b) => a.addedVersion - b.addedVersion || a.fileNo - b.fileNo)
  const chosen = byAge[byAge.length >> 1]
  return chosen === undefined ? null : { path: chosen.path, dvId: chosen.dvId }
}

function nothingShared(imported: ReadableTable, logFrom: number): SluiceError {
  return new SluiceError(
    'HISTORY_MISSING',
    `the catalog ends at version ${imported.latest}, and the log begins at version ${logFrom}: they share no version`,
    { where: imported.location, hint: 'import the table again, then compare' },
  )
}

// A uniform sample of a table's active files, in one pass and bounded memory; the same files every time.

const SIZE = 1_000

/** Reservoir sampling with a fixed seed, so that a second comparison asks the same questions. */
class Reservoir {
  readonly files: FileRecord[] = []
  #seen = 0
  #state = 0x2545f491

  offer(file: FileRecord): void {
    this.#seen++
    if (this.files.length < SIZE) {
      this.files.push(file)
      return
    }
    const at = this.#random() % this.#seen
    if (at < SIZE) this.files[at] = file
  }

  /** Next number of a xorshift32 generator. */
  #random(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state
  }
}

async function sampleFiles(
  reader: SqlReader,
  tableId: string,
  version: number,
  signal: AbortSignal,
): Promise<readonly FileRecord[]> {
  const reservoir = new Reservoir()
  let turn = performance.now()
  for await (const page of activeFiles(reader, tableId, version)) {
    // A file database answers without ever waiting: give the event loop a turn, so that a stop is noticed.
    if (performance.now() - turn > LOOP_TURN_MS) {
      await breathe()
      turn = performance.now()
    }
    throwIfAborted(signal)
    for (const file of page) reservoir.offer(file)
  }
  return reservoir.files
}
