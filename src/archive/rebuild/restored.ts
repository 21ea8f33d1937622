/** Compares a partition whose files a restore removed from the log with the rows in the source. */
import type { ArchivedPartition } from '../ledger/record.ts'
import { partitionCondition, type ArchiveContext } from '../steps/context.ts'
import { filesState, type FilesState } from '../steps/files-state.ts'
import { proveInPlace } from '../steps/prove.ts'
import { rowsNow, rowsNowText, type RowsNow, type RowsPlace } from '../steps/rows-now.ts'
import { proofOf } from '../steps/step-end.ts'
import { differing, type ArchiveFinding } from '../steps/find-damage.ts'
import { asSluiceError, nullOn } from '../../shared/errors.ts'
import { detachedResult, remainingResult, type RebuildContext } from './locate-rows.ts'

/**
 * A partition without files in the newest version.
 * @property partition the partition for the new ledger; null if neither archive nor source have it
 * @property compared number of archived rows that were compared with the source
 * @property gone text about lost rows or lost files
 */
export type UnpublishedPartition = {
  readonly finding: readonly ArchiveFinding[]
  readonly partition: ArchivedPartition | null
  readonly compared: bigint
  readonly gone?: string
}

/** Where the rows of a restored partition should be. */
type Place = RowsPlace & Pick<ArchivedPartition, 'native'>

/**
 * State RESTORED if the source has all rows; otherwise a finding. If the user accepts the finding, the archive keeps
 * the missing rows, unless the files are missing too.
 * @param before the partition as its files describe it, PUBLISHED
 * @param version the version that removed its files
 * @throws SluiceError errors of the store
 */
export async function restoredResult(
  context: ArchiveContext,
  before: ArchivedPartition,
  version: number,
  sides: RebuildContext,
): Promise<UnpublishedPartition> {
  const { rows: archived } = proofOf(before)
  const place = placeOf(context, before, sides)
  const files = await filesState(context, before.files)
  if (place === null) return files === 'gone' ? lostWithTable(before) : withoutTable(context, before)
  const restored = { ...before, native: place.native, state: 'RESTORED' as const, retracted: true, version, logged: [] }
  const found = files === 'there' ? await rowsOrNull(context, before, place, sides) : null
  if (found === null) {
    const lost = archived - (await rowsAt(context, place))
    if (lost <= 0n) return { finding: [], partition: restored, compared: 0n }
    const detail = `at least ${lost} of its ${archived} rows are neither in the table nor in the archive: version ${version} removed its files (restore), ${NOT_PROVED[files]}`
    const finding = {
      finding: files === 'gone' ? 'missing file' : 'changed file',
      partition: before.label,
      detail,
    } as const
    return { finding: [finding], partition: restored, compared: 0n }
  }
  const missing = missingOf(found, archived)
  // Without a key, an equal number of rows may be different rows.
  if (missing === 0n && found.kind !== 'counted') return { finding: [], partition: restored, compared: archived }
  const damaged = found.kind === 'counted' ? await damageOf(context, before) : null
  if (damaged !== null) return { finding: [damaged], partition: null, compared: 0n }
  const detail = `${rowsNowText(found, archived)}; a restore removed its files from the archive, and they exist`
  const kept: ArchivedPartition = { ...before, logged: [] }
  const accepted = missing === archived ? ({ ...kept, state: 'DROPPED' } as const) : await partlyRemoved()
  return { finding: [differing(before, detail)], partition: accepted, compared: archived }

  /** DETACHED if the table has only unchanged archived rows, as after an interrupted removal; otherwise PUBLISHED. */
  async function partlyRemoved(): Promise<ArchivedPartition> {
    const rest =
      place?.native === null && found !== null ? await remainingResult(context, kept, found, found.now) : null
    return rest !== null && 'accepted' in rest ? rest.accepted : { ...kept, native: place?.native ?? null }
  }
}

