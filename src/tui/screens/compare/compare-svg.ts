/** A comparison as a picture for a slide: plain SVG, light, 1280 by 720, with every figure as text. */
import type { QuestionEvent, AnswerTiming } from '../../../model/run/event.ts'
import { oneLine } from '../../../shared/visible.ts'
import { cutEnd } from '../../../render/screen-text.ts'
import { figureOf, figuresMeaning, isEstimated, type BarsShown } from './compare-figures.ts'
import type { CompareState } from '../../state/state.ts'
import { figureText } from './view.ts'
import { numberOf } from '../../../render/screen-format.ts'

const WIDE = 1280
const HIGH = 720
const LEFT = 360
const RIGHT = 1080
const TOP = 130
const BOTTOM = 628
/** Baseline of the first note below the bars. */
const NOTES = 652
/** Assumed width of a letter relative to its height; more than the average. */
const LETTER = 0.49
/** Colours of the bars. Colour-blind readers can distinguish them, also in print. */
const COLOURS = { files: '#b45309', sql: '#1d4ed8' } as const
const FONT = 'font-family="Helvetica, Arial, sans-serif"'

export type PictureFacts = {
  readonly table: string
  readonly lake: string
  readonly catalog: string
  readonly at: string
}

/** @returns a complete SVG document */
export function compareSvg(questions: readonly QuestionEvent[], compare: CompareState, facts: PictureFacts): string {
  const figures = questions.map((q) => ({ q, files: figureOf(q.files, compare), sql: figureOf(q.sql, compare) }))
  const scale = scaleOf(figures.flatMap(({ files, sql }) => [files.value, sql.value]))
  const step = (BOTTOM - TOP) / Math.max(1, figures.length)
  const high = Math.min(30, step * 0.36)
  const size = Math.max(11, Math.min(18, step * 0.32))
  const rows = figures.flatMap(({ q, files, sql }, i) => {
    const y = TOP + i * step
    const middle = y + step / 2
    const bar = (side: 'files' | 'sql', value: number | null, top: number): string[] => {
      const cells = value === null ? 0 : scale(value)
      const text = figureText(value, compare)
      return [
        `<rect x="${LEFT}" y="${round(top)}" width="${round(cells)}" height="${round(high)}" fill="${COLOURS[side]}"/>`,
        `<text x="${round(LEFT + cells + 8)}" y="${round(top + high * 0.8)}" font-size="${round(Math.min(size, 16))}" fill="#111827">${escaped(text)}</text>`,
      ]
    }
    const title = `${q.title}${q.same ? '' : ' (answers differ)'}`
    const room = LEFT - 16 - 20
    const titleSize = Math.min(size, fontOf(title, size, room))
    return [
      `<text x="${LEFT - 16}" y="${round(middle + titleSize / 3)}" font-size="${titleSize}" text-anchor="end" fill="#111827">${escaped(cutEnd(title, Math.floor(room / (titleSize * LETTER))))}</text>`,
      ...bar('files', files.value, middle - high - 1),
      ...bar('sql', sql.value, middle + 1),
    ]
  })
  const differ = questions.filter((q) => !q.same).length
  const same =
    differ === 0
      ? 'Every answer is the same on both sides.'
      : `${differ === 1 ? 'One answer differs: its times prove' : `${differ} answers differ: their times prove`} nothing.`
  const notes = [...compareNotes(questions, compare), same]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDE}" height="${HIGH}" viewBox="0 0 ${WIDE} ${HIGH}" ${FONT}>`,
    `<rect width="${WIDE}" height="${HIGH}" fill="#ffffff"/>`,
    `<text x="40" y="52" font-size="28" font-weight="bold" fill="#111827">${escaped(cutEnd(`Files against SQL: ${facts.table}`, 74))}</text>`,
    `<text x="40" y="84" font-size="18" fill="#374151">${escaped(`${figuresMeaning(questions, compare)}, log scale`)}</text>`,
    ...legend('files', 40, `files: ${facts.lake}`),
    ...legend('sql', 660, `SQL: ${facts.catalog}`),
    ...rows,
    ...notes.map(
      (text, i) =>
        `<text x="40" y="${NOTES + i * 18}" font-size="${fontOf(text, 14, WIDE - 80)}" fill="#374151">${escaped(text)}</text>`,
    ),
    `<text x="40" y="708" font-size="13" fill="#6b7280">${escaped(`sluice performance-compare, ${facts.at}`)}</text>`,
    '</svg>',
    '',
  ].join('\n')
}

function legend(side: 'files' | 'sql', x: number, text: string): readonly string[] {
  return [
    `<rect x="${x}" y="100" width="14" height="14" fill="${COLOURS[side]}"/>`,
    `<text x="${x + 22}" y="112" font-size="14" fill="#374151">${escaped(cutEnd(text, 72))}</text>`,
  ]
}

/**
 * Returns a function that converts a value to pixels on a log scale. The scale begins at the power of ten at or below
 * the smallest value, and ends at the largest value.
 */
function scaleOf(values: readonly (number | null)[]): (value: number) => number {
  const positive = values.filter((value) => value !== null && value > 0).map(Number)
  if (positive.length === 0) return () => 0
  const low = Math.floor(Math.log10(Math.min(...positive)))
  const wide = Math.max(0.1, Math.log10(Math.max(...positive)) - low)
  return (value) => (value <= 0 ? 0 : Math.max(2, ((Math.log10(value) - low) / wide) * (RIGHT - LEFT)))
}

/** Font size at which a text fits into `wide` pixels: 11 to `size` pixels. */
function fontOf(text: string, size: number, wide: number): number {
  return Number(Math.max(11, Math.min(size, wide / (text.length * LETTER))).toFixed(1))
}

const round = (value: number): string => value.toFixed(1)

/** Names from a lake must not become markup. */
function escaped(text: string): string {
  return oneLine(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

// Notes below a comparison: what was measured, with which network delay, and what is estimated.

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
