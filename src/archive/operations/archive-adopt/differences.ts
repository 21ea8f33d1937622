/** Decides which differences an adoption can accept, and writes its messages about them. */
import type { ComparedPartition, Repair } from '../../plan/compared-partition.ts'
import { restoreCommand } from '../../steps/refusals.ts'
import { countText } from '../../../shared/figures.ts'
import { SluiceError } from '../../../shared/errors.ts'

export const OF_FILES: ReadonlySet<string> = new Set(['missing file', 'changed file'])

/**
 * True if the partition has no difference, or one that `--accept-difference` can accept. Missing and changed files are
 * acceptable, because they change no facts in the ledger.
 */
export function isAcceptable({ finding, repair }: ComparedPartition): boolean {
  if (finding === null) return true
  if (finding.finding === 'not in the log') return repair?.kind === 'gone' && repair.partition.held === null
  return finding.finding === 'differs from the source' || OF_FILES.has(finding.finding) || repair?.kind === 'later'
}

/** Message: how ledger and log are made equal; null for missing files. @param dryRun true if nothing is changed */
export function repairText(repair: Repair, dryRun: boolean): string | null {
  const would = (now: string, then: string): string => (dryRun ? `would ${then}` : now)
  const { label, state, files, digest } = repair.partition
  switch (repair.kind) {
    case 'unnamed': {
      const there = repair.outdated.length === 0 ? '' : ' that exist'
      return `${label}: the ledger says ${state} and the log names none of its files${there}; its ${files.length} files exist and were read: adopt ${would('adds', 'add')} them to the log again`
    }
    case 'later': {
      const { digest: before } = repair.before
      return `${label}: the ledger ${would('gets', 'get')} the ${countText(digest?.rows ?? 0n, 'row')} in ${countText(files.length, 'file')} of the log; it had ${countText(before?.rows ?? 0n, 'row')}`
    }
    case 'left':
      return `${label}: the ledger says ${state}, but the log names its files: adopt ${would('removes', 'remove')} them from the log; the files stay until a sweep`
    case 'gone':
      return null
  }
}

/** @property open differences that were not accepted @property closed differences that cannot be accepted */
type Differences = {
  readonly all: number
  readonly open: readonly ComparedPartition[]
  readonly closed: readonly ComparedPartition[]
}

export function differs(name: string, { all, open, closed }: Differences): SluiceError {
  const standing = new Set([...open, ...closed])
  const hints = ['nothing was changed']
  if (closed.length > 0) {
    const labels = closed.map(({ label }) => label).join(', ')
    hints.push(
      `${labels} cannot be adopted in this state: restore a backup of the database, or of the archive, so that both are from the same time, and run the same command again; one from before an erasure has the erased rows, which then have to be erased again`,
    )
  }
  const others = open.filter((one) => !closed.includes(one))
  if (others.some(({ repair }) => repair?.kind === 'later')) hints.push(LATER)
  if (others.some(({ repair }) => repair?.kind !== 'later')) hints.push(rowsHint(name))
  return new SluiceError(
    'PROOF_FAILED',
    `the archive of ${name} cannot be adopted: ${standing.size} of ${countText(all, 'difference')} ${standing.size === 1 ? 'is' : 'are'} not accepted`,
    { hint: hints.join('; ') },
  )
}

const LATER =
  '--accept-difference LABEL takes over a DROPPED partition from the archive: the ledger gets the row count, checksum and files that the log has'

function rowsHint(name: string): string {
  const letGo = restoreCommand(name, { label: 'LABEL' }, '--as-changed', `--confirm=${name}`)
  return `--accept-difference LABEL takes over a partition whose rows in the database differ: unless the ledger says DETACHED or DROPPED, the next run archives these rows in place of the archived ones. That run is refused if archived rows are missing in the database: ${letGo} gives up the archived ones. It also takes over a partition whose files are gone: then only the rows in the database remain, and rows that are reported as neither in the table nor in the archive are lost. A partition with a missing or changed file keeps its state, and sluice archive verify names the file`
}
