/** Groups ring parts into few lines for display. */
import type { RingPartEvent } from '../run/event.ts'

export type RingGroup = {
  /** First and last token. */
  readonly from: string
  readonly to: string
  readonly parts: number
  readonly rows: number
  readonly partitions: number
  readonly bytes: number
  readonly exact: boolean
}

/** Merges neighbours into at most `most` groups of the same number of parts; the last group may have fewer. */
export function ringGroups(parts: readonly RingPartEvent[], most: number): readonly RingGroup[] {
  const each = Math.max(1, Math.ceil(parts.length / Math.max(1, most)))
  const groups: RingGroup[] = []
  for (let at = 0; at < parts.length; at += each) {
    const some = parts.slice(at, at + each)
    const sum = (of: (part: RingPartEvent) => string): number => some.reduce((all, part) => all + Number(of(part)), 0)
    groups.push({
      from: some[0]?.from ?? '',
      to: some.at(-1)?.to ?? '',
      parts: some.length,
      rows: sum(({ rows }) => rows),
      partitions: sum(({ partitions }) => partitions),
      bytes: sum(({ bytes }) => bytes),
      exact: some.every(({ exact }) => exact),
    })
  }
  return groups
}
