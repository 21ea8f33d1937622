/** What an archive's log holds already of a publication. */
import { createHash } from 'node:crypto'
import { SluiceError } from '../../shared/errors.ts'
import { isWellFormed } from '../../shared/well-formed.ts'
import type { Publication } from '../steps/log.ts'
import type { ActiveArchiveFile, ArchiveTableState } from './read-state.ts'

const MAX_INT64 = 2n ** 63n - 1n

export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export function isSaid({ txns }: ArchiveTableState, { appId, version }: Publication['txn']): boolean {
  const said = txns.get(appId)
  return said !== undefined && said >= version
}

export function areSame(active: readonly ActiveArchiveFile[], { files, tags }: Publication): boolean {
  const found = new Map(active.map((file) => [file.path, file]))
  return (
    found.size === files.length &&
    files.every((file) => {
      const logged = found.get(file.name)
      if (logged === undefined || logged.size !== file.bytes) return false
      return Object.entries(tags(file)).every(([name, value]) => logged.tags[name] === value)
    })
  )
}

/** Delta reads the empty text as NULL, and UTF-8 cannot hold a lone surrogate. */
export function refuseUnfit(partition: string, fence: bigint): void {
  if (partition === '' || !isWellFormed(partition)) {
    throw new SluiceError('VALUE_REFUSED', `a Delta table cannot hold '${partition}' as the value of a partition`)
  }
  if (fence < 0n || fence > MAX_INT64) throw new Error(`a fence of ${fence}`)
}
