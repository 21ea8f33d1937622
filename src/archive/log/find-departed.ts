/** Finds partitions whose files left an archive by a restore or an expiry, and the last erasure. */
import { readCommit } from '../../delta/commit-lines.ts'
import { canonicalPath } from '../../delta/paths.ts'
import { numRecordsOf } from '../../delta/stats.ts'
import type { AddAction } from '../../delta/actions.ts'
import type { RemovedFiles, LoggedFile } from '../steps/log.ts'
import { openTable, type LogSource } from './read-state.ts'

/**
 * Removed partitions by label. Lacks partitions removed before an erasure, which deletes older commits.
 * @throws SluiceError SOURCE_IO …
 */
export async function findDeparted(source: LogSource, signal: AbortSignal): Promise<ReadonlyMap<string, RemovedFiles>> {
  const { store } = source
  const departed = new Map<string, RemovedFiles>()
  const added = new Map<string, LoggedFile>()
  const { commits = [] } = (await (await openTable(source, signal))?.listing(signal)) ?? {}
  for (const commit of commits) {
    const files: LoggedFile[] = []
    let said: Readonly<Record<string, unknown>> = {}
    let [at, isWhole] = [0, true]
    for await (const block of readCommit(store, commit, signal)) {
      for (const { action } of block) {
        if (action.kind === 'commitInfo') said = action.commitInfo
        if (action.kind === 'add') {
          const file = fileOf(action.add, canonicalPath(action.add.path, store.root), commit.version)
          added.set(file.path, file)
          departed.delete(file.tags['sluice.partition'] ?? '')
        }
        if (action.kind === 'remove') {
          const file = added.get(canonicalPath(action.remove.path, store.root))
          at = action.remove.deletionTimestamp ?? at
          if (file === undefined) isWhole = false
          else files.push(file)
        }
      }
    }
    const { partition, step } = said
    if (typeof partition !== 'string' || (step !== 'restore' && step !== 'expire')) continue
    // After a kill, a program repeats its commit without files: then the first of the two commits lists the files.
    if (files.length === 0 && departed.has(partition)) continue
    departed.set(partition, { step, at, version: commit.version, files: isWhole ? files : [] })
  }
  return departed
}

/** Version of the newest commit that ended an erasure; null if there is none. @throws SluiceError SOURCE_IO … */
export async function findErasure(source: LogSource, signal: AbortSignal): Promise<number | null> {
  const { commits = [] } = (await (await openTable(source, signal))?.listing(signal)) ?? {}
  for (const commit of commits.toReversed())
    for await (const block of readCommit(source.store, commit, signal))
      for (const { action } of block)
        if (action.kind === 'commitInfo' && action.commitInfo['operation'] === 'ERASE') return commit.version
  return null
}

function fileOf({ size, stats, tags }: AddAction, path: string, version: number): LoggedFile {
  const rows = numRecordsOf(stats)
  const texts = Object.entries(tags ?? {}).flatMap(([name, text]) => (text === null ? [] : [[name, text] as const]))
  return {
    path,
    size: BigInt(size),
    rows: rows === null ? null : BigInt(rows),
    tags: Object.fromEntries(texts),
    addedVersion: version,
  }
}
