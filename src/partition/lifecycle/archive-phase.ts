/** Phase IV: partitions older than the limit are in an archive, and no longer in the table. */
import type { ArchivedPartition, ArchiveRecord } from '../../archive/ledger/record.ts'
import { isArchived, isPublished } from '../../model/archive/state.ts'
import { restoreCommand } from '../../archive/steps/refusals.ts'
import { tableText } from '../../model/copy/column-type.ts'
import { dec } from '../../model/run/event.ts'
import { redactUrl } from '../../shared/redact.ts'
import { asSluiceError, type SluiceError } from '../../shared/errors.ts'
import { processStatusOf } from '../../shared/owner.ts'
import { cutOff, parseAge } from '../../model/calendar/age.ts'
import { listedPartitions } from '../listed.ts'
import { maintenanceOf } from '../partition-coverage.ts'
import { entryOf, isRestored, ledgerParts } from '../state.ts'
import { refuseFollowedTables } from '../../archive/plan/followed-table.ts'
import { tableCommand } from './commands.ts'
import type { InspectedTable, PartitionedCopy, Phase } from './inspected.ts'
import { blocks } from './partitioning-phase.ts'

const IN_PROGRESS: ReadonlySet<ArchivedPartition['state']> = new Set([
  'EXPORTING',
  'EXPORTED',
  'VERIFIED',
  'PUBLISHED',
  'DETACHING',
])

export async function archivePhase(inspected: InspectedTable): Promise<Phase> {
  const { entry, archive, standing, copy } = inspected
  const { olderThan } = entry
  const place = archive?.archive ?? entry.archive
  const past = (archive?.partitions ?? []).some(({ state, graceOver }) => state === 'DETACHED' && graceOver)
  const facts = {
    ...(past ? { also: [`${tableCommand('archive run', entry)} --drop`] } : {}),
    ...(place === undefined ? {} : { archive: redactUrl(place) }),
    ...archivedFacts(archive),
  }
  if (entry.archive === undefined && archive === null)
    return { state: 'not asked for', detail: 'its entry has no archive' }
  if (olderThan === undefined)
    return { ...facts, state: 'not asked for', detail: `${archivedText(archive)}; its entry has no older-than` }
  if (standing === null && archive === null)
    return { ...facts, state: 'not begun', detail: `nothing is archived; ${nothingYet(copy)}` }
  if (standing === null) {
    inspected.noteUninspected(`due partitions of ${inspected.name}: run ${tableCommand('archive plan', entry)}`)
    return { ...facts, state: 'done', detail: archivedText(archive) }
  }
  if (standing.calendar === null)
    return {
      ...facts,
      state: 'blocked',
      detail: archivedText(archive),
      blocks: ['its calendar is unknown: name it in the entry'],
    }
  const { due, empty } = await dueOf(inspected, olderThan)
  const failed = (archive?.partitions ?? []).filter(({ state, error }) => state === 'FAILED' || error !== null)
  const onTheirWay = (archive?.partitions ?? []).filter(({ state }) => IN_PROGRESS.has(state))
  const worked = onTheirWay.filter(
    ({ holder }) => holder !== null && processStatusOf(holder, inspected.run.owner) !== 'ended',
  )
  const reported = {
    ...facts,
    due: dec(due.length),
    detail: `${archivedText(archive)}; ${dueText(due, { restored: restoredOf(inspected), empty, olderThan })}`,
  }
  const next = { next: tableCommand('archive run', entry) }
  if (failed.length > 0) {
    const why = failed.map(
      ({ label, error }) => `${label}: ${error === null ? 'failed' : `${error.code} ${error.message}`}`,
    )
    const differing = failed.find(({ state, error }) => isPublished(state) && error?.code === 'PARTITION_CHANGED')
    return {
      ...reported,
      state: 'blocked',
      ...blocks(why),
      // Another archive run would be refused again: this shows the rows that differ, and what a restore does with them.
      ...(differing === undefined ? next : { next: restoreCommand(inspected.name, differing, '--dry-run') }),
    }
  }
  if (worked.length > 0) return { ...reported, state: 'running' }
  if (due.length === 0 && onTheirWay.length === 0) return { ...reported, state: 'done' }
  const followed = await followedBy(inspected)
  if (followed !== null) return { ...reported, state: 'blocked', ...blocks([followed.message, followed.hint]) }
  const left =
    onTheirWay.length === 0
      ? {}
      : blocks([`these partitions are not finished: ${labelsText(onTheirWay.map(({ label }) => label))}`])
  return { ...reported, state: 'due', ...left, ...next }
}

