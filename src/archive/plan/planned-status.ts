/** Decides the status of a partition in a plan: due, resumed, done, or what prevents it. */
import { isAbsorbed, isInSource, isInProgress } from '../ledger/parts.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { isArchived } from '../../model/archive/state.ts'
import { isoTime } from '../../shared/clock.ts'
import { isAsked, type NamedPartition } from '../work/named-partitions.ts'
import type { ArchiveCandidate } from './candidate.ts'
import type { PeriodState } from './period-rows.ts'

/** A partition in the ledger, in the source, or in both. */
export type PlannedPartition = {
  readonly label: string
  readonly status: 'due' | 'resume' | 'drop' | 'done' | 'later' | 'restored' | 'held' | 'blocked'
  readonly candidate: ArchiveCandidate | null
  /** The partition in the ledger; null if the ledger does not have it. */
  readonly known: ArchivedPartition | null
  readonly note?: string
  /**
   * Rows of an archived period that are still in the source; absent if none are expected, or the period is not
   * archived.
   */
  readonly counted?: PeriodState
}

type PlanningContext = {
  /** The other parts of its period. */
  readonly others: readonly ArchivedPartition[]
  /** Partitions that `--partition` names. */
  readonly asked: readonly NamedPartition[]
  readonly drop: boolean
  /** True if an older program read the numbers of its column as times. */
  readonly mistaken: boolean
  /** `sluice restore` with the options that restore it. */
  readonly restoreCommand: string
}

/** True if the partition is not yet archived, and was not restored or expired. */
const isUnarchived = ({ state }: ArchivedPartition): boolean =>
  !isArchived(state) && state !== 'RESTORED' && state !== 'EXPIRED'

/** Status of a partition in a plan, from its ledger entry and its facts in the source. */
export function plannedAction(
  known: ArchivedPartition | null,
  candidate: ArchiveCandidate | null,
  { others, asked, drop, mistaken, restoreCommand }: PlanningContext,
): PlannedAction {
  if (known === null) return newAction(candidate, others)
  // A hold does not stop a partition that is already detached: it advances until queries read it from the archive.
  if (known.held !== null && known.state !== 'DROPPED' && known.state !== 'EXPIRED' && !known.away && !known.leaving)
    return { status: 'held', note: known.held }
  const mistake = `an older sluice read its numbers as times: ${restoreCommand} restores it; if they are times, give --epoch s or ms`
  if (mistaken && isUnarchived(known) && !known.away && !known.leaving && !isAsked(asked, known))
    return {
      status: 'blocked',
      note: 'an older sluice read its numbers as times, and began to archive it: it stays in the table unless --partition names it',
    }
  const leaving = known.leaving
    ? 'its detach has begun: the next run finishes it when sessions no longer read it'
    : null
  if (leaving !== null && known.error === null) return { status: 'resume', note: leaving }
  const note = known.error === null ? {} : { note: `${known.error.code}: ${known.error.message}` }
  switch (known.state) {
    case 'EXPIRED':
    case 'DROPPED':
      return candidate?.native == null
        ? {
            status: 'done',
            ...(known.state === 'EXPIRED'
              ? {
                  note: 'it has expired, and is not archived again: late rows stay in the table until a user deletes them',
                }
              : {}),
          }
        : { status: 'blocked', note: 'it was archived, and another table has since taken its place' }
    case 'DETACHED':
      if (known.restoring)
        return { status: 'blocked', note: `its rows are being restored: run the same restore again to continue` }
      if (mistaken) return { status: drop ? 'blocked' : 'done', note: mistake }
      if (drop && known.graceOver) return { status: 'drop', ...note }
      return { status: 'done', ...graceNote(known, drop), ...note }
    case 'RESTORED':
      return restoredAction(known, candidate, { others, asked }, note)
    case 'PLANNED':
      return known.fence === 0n && candidate !== null ? candidateAction(candidate) : { status: 'resume', ...note }
    default: {
      const held = candidate?.status === 'blocked' && !known.away ? [candidate.note] : []
      const notes = [...held, note.note].filter((part) => part !== undefined)
      return { status: 'resume', ...(notes.length === 0 ? {} : { note: notes.join('; ') }) }
    }
  }
}

type PlannedAction = Pick<PlannedPartition, 'status' | 'note'>

/** Status of a partition that the ledger does not have. */
function newAction(candidate: ArchiveCandidate | null, others: readonly ArchivedPartition[]): PlannedAction {
  if (candidate === null) return { status: 'later' }
  // The hold on the period was set before this part existed.
  const period = others.find(({ part, held }) => part === 1 && held !== null)
  return period?.held == null ? candidateAction(candidate) : { status: 'held', note: period.held }
}

function candidateAction({ status, note }: ArchiveCandidate): PlannedAction {
  return { status, ...(note === undefined ? {} : { note }) }
}

/**
 * Status of a restored part. In a plain table, the whole period is archived with the first part that `--partition`
 * names; the others stay `restored`.
 */
function restoredAction(
  known: ArchivedPartition,
  candidate: ArchiveCandidate | null,
  { others, asked }: Pick<PlanningContext, 'others' | 'asked'>,
  note: Pick<PlannedPartition, 'note'>,
): PlannedAction {
  if (isAbsorbed(known)) return { status: 'done', note: 'its rows were archived again with another part' }
  if (!known.retracted) return { status: 'resume', ...note }
  if (known.native !== null && candidate === null)
    return {
      status: 'done',
      note: 'its rows were restored into the partitions that replaced it, and are archived with those',
    }
  if (!isAsked(asked, known))
    return { status: 'restored', note: 'it was restored: name it with --partition to archive it again' }
  const plain = known.native === null ? others.filter(({ native }) => native === null) : []
  const open = plain.find(isInProgress)
  if (open !== undefined)
    return { status: 'blocked', note: `${open.label} is not finished: archive it to DROPPED, or restore it first` }
  const first = plain.find((one) => isInSource(one) && one.part < known.part && isAsked(asked, one))
  return first === undefined
    ? { status: 'resume', ...note }
    : { status: 'restored', note: `its rows are archived again with ${first.label}` }
}

/** Note with the time from which the partition may be dropped, if a drop was requested. */
function graceNote({ dropAfterMs }: ArchivedPartition, drop: boolean): { readonly note?: string } {
  return drop && dropAfterMs !== null ? { note: `it may be dropped from ${isoTime(dropAfterMs)} on` } : {}
}
