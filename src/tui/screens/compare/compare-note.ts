/** Notes below a comparison: what was measured, with which network delay, and what is estimated. */
import type { QuestionEvent, AnswerTiming } from '../../../model/run/event.ts'
import { numberOf } from '../../../render/screen-format.ts'
import { figureOf, isEstimated } from './compare-figures.ts'
import type { BarsShown } from './compare-figures.ts'

/** @returns one or two sentences, one per line; empty for figures that do not depend on the network */
export function compareNotes(questions: readonly QuestionEvent[], compare: BarsShown): readonly string[] {
  const [first] = questions
  if (first === undefined || compare.bars !== 'time') return []
  const measured = measuredText(first)
  if (!isEstimated(questions, compare)) return [measured]
  const files = addedText('files', questions, compare)
  const sql = addedText('sql', questions, compare)
  return [measured, `Calculated from that for a round trip of ${compare.latency} ms, not measured: ${files}; ${sql}.`]
}

function measuredText({ files, sql }: QuestionEvent): string {
  const delay = ({ addedMs = 0, delayed }: AnswerTiming): string => {
    if (addedMs === 0) return 'no network delay added'
    return `${addedMs} ms added to each round trip ${delayed === 'calls' ? 'by delaying calls inside sluice' : 'by a proxy'}`
  }
  const [ofFiles, ofSql] = [delay(files), delay(sql)]
  return ofFiles === ofSql
    ? `Measured with ${ofFiles} on either side.`
    : `Measured: files with ${ofFiles}, SQL with ${ofSql}.`
}

/** How the bars of a side differ from the measured values. */
function addedText(side: 'files' | 'sql', questions: readonly QuestionEvent[], compare: BarsShown): string {
  const name = side === 'files' ? 'files' : 'SQL'
  const sides = questions.map((question) => question[side])
  const trips = sides.flatMap(({ roundTrips }) => numberOf(roundTrips) ?? [])
  if (sides.every((one) => figureOf(one, compare).kind === 'measured')) return `${name} are as measured`
  if (trips.length === 0) return `no round trips of ${name} were counted, so no time is shown`
  const [least, most] = [Math.min(...trips), Math.max(...trips)]
  if (most === 0) {
    if (side === 'files') return 'files make no round trips: their times are as measured'
    return 'SQL makes no round trips, because its database runs inside sluice: its times are as measured'
  }
  const more = compare.latency - (sides[0]?.addedMs ?? 0)
  const each = more < 0 ? `${-more} ms less` : `${more} ms more`
  return `${name} ${each} for each of ${least === most ? most : `${least} to ${most}`} round trips in a row`
}
