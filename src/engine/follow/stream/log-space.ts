/** Checks whether the source can retain the log that is written during the copy; if not, slot and copy are lost. */
import { sizeText } from '../../../shared/figures.ts'
import type { FollowRefusal, LogSpace } from '../../../model/follow/port.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import type { PlannedCopy } from '../../copy/plan/plan-copy.ts'

/** Low estimate of the copy's rate: a faster copy needs less log. */
const BYTES_A_SECOND = 10_000_000

/**
 * Reports how long retention limit and free space last at the measured rate of the log.
 * @param room null if the server does not report it
 * @returns a refusal if the log does not fit; empty if it fits, or if this is unknown
 */
export function logSpaceRefusal(
  room: LogSpace | null,
  { tables }: PlannedCopy,
  run: CopyRun,
): readonly FollowRefusal[] {
  if (room === null || room.bytesPerSecond <= 0) return []
  const limits = [room.limitBytes, room.freeBytes].flatMap((bytes) => (bytes === null ? [] : [Number(bytes)]))
  if (limits.length === 0) return []
  const most = Math.min(...limits)
  const lastsMs = (most / room.bytesPerSecond) * 1000
  const bytes = tables.reduce((sum, { source }) => sum + Number(source.bytes), 0)
  const copyMs = (bytes / BYTES_A_SECOND) * 1000
  const rate = `the source writes ${sizeText(room.bytesPerSecond)} of log per second and can retain at most ${sizeText(most)}`
  const message = `${rate}: that lasts about ${hoursText(lastsMs)}`
  if (copyMs <= lastsMs) {
    run.emit({ type: 'log', level: 'note', message })
    return []
  }
  return [
    {
      message: `${message}, and the copy of ${sizeText(bytes)} may take ${hoursText(copyMs)}`,
      hint: 'raise max_slot_wal_keep_size, or free space for the log; the slot would be lost before the copy has caught up',
    },
  ]
}

function hoursText(ms: number): string {
  const minutes = Math.ceil(ms / 60_000)
  if (minutes < 120) return minutes === 1 ? 'a minute' : `${minutes} minutes`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} hours` : `${Math.floor(hours / 24)} days`
}
