/** Recognises an archive that went on after the backup that a ledger came back from. */
import { readArchiveProperties } from '../log/properties.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { loggedPartition } from '../rebuild/logged.ts'
import type { ArchiveContext } from '../steps/context.ts'
import { fileFindings, type ArchiveFinding } from '../steps/find-damage.ts'
import type { ArchiveLogState, LoggedFile } from '../steps/log.ts'

/** @property repair the partition as the log has it; null unless all its files have the bytes and rows of their tags */
export type LaterArchive = {
  readonly finding: ArchiveFinding
  readonly repair: {
    readonly kind: 'later'
    readonly before: ArchivedPartition
    readonly partition: ArchivedPartition
  } | null
}

/**
 * Reads all files that the log names for a DROPPED partition, and compares them with their tags.
 * @param finding how the log differs from the ledger
 * @throws SluiceError SOURCE_IO, SOURCE_DENIED of a bucket that cannot be read
 */
export async function laterArchive(
  context: ArchiveContext,
  before: ArchivedPartition,
  finding: ArchiveFinding,
  files: readonly LoggedFile[],
  state: ArchiveLogState,
): Promise<LaterArchive> {
  const facts = { noted: context.archived, said: readArchiveProperties(state.metadata.configuration ?? {}) }
  const logged = loggedPartition(context.name, before.label, files, state, facts)
  const damage = 'finding' in logged ? [logged] : await damageOf(context, logged)
  const [first] = damage
  if (first !== undefined) {
    const path = first.path === undefined ? '' : `${first.path}: `
    const detail = `${finding.detail}; its files are not whole: ${path}${first.detail}`
    return { finding: { ...finding, detail }, repair: null }
  }
  if ('finding' in logged) throw new Error('a finding is no partition')
  const { digest, files: own, columns, version } = logged
  const partition = { ...before, digest, files: own, columns, version }
  const detail = `${finding.detail}; its files were read and are whole`
  return { finding: { ...finding, detail }, repair: { kind: 'later', before, partition } }
}

async function damageOf(context: ArchiveContext, logged: ArchivedPartition): Promise<readonly ArchiveFinding[]> {
  return (await fileFindings(context, logged)).filter((one) => 'finding' in one)
}
