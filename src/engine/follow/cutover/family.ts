/** Streams linked by cutovers: a cutover ends one stream, and begins the next one, which keeps the old table equal. */
import { hasSwitched, isUnderWay, type CutoverRow } from './cutover-row.ts'

export type Family = {
  /** Completed cutovers, oldest first. */
  readonly turns: readonly CutoverRow[]
  /** Cutovers of the newest stream that a program is preparing, or was preparing when it was killed. */
  readonly preparing: readonly CutoverRow[]
  /** The stream that is in use. */
  readonly newest: string
}

/** @param rows as `readCutovers` returns them @param stream id of any stream of the family */
export function familyOf(rows: readonly CutoverRow[], stream: string): Family {
  const happened = rows.filter(({ status }) => hasSwitched(status))
  const turns: CutoverRow[] = []
  for (let at = stream; ;) {
    const before = happened.find(({ reverse }) => reverse === at)
    if (before === undefined || turns.includes(before)) break
    turns.unshift(before)
    at = before.stream
  }
  let newest = stream
  for (;;) {
    const next = happened.find((row) => row.stream === newest)
    if (next === undefined || turns.includes(next)) break
    turns.push(next)
    newest = next.reverse
  }
  const preparing = rows.filter((row) => isUnderWay(row.status) && row.stream === newest)
  return { turns, preparing, newest }
}

/** What a command requests, given the completed cutovers. `done`: the last one had the requested direction. */
export type RequestedCutover = 'next' | 'done' | 'nothing to revert'

/** @param revert true for a cutover back to the old table */
export function requestedCutover({ turns }: Pick<Family, 'turns'>, revert: boolean): RequestedCutover {
  const isForward = turns.length % 2 === 0
  if (isForward !== revert) return 'next'
  return turns.length === 0 ? 'nothing to revert' : 'done'
}
