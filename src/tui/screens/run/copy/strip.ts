/** Key space of a table as a strip of cells, with a scale below. */
import { shownCount, amount } from '../../../../render/screen-format.ts'
import { line, rule, span, type Line, type Span, type Tone } from '../../../draw/line.ts'
import { clean, cutMiddle, width } from '../../../../render/screen-text.ts'
import type { ChunkState } from '../../../run/copy/chunk-map.ts'
import type { CopyTable } from '../../../run/copy/copy-table.ts'
import type { KeyAxis } from '../../../run/copy/key-axis.ts'

const MARKS: Readonly<Record<ChunkState, readonly [mark: string, ascii: string, tone: Tone]>> = {
  proved: ['█', '#', 'ok'],
  written: ['▓', '=', 'info'],
  copying: ['▒', '+', 'info'],
  pending: ['·', '.', 'muted'],
  waits: ['↻', '~', 'warn'],
  aside: ['!', '!', 'warn'],
  failed: ['✗', 'x', 'bad'],
}

/** Mark and tone of a state. */
export function chunkMark(state: ChunkState, ascii: boolean): readonly [mark: string, tone: Tone] {
  const [mark, plain, tone] = MARKS[state]
  return [ascii ? plain : mark, tone]
}

/** Rule, strip and scale: three rows that are `cells` wide. */
export function keyStrip(table: CopyTable | null, named: boolean, cells: number, ascii: boolean): Line[] {
  if (table === null) return [rule('key space', cells), line(' not known yet: the copy is being planned', 'muted'), []]
  const size = Math.max(1, cells - 2)
  return [
    rule(stripTitle(table, named, size, cells), cells),
    [span(' '), ...stripSpans(table, size, ascii)],
    [span(` ${scale(table.map.axis, table.map.counts().all, size)}`, 'muted')],
  ]
}

function stripSpans(table: CopyTable, size: number, ascii: boolean): Span[] {
  const spans: { text: string; tone: Tone }[] = []
  for (const state of table.map.cells(size)) {
    const [text, tone] = chunkMark(state, ascii)
    const last = spans.at(-1)
    if (last?.tone === tone) last.text += text
    else spans.push({ text, tone })
  }
  return spans
}

function stripTitle(table: CopyTable, named: boolean, size: number, cells: number): string {
  const { axis } = table.map
  const { all } = table.map.counts()
  const rows = table.started?.chunkRows ?? table.plan?.chunkRows
  const of = rows === undefined || Number(rows) === 0 ? '' : ` of ${shownCount(Number(rows))}`
  const key = clean(table.key.join(', '))
  const proof = { none: 'nothing is proved', count: 'proof by count only' }[table.proof]
  const parts = [
    ...(named ? [cutMiddle(clean(table.name), 30)] : []),
    'key space',
    key === '' ? 'no key' : key,
    `${amount(all, 'chunk')}${of}`,
    ...(proof === undefined ? [] : [proof]),
  ]
  const slice = cellText(axis, all, size)
  const whole = [...parts, slice].filter((part) => part !== '').join(' · ')
  return width(whole) + 4 <= cells && cells >= 100 ? whole : parts.join(' · ')
}

function cellText(axis: KeyAxis, all: number, size: number): string {
  if (axis.by === 'order')
    return all > size ? `one cell is ${(all / size).toFixed(1)} chunks` : 'in the order of chunks'
  const keys = Number(axis.high - axis.low + 1n) / size
  return keys >= 1 ? `one cell is ${amount(Math.round(keys), 'key')}` : ''
}

/** Numbers below the strip at their positions; the first and the last are always shown. */
function scale(axis: KeyAxis, all: number, size: number): string {
  const cells = Array.from({ length: size }, () => ' ')
  const put = (text: string, at: number): boolean => {
    const end = at + text.length
    if (at < 0 || end > size) return false
    // Keep a gap, so that adjacent numbers do not read as one.
    if (cells.slice(Math.max(0, at - 2), Math.min(size, end + 2)).some((cell) => cell !== ' ')) return false
    cells.splice(at, text.length, ...Array.from(text))
    return true
  }
  if (axis.by === 'order' && all === 0) return ''
  const [low, high] = axis.by === 'value' ? [axis.low, axis.high] : [1n, BigInt(Math.max(1, all))]
  const unit = axis.by === 'value' ? '' : 'chunk '
  put(unit + low.toString(), 0)
  if (high > low) put(high.toString(), size - high.toString().length)
  for (const value of ticks(low, high, size)) {
    const text = value.toString()
    const middle = (Number(value - low) / Number(high - low + 1n)) * size
    put(text, Math.round(middle - text.length / 2))
  }
  return cells.join('').trimEnd()
}

/** Round numbers between two keys, as many as fit well in `size` cells. */
function ticks(low: bigint, high: bigint, size: number): readonly bigint[] {
  const longest = Math.max(low.toString().length, high.toString().length)
  const most = BigInt(Math.max(1, Math.min(8, Math.floor(size / (longest + 12)))))
  const least = (high - low) / (most + 1n)
  if (least < 1n) return []
  const power = 10n ** BigInt(least.toString().length - 1)
  const step = [1n, 2n, 5n, 10n].map((factor) => factor * power).find((value) => value > least) ?? power * 10n
  const first = (low / step) * step
  const values: bigint[] = []
  for (let value = first; value < high; value += step) if (value > low) values.push(value)
  return values
}

const LEGEND: readonly (readonly [ChunkState, short: string, long: string])[] = [
  ['proved', 'proved', 'proved'],
  ['written', 'written', 'written'],
  ['copying', 'copying', 'copying'],
  ['pending', 'pending', 'pending'],
  ['waits', 'waits', 'waits to retry'],
  ['aside', 'quarantine', 'proved, a row quarantined'],
  ['failed', 'failed', 'failed'],
]

/** Meaning of the cells. */
export function legend(cells: number, ascii: boolean): Line {
  const long = cells >= 100
  return LEGEND.flatMap(([state, few, many], i): Span[] => {
    const [mark, tone] = chunkMark(state, ascii)
    return [span(i === 0 ? ' ' : long ? '   ' : '  '), span(mark, tone), span(` ${long ? many : few}`, 'muted')]
  })
}
