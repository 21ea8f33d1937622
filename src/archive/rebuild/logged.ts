/** Reads partitions from the log of an archive: their facts are in the tags of their files. */
import { digestSum } from '../../model/copy/row-hash.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { plannedPartition } from '../ledger/planned-partition.ts'
import type { ArchiveFinding } from '../steps/find-damage.ts'
import type { LoggedFile, ArchiveLogState } from '../steps/log.ts'
import { appIdOf } from '../steps/publish.ts'
import type { ArchivedFile } from '../../model/archive/archived-file.ts'
import type { RecordedArchive } from './recorded-archive.ts'

/** Labels for which the log has files, a transaction, or a hold. */
export function labelsOf(name: string, state: ArchiveLogState, { said }: RecordedArchive): ReadonlySet<string> {
  const before = appIdOf({ name }, '')
  const written = [...state.txns.keys()].flatMap((id) => (id.startsWith(before) ? [id.slice(before.length)] : []))
  return new Set([...state.files.keys(), ...written, ...said.holds.keys()])
}

/** Stored columns of the table, and the column sets and holds in the properties of the archive. */
export type LoggedFacts = {
  readonly noted: Pick<RecordedArchive['noted'], 'stored'>
  /** Properties of the Delta table. */
  readonly said: Pick<RecordedArchive['said'], 'columns' | 'holds'>
}

/**
 * @param files files in the log for the partition, now or before
 * @returns a partition in the state PUBLISHED with its proof from the tags; a finding if the tags are not sufficient
 */
export function loggedPartition(
  name: string,
  label: string,
  files: readonly LoggedFile[],
  state: ArchiveLogState,
  { noted, said }: LoggedFacts,
): ArchivedPartition | ArchiveFinding {
  const untold = (detail: string): ArchiveFinding => ({ finding: 'other rows', partition: label, detail })
  const [first] = files
  if (label === '' || first === undefined) return untold('files that do not belong to a partition')
  const archived = files.map(archivedFile)
  const proved = archived.filter((file) => file !== null)
  if (proved.length < files.length) return untold('another program added files, which do not describe their rows')
  const same = (tag: string): boolean => files.every(({ tags }) => tags[tag] === first.tags[tag])
  if (!OF_PARTITION.every(same)) return untold('its files are from more than one publication')
  const {
    'sluice.from': from = null,
    'sluice.to': to = null,
    'sluice.columns': set,
    'sluice.native': native,
    'sluice.chosenBy': chosenBy = null,
  } = first.tags
  const { 'sluice.period': period = label, 'sluice.part': part = '1' } = first.tags
  const columns = set === undefined ? noted.stored.columns : (said.columns.get(set) ?? null)
  if (columns === null) return untold(`the archive does not say which columns its files have (${set ?? ''})`)
  const versions = files.flatMap(({ addedVersion }) => addedVersion ?? [])
  const named = { label, period, part: Number(part), from, to, native: nativeOf(native), chosenBy }
  return {
    ...plannedPartition(named, columns),
    state: 'PUBLISHED',
    digest: digestSum(proved.map(({ rows, sum }) => ({ rows, sum }))),
    files: proved,
    version: versions.length === files.length ? Math.max(...versions) : state.version,
    held: said.holds.get(label) ?? null,
    fence: state.txns.get(appIdOf({ name }, label)) ?? 0n,
    logged: proved.map(({ path }) => path),
  }
}

const OF_PARTITION = ['sluice.from', 'sluice.to', 'sluice.columns', 'sluice.native', 'sluice.period', 'sluice.part']

/** A file with the proof in its tags; null if another program added it. */
export function archivedFile({ path, size, rows, tags }: LoggedFile): ArchivedFile | null {
  const { 'sluice.checksum': sum, 'sluice.sha256': sha256 } = tags
  return sum === undefined || sha256 === undefined || rows === null ? null : { path, bytes: size, rows, sha256, sum }
}

function nativeOf(text: string | undefined): ArchivedPartition['native'] {
  if (text === undefined) return null
  const { identity, ...table } = JSON.parse(text) as { schema?: string; name: string; identity: string }
  return { table, identity }
}
