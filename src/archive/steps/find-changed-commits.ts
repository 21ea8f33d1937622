/** Commits of an archive's log that are not what this ledger wrote. */
import { throwIfAborted } from '../../shared/abort.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { ArchiveContext } from './context.ts'
import type { Finding } from './find-damage.ts'
import { compareCommits, type ComparedCommits } from '../log/compare-commits.ts'

/** @property notCompared what a reader might take for compared, and is not; null where each commit was */
export type ChangedCommits = { readonly findings: readonly Finding[]; readonly notCompared: string | null }

/**
 * @param isForeign whether another ledger has gone on with the log: which of its commits that one wrote in the place of ours is not ours to judge
 * @throws SluiceError where the ledger cannot be read
 */
export async function changedCommits(
  { heads, reader, interrupt, name }: Pick<ArchiveContext, 'heads' | 'reader' | 'interrupt' | 'name'>,
  isForeign: boolean,
): Promise<ChangedCommits> {
  const sums = await heads.sums()
  let compared: ComparedCommits
  try {
    compared = await compareCommits(reader, sums, interrupt.abort)
  } catch (thrown) {
    throwIfAborted(interrupt.abort)
    const { message } = asSluiceError(thrown)
    return { findings: [], notCompared: `commits of the log of ${name} were not compared: ${message}` }
  }
  const { equal, differing, unknown } = compared
  const uncompared = unknown.length + (isForeign ? differing.length : 0)
  const all = equal.length + differing.length + unknown.length
  const detail = (version: number): string =>
    `the commit of version ${version} is not what this ledger wrote: its sha256 is another one`
  return {
    findings: isForeign ? [] : differing.map((version) => ({ finding: 'broken log', detail: detail(version) })),
    notCompared:
      uncompared === 0
        ? null
        : `${uncompared} of ${all} commits of the log of ${name} were not compared: an older sluice or another ledger wrote them`,
  }
}
