/** Recognises an archive that is newer than its ledger, because the ledger was restored from a backup. */
import { readArchiveProperties } from '../log/properties.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { loggedPartition } from '../rebuild/logged.ts'
import type { ArchiveContext } from '../steps/context.ts'
import { damageOf, type ArchiveFinding } from '../steps/find-damage.ts'
import type { ArchiveLogState, LoggedFile } from '../steps/log.ts'
import type { ComparedPartition } from './compared-partition.ts'

/**
 * Reads all files that the log names for a DROPPED partition, and compares them with their tags.
 * @param finding how the log differs from the ledger
 * @returns repair `later` with the partition as in the log, if all its files have the bytes and rows of their tags
 * @throws SluiceError SOURCE_IO, SOURCE_DENIED if a bucket cannot be read
 */
export async function laterArchive(
  context: ArchiveContext,
  before: ArchivedPartition,
  finding: ArchiveFinding,
  files: readonly LoggedFile[],
  state: ArchiveLogState,
): Promise<Pick<ComparedPartition, 'finding' | 'repair'>> {
  const facts = { noted: context.archived, said: readArchiveProperties(state.metadata.configuration ?? {}) }
  const logged = loggedPartition(context.name, before.label, files, state, facts)
  if ('finding' in logged) return notWhole(finding, logged)
  const [damage] = await damageOf(context, logged)
  if (damage !== undefined) return notWhole(finding, damage)
  const { digest, files: own, columns, version } = logged
  const partition = { ...before, digest, files: own, columns, version }
  const detail = `${finding.detail}; its files were read and are whole`
  return { finding: { ...finding, detail }, repair: { kind: 'later', before, partition } }
}

function notWhole(
  finding: ArchiveFinding,
  { path, detail: why }: ArchiveFinding,
): Pick<ComparedPartition, 'finding' | 'repair'> {
  const detail = `${finding.detail}; its files are not whole: ${path === undefined ? '' : `${path}: `}${why}`
  return { finding: { ...finding, detail }, repair: null }
}
