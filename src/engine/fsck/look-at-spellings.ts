/** Files of the version that other readers have otherwise, because the log spells their paths in several ways. */
import type { Finding } from '../../delta/fsck/finding.ts'
import { readingsOf, spelledApart } from '../../delta/spellings.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { parquetRows } from '../registry.ts'
import type { Subject } from './subject.ts'

/** What `fsck` says elsewhere, or what the catalog alone still knows. */
const NO_SEGMENT: ReadonlySet<string> = new Set([
  'BAD_CHECKPOINT',
  'LOG_GAP',
  'NO_LOG',
  'MISSING_METADATA',
  'MISSING_PROTOCOL',
  'VERSION_NOT_FOUND',
])

/**
 * One finding a file. A checkpoint that cannot be read is a finding of its own, and a version that the log no longer gives has none.
 * @throws SluiceError of a store that cannot be read
 */
export async function lookAtSpellings(
  { store, table, version }: Subject,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const { segment } = await table.snapshot({ version }, { signal, allowRefused: true })
    const apart = await spelledApart({ store, parquet: parquetRows, segment }, signal)
    return apart.map((file) => ({
      level: 'finding',
      kind: 'path-spellings',
      path: file.spellings[0]?.path ?? '',
      detail: readingsOf(file),
    }))
  } catch (error) {
    throwIfAborted(signal)
    if (error instanceof SluiceError && NO_SEGMENT.has(error.code)) return []
    throw error
  }
}