const NOT_PROVED: Readonly<Record<FilesState, string>> = {
  there: 'and their bytes are not the proved ones',
  other: 'and some of them are missing or have another size',
  gone: 'and they are gone',
}

/** Reads the files. A finding if they differ from their proof; otherwise null. */
async function damageOf(context: ArchiveContext, before: ArchivedPartition): Promise<ArchiveFinding | null> {
  try {
    await proveInPlace(context, before)
    return null
  } catch (thrown) {
    const { code, message } = asSluiceError(thrown)
    if (code !== 'ARCHIVE_CONFLICT' && code !== 'PROOF_FAILED') throw thrown
    const detail = `a restore removed its files from the archive, and they are not the proved ones: ${message}`
    return { finding: 'changed file', partition: before.label, detail }
  }
}

/** Result for a partition without a table: only its files have its rows. */
async function withoutTable(context: ArchiveContext, before: ArchivedPartition): Promise<UnpublishedPartition> {
  const { native } = before
  const damaged = await damageOf(context, before)
  if (damaged !== null) {
    const detail = `its table is gone, and ${damaged.detail}`
    return { finding: [{ ...damaged, detail }], partition: null, compared: 0n }
  }
  const what = `its table is gone, and its ${proofOf(before).rows} rows are in its files, which a restore removed from the archive`
  if (native === null) {
    const detail = `${what}; they do not name their table: an older sluice published them; create a partition with its bounds first`
    return { finding: [differing(before, detail)], partition: null, compared: 0n }
  }
  const found = await detachedResult(context, { ...before, logged: [] }, native)
  const partition = 'partition' in found ? found.partition : (found.accepted ?? null)
  const detail = 'finding' in found ? `${what}; ${found.finding.detail}` : what
  return { finding: [differing(before, detail)], partition, compared: proofOf(before).rows }
}

function lostWithTable(before: ArchivedPartition): UnpublishedPartition {
  const gone = `its table is gone, and so are its files, which a restore removed from the archive: its ${proofOf(before).rows} rows are lost`
  if (before.held === null) return { finding: [], partition: null, compared: 0n, gone }
  const detail = `the archive says that it is held (${before.held}), but ${gone}`
  const finding = { finding: 'not in the log', partition: before.label, detail } as const
  return { finding: [finding], partition: null, compared: 0n }
}

/** The table of the partition's rows; null if no partition of the present table has its bounds. */
function placeOf(context: ArchiveContext, before: ArchivedPartition, { natives }: RebuildContext): Place | null {
  const { from, to, native } = before
  if (natives === null || (native === null && context.archived.timeColumn !== null))
    return { table: context.table, where: partitionCondition(context, before), native }
  const found = natives.partitions.find((one) => !one.isDefault && one.from === from && one.to === to)
  if (found === undefined) return null
  return { table: found.table, where: null, native: { table: found.table.table, identity: found.identity } }
}

/** The rows in the source; null if they differ from the proof, and the files differ from it as well. */
async function rowsOrNull(
  context: ArchiveContext,
  before: ArchivedPartition,
  place: Place,
  { late }: RebuildContext,
): Promise<RowsNow | null> {
  // Use EXPIRED because only older versions of the log name the files.
  const found = rowsNow(context, { ...before, state: 'EXPIRED' }, place, late)
  return await found.catch(nullOn('ARCHIVE_CONFLICT', 'PROOF_FAILED'))
}

async function rowsAt({ store, interrupt }: ArchiveContext, { table, where }: Place): Promise<bigint> {
  await using view = await store.source(interrupt.abort)
  return (await view.extent(table, where, true)).rows
}

/** Number of missing rows; without a key, the difference of the row counts. */
function missingOf(found: RowsNow, archived: bigint): bigint {
  if (found.kind === 'equal') return 0n
  if (found.kind === 'keyed') return found.missing.rows
  return found.rows < archived ? archived - found.rows : 0n
}
