/**
 * Answers the questions of `performance-compare` from the log's files. Each answer begins with a listing, which is the
 * only way to find new commits.
 */
import { compilePruning } from '../../../delta/pruning.ts'
import { readLog } from '../../../delta/commit-lines.ts'
import { canonicalPath, dvId } from '../../../delta/paths.ts'
import { schemaOf } from '../../../delta/schema.ts'
import type { ActiveFile, Snapshot } from '../../../delta/snapshot.ts'
import { DeltaTable } from '../../../delta/table.ts'
import type { LoggedChange } from '../../../delta/changes.ts'
import type { CommitSummary } from '../../../delta/history.ts'
import { numRecordsOf } from '../../../delta/stats.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import type { ParquetRows } from '../../../model/lake/parquet-rows.ts'
import { parsePredicate } from '../../../model/lake/predicate.ts'
import { answerPage, type PagedAnswer, type AnswerPage, type AnswerRow } from './answer.ts'
import type { ComparePlan } from './plan.ts'
import type { QuestionId } from './questions.ts'
import { changeRow, commitRow, countsRow, comparedFileRow, originRow, stateRow } from './rows.ts'

export type FilesSide = {
  readonly log: LogStore
  readonly parquet: () => Promise<ParquetRows>
  readonly signal: AbortSignal
}

const ADDS = new Set(['add'] as const)
const PAGE_ROWS = 2_000
/** Questions that need older versions too. */
const OLDER: ReadonlySet<QuestionId> = new Set(['old-snapshot', 'file-origin', 'last-commits', 'changes'])

/** @throws SluiceError of the log while the answer is read */
export async function* askFiles(id: QuestionId, plan: ComparePlan, side: FilesSide): PagedAnswer {
  const table = await DeltaTable.open(side.log, side.parquet, side.signal, OLDER.has(id) ? 'all' : 'newest')
  switch (id) {
    case 'latest-version':
      return yield* latestVersion(await snapshotFor(table, plan, side), side)
    case 'counts':
      return yield* counts(await snapshotFor(table, plan, side), side)
    case 'active-files':
      return yield* activeFiles(await snapshotFor(table, plan, side), side, null)
    case 'files-of-partition':
      return yield* filesOfPartition(await snapshotFor(table, plan, side), plan, side)
    case 'min-max':
      return yield* filesByStats(await snapshotFor(table, plan, side), plan, side)
    case 'old-snapshot':
      return yield* oldSnapshot(table, plan, side)
    case 'file-origin':
      return yield* fileOrigin(table, plan, side)
    case 'last-commits':
      return yield* lastCommits(table, plan, side)
    default:
      return yield* changes(table, plan, side)
  }
}

/** Snapshot at `plan.version`, also if the log has newer versions. */
async function snapshotFor(table: DeltaTable, plan: ComparePlan, side: FilesSide): Promise<Snapshot> {
  const isNewest = table.latest === plan.version
  return table.snapshot(isNewest ? {} : { version: plan.version }, { signal: side.signal })
}

async function* latestVersion(snapshot: Snapshot, side: FilesSide): PagedAnswer {
  const head = await snapshot.head(side.signal)
  yield answerPage([head], ({ protocol, metadata }) => stateRow(snapshot.version, protocol, metadata))
}

async function* counts(snapshot: Snapshot, side: FilesSide): PagedAnswer {
  yield answerPage([await snapshot.counts(side.signal)], ({ files, bytes, rows }) => countsRow(files, bytes, rows))
}

function activeFileRow({ path, dvId: dv, add }: ActiveFile): AnswerRow {
  const { deletionVector, tags } = add
  return comparedFileRow({
    path,
    dvId: dv,
    size: add.size,
    modificationTime: add.modificationTime,
    partitionValues: add.partitionValues,
    deletionVector,
    tags,
    baseRowId: add.baseRowId,
    defaultRowCommitVersion: add.defaultRowCommitVersion,
    clusteringProvider: add.clusteringProvider,
    stats: add.stats,
    rows: numRecordsOf(add.stats),
  })
}

async function* activeFiles(
  snapshot: Snapshot,
  side: FilesSide,
  keep: ((file: ActiveFile) => boolean) | null,
): PagedAnswer {
  for await (const block of snapshot.files({ signal: side.signal })) {
    yield answerPage(keep === null ? block : block.filter(keep), activeFileRow)
  }
}

