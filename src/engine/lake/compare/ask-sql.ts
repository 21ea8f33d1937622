/**
 * Answers the questions of `performance-compare` from the catalog. Each answer first reads the table's import state, to
 * find the readable versions.
 */
import { readableTable, type ReadableTable } from '../../../catalog/catalog.ts'
import { commitLine } from '../../../catalog/export/adds.ts'
import { wholeChangesBetween, type WholeChange } from '../../../catalog/query/changes.ts'
import { countsAt } from '../../../catalog/query/counts.ts'
import {
  activeFiles,
  filesOfPartitions,
  fileLifetimesOf,
  catalogPartitions,
  type FileRecord,
} from '../../../catalog/query/files.ts'
import { commitsUpTo, type CommitRecord } from '../../../catalog/query/history.ts'
import { stateAt } from '../../../catalog/query/state.ts'
import type { LogAction } from '../../../delta/actions.ts'
import { parseAction } from '../../../delta/commit-lines.ts'
import { canonicalPath, dvId } from '../../../delta/paths.ts'
import { compilePruning } from '../../../delta/pruning.ts'
import { schemaOf } from '../../../delta/schema.ts'
import { parsePredicate } from '../../../model/lake/predicate.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { SqlReader } from '../../../model/run/sql-port.ts'
import { answerPage, type PagedAnswer, type AnswerRow } from './answer.ts'
import type { ComparePlan } from './plan.ts'
import type { QuestionId } from './questions.ts'
import {
  changeRow,
  commitRow,
  countsRow,
  comparedFileRow,
  originRow,
  parsed,
  parsePartitionValues,
  partitionValuesText,
  stateRow,
} from './rows.ts'

/** @throws SluiceError of the catalog while the answer is read */
export async function* askSql(id: QuestionId, plan: ComparePlan, reader: SqlReader, signal: AbortSignal): PagedAnswer {
  const table = await tableFor(id, plan, reader)
  for await (const page of answer(id, plan, table, reader)) {
    throwIfAborted(signal)
    yield page
  }
}

async function tableFor(id: QuestionId, plan: ComparePlan, reader: SqlReader): Promise<ReadableTable> {
  const by = { tableId: plan.tableId }
  return readableTable(reader, by, id === 'old-snapshot' ? (plan.oldVersion ?? plan.version) : plan.version)
}

function answer(id: QuestionId, plan: ComparePlan, table: ReadableTable, reader: SqlReader): PagedAnswer {
  switch (id) {
    case 'latest-version':
      return latestVersion(table, reader)
    case 'counts':
      return counts(table, reader)
    case 'active-files':
      return filePages(activeFiles(reader, table.tableId, table.version), table, null)
    case 'files-of-partition':
      return filesOfPartition(plan, table, reader)
    case 'min-max':
      return filesByStats(plan, table, reader)
    case 'old-snapshot':
      return oldSnapshot(table, reader)
    case 'file-origin':
      return fileOrigin(plan, table, reader)
    case 'last-commits':
      return lastCommits(plan, table, reader)
    default:
      return changes(plan, table, reader)
  }
}

async function* latestVersion(table: ReadableTable, reader: SqlReader): PagedAnswer {
  const state = await stateAt(reader, table.tableId, table.version)
  yield answerPage([state], ({ protocol, metadata }) => stateRow(table.version, protocol, metadata))
}

async function* counts(table: ReadableTable, reader: SqlReader): PagedAnswer {
  yield answerPage([await countsAt(reader, table.tableId, table.version)], ({ files, bytes, rows }) =>
    countsRow(files, BigInt(bytes), rows),
  )
}

async function* filePages(
  pages: AsyncIterable<readonly FileRecord[]>,
  { location }: ReadableTable,
  keep: ((file: FileRecord) => boolean) | null,
): PagedAnswer {
  for await (const page of pages) {
    yield answerPage(keep === null ? page : page.filter(keep), (file) =>
      comparedFileRow({
        ...file,
        path: canonicalPath(file.path, location),
        partitionValues: parsePartitionValues(file.partitionValues),
        deletionVector: parsed(file.deletionVector),
        tags: parsed(file.tags),
      }),
    )
  }
}

