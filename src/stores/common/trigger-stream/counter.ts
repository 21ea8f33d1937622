/**
 * Positions of streams whose source has no log: numbers of a counter in one row at the source. Each round takes a
 * number before its snapshot, and each catch-up position is a number, too. A round with a greater number than a
 * catch-up position therefore includes all changes that were visible when that position was taken.
 */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { ReplicationSlotLine } from '../../../model/follow/port.ts'
import { positionOf } from '../../../model/copy/position.ts'

/** The position as a decimal number. */
export function counterText(position: LogPosition): string {
  return position.toString()
}

/** @throws Error if the text is not a number of a counter */
export function counterOf(text: string): LogPosition {
  if (text.includes('/')) throw new Error(`this is not a number of a counter: ${text}`)
  return positionOf(text)
}

/** Common part of sources whose positions are numbers of a counter. One source reads one stream. */
export abstract class CounterSource {
  /** Name of the stream whose counter `fence` raises; null until a stream was begun, verified or opened. */
  protected stream: string | null = null

  text(position: LogPosition): string {
    return counterText(position)
  }

  position(text: string): LogPosition {
    return counterOf(text)
  }

  async slots(): Promise<readonly ReplicationSlotLine[]> {
    return []
  }

  /** Name of the stream. @throws Error before a stream was begun, verified or opened */
  protected startedStream(): string {
    if (this.stream === null) throw new Error('a catch-up position needs a started or verified stream')
    return this.stream
  }
}

/**
 * Compares the counter with what was applied.
 * @param counter at the source now
 * @param forgotten last position whose notes were deleted at the source; null if none were deleted
 * @param applied durable in the target
 * @returns what was lost, in words; null if nothing was
 */
export function counterFault(
  counter: LogPosition,
  forgotten: LogPosition | null,
  applied: LogPosition,
): { readonly code: 'OTHER_SERVER' | 'SLOT_LOST'; readonly message: string } | null {
  if (applied > counter) {
    return {
      code: 'OTHER_SERVER',
      message: `the counter of the source is at ${counter}, but changes up to ${applied} are applied: the source was restored to an earlier time`,
    }
  }
  if (forgotten === null || forgotten <= applied) return null
  return {
    code: 'SLOT_LOST',
    message: `notes up to ${forgotten} were removed from the logs, but changes only up to ${applied} are applied: the target was restored to an earlier time, or another program removed the notes`,
  }
}