function nothingYet(copy: PartitionedCopy | null): string {
  return copy === null
    ? 'the table has no partitions yet'
    : `partitions of ${copy.name} are archived once it has the public name`
}

/** The error if a stream prevents detaching partitions; null if none does. */
async function followedBy({ store, database, table, run }: InspectedTable): Promise<SluiceError | null> {
  try {
    await refuseFollowedTables({ store, database }, [table.table], run.interrupt.abort)
    return null
  } catch (error) {
    const known = asSluiceError(error)
    if (known.code !== 'TABLE_FOLLOWED') throw known
    return known
  }
}

type DuePeriods = { readonly due: readonly string[]; readonly empty: readonly string[] }

/**
 * Labels of periods older than the limit that are still in the table.
 * @returns `empty`: labels of periods without rows, which no run archives
 */
async function dueOf(inspected: InspectedTable, olderThan: string): Promise<DuePeriods> {
  const { standing, name, archive, now, store, run } = inspected
  if (standing === null || standing.calendar === null) return { due: [], empty: [] }
  const { spec } = standing.calendar
  const first = cutOff(spec, parseAge(olderThan), now)
  const options = {
    kind: standing.kind,
    spec,
    zone: standing.zone,
    now,
    cutOff: first,
    parts: ledgerParts(standing, archive),
  }
  const old = listedPartitions({ name, standing, archive }, options, null, []).filter(({ state }) => state === 'due')
  const names = new Set(old.map(({ partition }) => partition))
  // Count a partition only if its estimate is zero or missing; other estimates are good enough.
  const perhaps = standing.table.partitions.filter((one) => names.has(tableText(one.name)) && (one.rows ?? 0n) === 0n)
  const counts =
    perhaps.length === 0
      ? []
      : await maintenanceOf(store).count({ ...standing.table, partitions: perhaps }, run.interrupt.abort)
  const without = new Set(perhaps.flatMap((one, i) => (counts[i] === 0n ? [tableText(one.name)] : [])))
  const labelled = (some: typeof old): readonly string[] => some.map(({ label, partition }) => label ?? partition)
  return {
    due: labelled(old.filter(({ partition }) => !without.has(partition))),
    empty: labelled(old.filter(({ partition }) => without.has(partition))),
  }
}

/** Labels of restored partitions in the table. */
function restoredOf({ standing, archive }: InspectedTable): readonly string[] {
  if (standing === null) return []
  const options = { kind: standing.kind, parts: ledgerParts(standing, archive) }
  const back = standing.table.partitions.map((partition) => entryOf(partition, options).archived)
  return back.flatMap((one) => (one !== null && isRestored(one) ? [one.label] : []))
}

type NotDue = { readonly restored: readonly string[]; readonly empty: readonly string[]; readonly olderThan: string }

function dueText(due: readonly string[], { restored, empty, olderThan }: NotDue): string {
  const others = [
    ...(restored.length === 0 ? [] : [`restored, and archived again only with --partition: ${labelsText(restored)}`]),
    ...(empty.length === 0 ? [] : [`without rows, to be detached and dropped by hand: ${labelsText(empty)}`]),
  ]
  if (due.length > 0) return `${due.length} older than ${olderThan}: ${labelsText(due)}`
  return others.length === 0
    ? `nothing older than ${olderThan} is in the table`
    : ['nothing is due', ...others].join('; ')
}

/** Maximum number of labels in a sentence. */
const NAMED = 4

function labelsText(all: readonly string[]): string {
  return all.length <= NAMED
    ? all.join(', ')
    : `${all.slice(0, NAMED - 1).join(', ')} and ${all.length - NAMED + 1} more`
}

function archivedFacts(record: ArchiveRecord | null): Pick<Phase, 'archivedTo'> & { readonly archived: string } {
  const gone = (record?.partitions ?? []).filter(({ state }) => isArchived(state))
  const to = gone.at(-1)?.to
  return { archived: dec(gone.length), ...(to == null ? {} : { archivedTo: to }) }
}

function archivedText(record: ArchiveRecord | null): string {
  const { archived, archivedTo } = archivedFacts(record)
  const held = (record?.partitions ?? []).filter((one) => one.held !== null).length
  const past = (record?.partitions ?? []).filter(({ state, graceOver }) => state === 'DETACHED' && graceOver).length
  return [
    archived === '0'
      ? 'nothing is archived'
      : `${archived} archived${archivedTo === undefined ? '' : ` up to ${archivedTo}`}`,
    ...(past === 0 ? [] : [`${past} of them after their grace period`]),
    ...(held === 0 ? [] : [`${held} held`]),
  ].join(', ')
}
