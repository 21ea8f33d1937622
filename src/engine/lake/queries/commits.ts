/** Commits for the History tab: a page of them, and one in detail. */
import { commitsUpTo, type CommitRecord } from '../../../catalog/query/history.ts'
import { catalogChanges } from '../../../catalog/query/changes.ts'
import { parseAction } from '../../../delta/commit-lines.ts'
import type { CommitSummary } from '../../../delta/history.ts'
import { numRecordsOf } from '../../../delta/stats.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CommitEvent } from '../../../model/run/event.ts'
import { checkpointVersions, eventOfRecord, eventOfSummary } from '../operations/history/perform.ts'
import type { CommitDetail, Page } from '../../../model/lake/answers.ts'
import type { Located } from './located.ts'

/** Maximum files of a commit that are shown; totals include all. */
const FILES_SHOWN = 500

export async function historyPage(
  located: Located,
  from: number,
  count: number,
  signal: AbortSignal,
): Promise<Page<CommitEvent>> {
  if (located.from === 'log') {
    const rows: CommitEvent[] = []
    for await (const commit of located.table.history({ limit: from + count, signal })) rows.push(eventOfSummary(commit))
    const { baseCommit, commits } = await located.table.buildableHistory(signal)
    return { rows: rows.slice(from), total: commits.length + (baseCommit === null ? 0 : 1), from }
  }
  const { database, table } = located
  const newest = table.latest - from
  const checkpoints = await checkpointVersions(table.location, signal)
  const records = newest < 0 ? [] : await commitsUpTo(database, table.tableId, newest, count)
  return {
    rows: records.map((record) => eventOfRecord(record, checkpoints.has(record.version))),
    total: table.latest - table.historyFrom + 1,
    from,
  }
}

export async function commitDetail(located: Located, version: number, signal: AbortSignal): Promise<CommitDetail> {
  const added: CommitDetail['added'][number][] = []
  const removed: CommitDetail['removed'][number][] = []
  let addedTotal = 0
  let removedTotal = 0
  const add = (path: string, size: number, rows: number | null): void => {
    if (addedTotal++ < FILES_SHOWN) added.push({ path, size, rows })
  }
  const remove = (path: string, size: number | null, rows: number | null): void => {
    if (removedTotal++ < FILES_SHOWN) removed.push({ path, size, rows })
  }
  let commit: CommitEvent
  let info: Readonly<Record<string, unknown>>
  if (located.from === 'log') {
    const summary = await summaryOf(located, version, signal)
    commit = eventOfSummary(summary)
    info = summary.commitInfo ?? {}
    for await (const change of located.table.changes(version - 1, version, signal)) {
      if (change.change === 'added') add(change.add.path, change.add.size, numRecordsOf(change.add.stats))
      else if (change.change === 'removed')
        remove(change.remove.path, change.remove.size ?? null, numRecordsOf(change.remove.stats))
    }
  } else {
    const { database, table } = located
    const [record] = await commitsUpTo(database, table.tableId, version, 1)
    if (record === undefined || record.version !== version) throw noSuchCommit(version)
    const checkpoints = await checkpointVersions(table.location, signal)
    commit = eventOfRecord(record, checkpoints.has(version))
    info = infoOf(record)
    for await (const page of catalogChanges(database, table.tableId, version - 1, version)) {
      for (const change of page) {
        if (change.raw === null) add(change.path ?? '', change.size ?? 0, change.rows)
        else if (change.kind === 'remove' || change.kind === 'add') {
          // An add has a raw line only in the commit that a base checkpoint replaces.
          const action = parseAction(change.raw, () => `version ${version}`)
          if (action.kind === 'add') add(action.add.path, action.add.size, numRecordsOf(action.add.stats))
          else if (action.kind === 'remove')
            remove(action.remove.path, action.remove.size ?? null, numRecordsOf(action.remove.stats))
        }
      }
    }
  }
  return { commit, ...reportedBy(info), added, removed, addedTotal, removedTotal }
}

async function summaryOf(
  located: Extract<Located, { from: 'log' }>,
  version: number,
  signal: AbortSignal,
): Promise<CommitSummary> {
  for await (const summary of located.table.history({ signal })) if (summary.version === version) return summary
  throw noSuchCommit(version)
}

function noSuchCommit(version: number): SluiceError {
  return new SluiceError('VERSION_NOT_FOUND', `the log has no commit ${version}`)
}

function infoOf(record: CommitRecord): Readonly<Record<string, unknown>> {
  if (record.info === null) return {}
  const parsed = parseAction(record.info, () => `version ${record.version}`)
  return parsed.kind === 'commitInfo' ? parsed.commitInfo : {}
}

/** Predicate, user and the engine's metrics; numbers keep the text that the engine wrote. */
function reportedBy(info: Readonly<Record<string, unknown>>): Pick<CommitDetail, 'predicate' | 'user' | 'metrics'> {
  const parameters = recordOf(info['operationParameters'])
  const metrics = Object.entries(recordOf(info['operationMetrics'])).map(
    ([name, value]) => [name, asText(value)] as const,
  )
  const predicate = parameters['predicate']
  const user = info['userName'] ?? info['userId']
  return {
    predicate: predicate === undefined || predicate === null || predicate === '[]' ? null : asText(predicate),
    user: typeof user === 'string' ? user : null,
    metrics,
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
