/** Replaces some files of a partition in one commit. */
import type { InspectedFile } from '../../model/archive/archived-file.ts'
import type { Publication } from '../steps/log.ts'
import { addLine, removeLine } from './commit-text.ts'
import { conflict, type ArchiveTableState } from './read-state.ts'
import { changeLines, refuseAppendOnly, refuseUnknownFiles, type Author } from './plan-commit.ts'
import type { LogStore } from '../../model/lake/log-store.ts'

export type Replacement = Pick<Publication, 'tableId' | 'partition' | 'txn' | 'info' | 'known' | 'claim' | 'tags'> & {
  /** Paths of the partition that do not change. */
  readonly kept: ReadonlySet<string>
  readonly files: readonly InspectedFile[]
}

/** @throws SluiceError ARCHIVE_CONFLICT if a file to keep is not in the table; ARCHIVE_FOREIGN, TABLE_FEATURE */
export function replacementLines(
  { partition, files, kept, tags, txn, info, known }: Replacement,
  state: ArchiveTableState,
  store: LogStore,
  author: Author,
): readonly string[] {
  const active = state.files.get(partition) ?? []
  const named = new Set(active.map(({ path }) => path))
  const missing = [...kept].find((path) => !named.has(path))
  if (missing !== undefined) throw conflict(store, `its log does not name ${missing}`)
  const gone = active.filter(({ path }) => !kept.has(path))
  refuseUnknownFiles(author.label, partition, gone, known)
  if (gone.length > 0) refuseAppendOnly(author.label, state)
  const before = gone.reduce((sum, { rows }) => sum + (rows ?? 0n), 0n)
  const after = files.reduce((sum, { rows }) => sum + rows, 0n)
  return [
    ...changeLines(state, author, {
      operation: 'DELETE',
      // Empty, because the condition may name a person.
      parameters: {},
      metrics: {
        numRemovedFiles: gone.length,
        numAddedFiles: files.length,
        numDeletedRows: before - after,
        numCopiedRows: after,
      },
      info,
      txn,
    }),
    ...gone.map(({ add }) => removeLine(add, author.now)),
    ...files.map((file) => addLine(file, { [state.partitionKey]: partition }, tags(file), author.now)),
  ]
}
