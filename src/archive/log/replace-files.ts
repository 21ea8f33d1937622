/** Replaces some files of a partition in one commit. */
import type { InspectedFile } from '../../model/archive/archived-file.ts'
import type { Publication } from '../steps/log.ts'
import { addLine, commitInfoLine, removeLine, txnLine } from './commit-text.ts'
import { conflict, type ArchiveTableState } from './read-state.ts'
import {
  ownLines,
  propertyLines,
  protocolLines,
  refuseAppendOnly,
  refuseUnknownFiles,
  type Author,
} from './plan-commit.ts'
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
  { label, engine, now, head, ledger, properties }: Author,
): readonly string[] {
  const active = state.files.get(partition) ?? []
  const named = new Set(active.map(({ path }) => path))
  const missing = [...kept].find((path) => !named.has(path))
  if (missing !== undefined) throw conflict(store, `its log does not name ${missing}`)
  const gone = active.filter(({ path }) => !kept.has(path))
  refuseUnknownFiles(label, partition, gone, known)
  if (gone.length > 0) refuseAppendOnly(label, state)
  const before = gone.reduce((sum, { rows }) => sum + (rows ?? 0n), 0n)
  const after = files.reduce((sum, { rows }) => sum + rows, 0n)
  return [
    commitInfoLine({
      operation: 'DELETE',
      // Empty, because the condition is about a person.
      parameters: {},
      metrics: {
        numRemovedFiles: gone.length,
        numAddedFiles: files.length,
        numDeletedRows: before - after,
        numCopiedRows: after,
      },
      engine,
      now,
      readVersion: state.version,
      isBlindAppend: false,
      info,
    }),
    ...protocolLines(null, state),
    ...propertyLines(state, properties),
    txnLine(txn, now),
    ...ownLines({ head, ledger, now }),
    ...gone.map(({ add }) => removeLine(add, now)),
    ...files.map((file) => addLine(file, { [state.partitionKey]: partition }, tags(file), now)),
  ]
}