async function* filesOfPartition(snapshot: Snapshot, plan: ComparePlan, side: FilesSide): PagedAnswer {
  const wanted = Object.entries(plan.partition ?? {}).map(
    ([name, value]) => [name, value === '' ? null : value] as const,
  )
  yield* activeFiles(snapshot, side, ({ add }) =>
    wanted.every(([name, value]) => {
      const own = add.partitionValues?.[name] ?? null
      return (own === '' ? null : own) === value
    }),
  )
}

async function* filesByStats(snapshot: Snapshot, plan: ComparePlan, side: FilesSide): PagedAnswer {
  const { protocol, metadata } = await snapshot.head(side.signal)
  const pruning = compilePruning(
    parsePredicate(plan.predicate ?? ''),
    schemaOf(protocol, metadata),
    metadata.partitionColumns,
  )
  yield* activeFiles(snapshot, side, ({ add }) => pruning.byStats(add.stats))
}

async function* oldSnapshot(table: DeltaTable, plan: ComparePlan, side: FilesSide): PagedAnswer {
  const snapshot = await table.snapshot({ version: plan.oldVersion ?? plan.version }, { signal: side.signal })
  let files = 0
  let bytes = 0n
  let rows: bigint | null = 0n
  for await (const block of snapshot.files({ signal: side.signal })) {
    files += block.length
    for (const { add } of block) {
      bytes += BigInt(add.size)
      if (rows === null) continue
      const records = numRecordsOf(add.stats)
      rows = records === null ? null : rows + BigInt(records - (add.deletionVector?.cardinality ?? 0))
    }
    yield answerPage(block, activeFileRow)
  }
  yield answerPage([{ files, bytes, rows }], (sum) => countsRow(sum.files, sum.bytes, sum.rows))
}

/** Reads commits from the newest to the oldest: the first one that adds the file is the answer. */
async function* fileOrigin(table: DeltaTable, plan: ComparePlan, side: FilesSide): PagedAnswer {
  const { origin } = plan
  const path = canonicalPath(origin?.path ?? '', side.log.root)
  const { commits } = await table.listing(side.signal)
  for (const commit of commits.toReversed()) {
    if (commit.version > plan.version) continue
    for await (const block of readLog(side.log, commit.name, { signal: side.signal, kinds: ADDS })) {
      for (const { action } of block) {
        if (action.kind !== 'add' || dvId(action.add.deletionVector) !== origin?.dvId) continue
        if (canonicalPath(action.add.path, side.log.root) !== path) continue
        yield answerPage([commit.version], originRow)
        return
      }
    }
  }
}

/** Takes `engine` only from `engineInfo`, because the catalog stores that field. */
function summaryRow(commit: CommitSummary): AnswerRow {
  const engine = commit.commitInfo?.['engineInfo']
  return commitRow({ ...commit, engine: typeof engine === 'string' ? engine : null })
}

async function* lastCommits(table: DeltaTable, plan: ComparePlan, side: FilesSide): PagedAnswer {
  const ahead = Math.max(0, table.latest - plan.version)
  for await (const commit of table.history({ limit: plan.commits + ahead, signal: side.signal })) {
    if (commit.version <= plan.version) yield answerPage([commit], summaryRow)
  }
}

async function* changes(table: DeltaTable, plan: ComparePlan, side: FilesSide): PagedAnswer {
  let page: LoggedChange[] = []
  for await (const change of table.changes(plan.changesFrom ?? plan.version, plan.version, side.signal)) {
    page.push(change)
    if (page.length < PAGE_ROWS) continue
    yield changesPage(page)
    page = []
  }
  yield changesPage(page)
}

const KIND_OF = {
  added: 'add',
  removed: 'remove',
  cdc: 'cdc',
  protocol: 'protocol',
  metadata: 'metaData',
  txn: 'txn',
  domain: 'domainMetadata',
} as const

function changesPage(page: readonly LoggedChange[]): AnswerPage {
  return answerPage(page, (change) => {
    const { version, line, raw } = change
    const kind = KIND_OF[change.change]
    const none = { version, line, kind, path: null, dvId: null, size: null, raw }
    if (change.change === 'added')
      return changeRow({ ...none, path: change.path, dvId: change.dvId, size: change.add.size })
    if (change.change === 'removed') return changeRow({ ...none, path: change.path, dvId: change.dvId })
    return changeRow(change.change === 'cdc' ? { ...none, path: change.path, size: change.cdc.size } : none)
  })
}
