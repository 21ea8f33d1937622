/** `files`: active files of a version, pruned by a condition, from the catalog or from the log. */
import { pruningAt, prunedFiles } from '../../../../catalog/query/pruned.ts'
import type { FileRecord } from '../../../../catalog/query/files.ts'
import type { AddAction, DeletionVectorDescriptor } from '../../../../delta/actions.ts'
import { compilePruning, type Pruning } from '../../../../delta/pruning.ts'
import { dvId } from '../../../../delta/paths.ts'
import { schemaOf } from '../../../../delta/schema.ts'
import { numRecordsOf } from '../../../../delta/stats.ts'
import { dec, type FileEvent } from '../../../../model/run/event.ts'
import { parsePredicate } from '../../../../model/lake/predicate.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { readVersion, snapshotAt, withTable } from '../../table-source.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { files, FilesOperation } from './declaration.ts'

type FilesRun = RunOf<typeof files>

export async function performFiles(operation: FilesOperation, run: FilesRun): Promise<Ending> {
  const limit = operation.limit ?? Number.POSITIVE_INFINITY
  const totals = { version: 0, files: 0, bytes: 0n }
  const report = (event: FileEvent): boolean => {
    if (totals.files >= limit) {
      run.emit({ type: 'log', level: 'note', message: `there are more files than --limit ${limit}` })
      return false
    }
    totals.files++
    totals.bytes += BigInt(event.size)
    run.emit(event)
    return true
  }
  await withTable(operation.table, operation.catalog, operation.asOf, run, async (source) => {
    const { abort } = run.interrupt
    if (source.from === 'catalog') {
      const { tableId, version } = source.table
      totals.version = version
      const { where } = operation
      await readVersion(source, async (reader) => {
        const pruning = where === undefined ? null : await pruningAt(reader, tableId, version, where)
        for await (const page of prunedFiles(reader, tableId, version, pruning)) {
          throwIfAborted(abort)
          for (const file of page) if (!report(fileEvent(file))) return
        }
      })
      return
    }
    const snapshot = await snapshotAt(source.table, operation.asOf)
    totals.version = snapshot.version
    let pruning: Pruning | null = null
    if (operation.where !== undefined) {
      const { protocol, metadata } = await snapshot.head(abort)
      pruning = compilePruning(parsePredicate(operation.where), schemaOf(protocol, metadata), metadata.partitionColumns)
    }
    for await (const block of snapshot.files({ signal: abort })) {
      for (const { add, addedVersion } of block) {
        if (pruning !== null && !pruning.byFile(add.partitionValues, add.stats)) continue
        if (!report(eventOfAdd(add, addedVersion))) return
      }
    }
  })
  return { totals: { version: dec(totals.version), files: dec(totals.files), bytes: dec(totals.bytes) } }
}

/** A file of the catalog as an event. `rows` are the rows that no deletion vector hides. */
export function fileEvent(file: FileRecord): FileEvent {
  const vector = file.deletionVector === null ? null : (JSON.parse(file.deletionVector) as DeletionVectorDescriptor)
  return {
    type: 'file',
    path: file.path,
    size: dec(file.size),
    ...rowsOf(file.rows, vector),
    addedVersion: dec(file.addedVersion),
    modified: dec(file.modificationTime),
    partitionValues: JSON.parse(file.partitionValues) as Record<string, string | null>,
    ...(file.dvId === null ? {} : { deletionVector: file.dvId }),
    ...(file.stats === null ? {} : { stats: file.stats }),
  }
}

/** A file of the log as an event. */
export function eventOfAdd(add: AddAction, addedVersion: number | null): FileEvent {
  const vector = add.deletionVector ?? null
  const id = dvId(vector)
  return {
    type: 'file',
    path: add.path,
    size: dec(add.size),
    ...rowsOf(numRecordsOf(add.stats), vector),
    ...(addedVersion === null ? {} : { addedVersion: dec(addedVersion) }),
    modified: dec(add.modificationTime),
    partitionValues: add.partitionValues ?? {},
    ...(id === null ? {} : { deletionVector: id }),
    ...(add.stats === null || add.stats === undefined ? {} : { stats: add.stats }),
  }
}

function rowsOf(
  records: number | null,
  vector: DeletionVectorDescriptor | null,
): { rows?: string; deletedRows?: string } {
  const deleted = vector?.cardinality ?? 0
  return {
    ...(records === null ? {} : { rows: dec(records - deleted) }),
    ...(vector === null ? {} : { deletedRows: dec(deleted) }),
  }
}
