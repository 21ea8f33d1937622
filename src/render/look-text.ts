/** A difference that a look at earlier chunks found, as a line. */
import type { LookDifferenceEvent } from '../model/run/event.ts'
import { grouped, plural } from '../shared/figures.ts'

/** `chunk 1 (1 to 50,000): expected 50,000 rows, found 49,990`. */
export function lookText(event: LookDifferenceEvent): string {
  const { chunk, side, sourceBefore, source, expected, target, accepted } = event
  const what = chunk === undefined ? 'the table' : `chunk ${chunk}${spanText(event)}`
  const change = BigInt(source) - BigInt(sourceBefore)
  const changed = `the source has ${plural(abs(change), 'row')} ${change < 0n ? 'less' : 'more'} than when it was copied`
  const rows = `expected ${plural(expected, 'row')}, found ${grouped(target)}`
  const found = side === 'source' ? `${changed}: ${rows}` : change === 0n ? rows : `${rows}; ${changed}`
  return `${what}: ${found}${accepted === true ? ', accepted' : ''}`
}

function spanText({ from, to }: LookDifferenceEvent): string {
  if (from === undefined || to === undefined) return ''
  const edge = (key: readonly string[] | null, open: string): string => (key === null ? open : key.join(', '))
  return ` (${edge(from, 'start')} to ${edge(to, 'end')})`
}

function abs(rows: bigint): bigint {
  return rows < 0n ? -rows : rows
}
