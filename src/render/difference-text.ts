/** Differences found in a chunk of an earlier run. */
import type { LookDifferenceEvent } from '../model/run/event.ts'
import { countDec } from './screen-format.ts'

/** `expected 50,000 rows, found 49,990`, and how the source has changed since. */
export function countDifferenceText({ side, sourceBefore, source, expected, target }: LookDifferenceEvent): string {
  const rows = `expected ${countDec(expected)} rows, found ${countDec(target)}`
  const changed =
    source === sourceBefore ? '' : `; the source had ${countDec(sourceBefore)} rows, and has ${countDec(source)}`
  return `${side === 'source' ? 'only the source has changed: ' : ''}${rows}${changed}`
}