async function* filesOfPartition(plan: ComparePlan, table: ReadableTable, reader: SqlReader): PagedAnswer {
  const wanted = partitionValuesText(plan.partition)
  const partitions = await catalogPartitions(reader, table.tableId)
  const numbers = partitions
    .filter(({ values }) => partitionValuesText(parsePartitionValues(values)) === wanted)
    .map(({ no }) => no)
  yield* filePages(filesOfPartitions(reader, table.tableId, table.version, numbers), table, null)
}

async function* filesByStats(plan: ComparePlan, table: ReadableTable, reader: SqlReader): PagedAnswer {
  const { protocol, metadata } = await stateAt(reader, table.tableId, table.version)
  if (protocol === null || metadata === null)
    throw new SluiceError('NOT_IMPORTED', 'the catalog has no schema of the table', { hint: 'import the table again' })
  const pruning = compilePruning(
    parsePredicate(plan.predicate ?? ''),
    schemaOf(protocol, metadata),
    metadata.partitionColumns,
  )
  yield* filePages(activeFiles(reader, table.tableId, table.version), table, ({ stats }) => pruning.byStats(stats))
}

async function* oldSnapshot(table: ReadableTable, reader: SqlReader): PagedAnswer {
  yield* filePages(activeFiles(reader, table.tableId, table.version), table, null)
  yield* counts(table, reader)
}

async function* fileOrigin({ origin }: ComparePlan, table: ReadableTable, reader: SqlReader): PagedAnswer {
  const lifetimes = await fileLifetimesOf(reader, table, origin?.path ?? '', origin?.dvId ?? null)
  const life = lifetimes.findLast(({ addedVersion }) => addedVersion <= table.version)
  if (life !== undefined) yield answerPage([life.addedVersion], originRow)
}

function recordRow(commit: CommitRecord): AnswerRow {
  const line = parsed(commit.info)
  const commitInfo = typeof line === 'object' && line !== null && 'commitInfo' in line ? line.commitInfo : line
  return commitRow({ ...commit, commitInfo })
}

async function* lastCommits(plan: ComparePlan, table: ReadableTable, reader: SqlReader): PagedAnswer {
  yield answerPage(await commitsUpTo(reader, table.tableId, table.version, plan.commits), recordRow)
}

/** Kinds of actions to leave out: the answer from the log files does not contain them. */
const UNNAMED = /^(?:unknown:|commitInfo$)/

async function* changes(plan: ComparePlan, table: ReadableTable, reader: SqlReader): PagedAnswer {
  const from = plan.changesFrom ?? table.version
  for await (const page of wholeChangesBetween(reader, table.tableId, from, table.version)) {
    // Parse every line within the measured time: the answer from the log files does the same.
    const read = page.flatMap((change) => (UNNAMED.test(change.kind) ? [] : [{ change, action: parsedAction(change) }]))
    yield answerPage(read, (one) => wholeChangeRow(one.change, one.action, table.location))
  }
}

function parsedAction({ raw, version, line }: WholeChange): LogAction | null {
  return raw === null ? null : parseAction(raw, () => `version ${version}, line ${line}`)
}

function wholeChangeRow(
  { version, line, kind, ...change }: WholeChange,
  action: LogAction | null,
  root: string,
): AnswerRow {
  const none = { version, line, kind, path: null, dvId: null, size: null, raw: change.raw ?? '' }
  const { add } = change
  if (add !== null) {
    const { path, size } = add.columns
    return changeRow({ ...none, path: canonicalPath(path, root), dvId: change.dvId, size, raw: commitLine(add) })
  }
  if (action?.kind === 'remove') {
    const { path, deletionVector } = action.remove
    return changeRow({ ...none, path: canonicalPath(path, root), dvId: dvId(deletionVector) })
  }
  if (action?.kind === 'cdc')
    return changeRow({ ...none, path: canonicalPath(action.cdc.path, root), size: action.cdc.size })
  return changeRow(none)
}
