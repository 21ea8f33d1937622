/** Plans which archived partitions are old enough to expire, and what prevents it. */
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { isoTime } from '../../shared/clock.ts'
import { SluiceError } from '../../shared/errors.ts'
import { cutOff, parseAge } from '../../model/calendar/age.ts'
import { parseCalendar } from '../../model/calendar/calendar-text.ts'
import { askedFor, isAsked } from '../work/named-partitions.ts'
import { isOld } from '../plan/native-candidates.ts'
import type { ValueKind } from '../../model/calendar/value-text.ts'

export type PlannedExpiry = {
  readonly partition: ArchivedPartition
  /**
   * `due`: it will expire. `resume`: it has expired, but its files must still be removed from the Delta table. `done`:
   * it has expired. `held`, `blocked`: it stays, for the reason in `note`. `later`: not old enough.
   */
  readonly status: 'due' | 'resume' | 'done' | 'held' | 'blocked' | 'later'
  readonly note?: string
}

export type ExpiryOptions = {
  /** An age such as `10y`. */
  readonly olderThan: string
  /** Labels as the user typed them; empty means all. */
  readonly named: readonly string[]
  /** Current time by the clock of the database, ms since the epoch. */
  readonly nowMs: number
  /** Type of the partition bounds. */
  readonly kind: ValueKind
}

/** @throws SluiceError BAD_FLAG for an invalid age or label; PARTITION_STATE for a label that is not archived */
export function planExpiry(record: ArchiveRecord, options: ExpiryOptions): readonly PlannedExpiry[] {
  const { olderThan, named, nowMs, kind } = options
  const calendar = parseCalendar(record.calendar)
  const until = cutOff(calendar, parseAge(olderThan), new Date(nowMs))
  const chosen =
    named.length === 0 ? record.partitions : [...new Set(named.flatMap((text) => partitionsOfLabel(record, text)))]
  return chosen.map((partition): PlannedExpiry => {
    if (!isOld(partition, until, calendar, kind)) {
      return {
        partition,
        status: 'later',
        note: `its period ends at ${partition.to ?? 'no time'}, and only periods that ended by ${until} may expire`,
      }
    }
    return { partition, ...expiryStatus(partition, record.graceMs, nowMs) }
  })
}

/** Status of a partition that is old enough. @param nowMs by the clock of the database */
export function expiryStatus(
  { state, held, retracted, changedMs, expired }: ArchivedPartition,
  graceMs: number,
  nowMs: number,
): Pick<PlannedExpiry, 'status' | 'note'> {
  if (state === 'EXPIRED') {
    return retracted ? { status: 'done', note: `it expired at ${isoTime(expired?.ms ?? 0)}` } : { status: 'resume' }
  }
  if (held !== null) return { status: 'held', note: held }
  if (state !== 'DROPPED') return { status: 'blocked', note: blockReason(state) }
  const from = (changedMs ?? nowMs) + graceMs
  if (from <= nowMs) return { status: 'due' }
  return {
    status: 'blocked',
    note: `its grace period has not ended since it was dropped: it may expire from ${isoTime(from)} on`,
  }
}

function blockReason(state: ArchivedPartition['state']): string {
  if (state === 'DETACHED') return 'it is DETACHED: its rows are in the database until archive run --drop removes them'
  if (state === 'RESTORED') return 'it is RESTORED: its rows are in the table'
  return `it is ${state}: it has not left the database`
}

/** The partitions of a label; for a period all its parts. */
function partitionsOfLabel({ partitions, calendar }: ArchiveRecord, text: string): readonly ArchivedPartition[] {
  const asked = askedFor(parseCalendar(calendar), text, partitions)
  const found = partitions.filter((one) => isAsked([asked], one))
  if (found.length > 0) return found
  throw new SluiceError('PARTITION_STATE', `${text} is not archived`, {
    hint: 'sluice archive list shows the archived partitions',
  })
}
