/** The Compare screen: two bars per question on a log scale, and figures of the question under the cursor. */
import type { QuestionEvent, AnswerTiming } from '../../../model/run/event.ts'
import { bytes, shownCount, countDec, numberOf, amount, took } from '../../../render/screen-format.ts'
import { block, chosen, line, rule, span, spreadLine, type Line } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd, padStart, width, wrap } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { figureOf, LATENCIES, figuresMeaning } from './compare-figures.ts'
import { questionRows, geometry, hasRoom } from '../../state/geometry.ts'
import { comparison } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'

/** The figure that the bars show; null if it was not measured and cannot be estimated. */
const figure = (side: AnswerTiming, state: State): number | null => figureOf(side, state.compare).value

/** A figure as text. */
export function figureText(value: number | null, { bars }: Pick<State['compare'], 'bars'>): string {
  return bars === 'bytes' ? bytes(value) : bars === 'requests' ? shownCount(value) : took(value)
}

/**
 * Cells of a bar on a log scale. The scale begins at the power of ten at or below the smallest value. The bar of the
 * largest value has `cells` cells.
 */
function barCells(value: number | null, all: readonly number[], cells: number): number {
  const positive = all.filter((v) => v > 0)
  if (value === null || value <= 0 || positive.length === 0) return 0
  const low = Math.floor(Math.log10(Math.min(...positive)))
  const span1 = Math.max(0.1, Math.log10(Math.max(...positive)) - low)
  return Math.max(1, Math.round(((Math.log10(value) - low) / span1) * cells))
}

function verdict(q: QuestionEvent, state: State): string {
  const a = figure(q.files, state)
  const b = figure(q.sql, state)
  const isTime = state.compare.bars === 'time' && figureOf(q.files, state.compare).kind === 'measured'
  const measured = isTime && !state.compare.cold
  if (measured && q.faster === 'even') return 'even'
  if (state.compare.bars === 'requests' && a !== b && (a === 0 || b === 0)) return `${b === 0 ? 'SQL' : 'files'} none`
  if (a === null || b === null || a <= 0 || b <= 0) return '?'
  if (a === b) return 'even'
  const factor = measured ? q.factor : Math.max(a, b) / Math.min(a, b)
  const who = (measured ? q.faster === 'sql' : b < a) ? 'SQL' : 'files'
  return `${who} ${factor >= 10 ? shownCount(Math.round(factor)) : factor.toFixed(1)}×`
}

/** Cells of the title, and of each side of the bars. Figures come before the title in a narrow terminal. */
function columnCells(cells: number): { readonly name: number; readonly half: number } {
  const name = cells >= 160 ? 32 : cells >= 100 ? 28 : Math.min(26, Math.max(10, cells - 48))
  return { name, half: Math.floor((cells - 3 - name - 1 - RIGHT) / 2) }
}

/** Cells of the verdict. */
const RIGHT = 17

function questionLine(q: QuestionEvent, all: readonly number[], state: State, here: boolean, cells: number): Line {
  const marks = marksOf(state.ascii)
  const { name, half } = columnCells(cells)
  const longest = Math.max(2, half - 10)
  const a = figure(q.files, state)
  const b = figure(q.sql, state)
  const full = state.ascii ? '#' : '█'
  const left = `${figureText(a, state.compare)} ${full.repeat(barCells(a, all, longest))}`
  const rightBar = `${full.repeat(barCells(b, all, longest))} ${figureText(b, state.compare)}`
  return [
    span(` ${here ? marks.row : ' '} ${padEnd(cutEnd(clean(q.title), name), name)}`),
    span(padStart(left, half)),
    span(marks.middle, 'muted'),
    span(padEnd(rightBar, half)),
    span(padStart(verdict(q, state), RIGHT - 4)),
    q.same ? span(` ${marks.same}`, 'ok') : span(` ${marks.differs}`, 'bad'),
  ]
}

function headLine(state: State, cells: number): Line {
  const marks = marksOf(state.ascii)
  const { name, half } = columnCells(cells)
  return line(
    `   ${padEnd('QUESTION', name)}${padStart('FILES', half - 1)} ${marks.middle === '│' ? ' ' : ' '}${padEnd('SQL', half)}${'FASTER'.padStart(13)}`,
    'strong',
  )
}

function sideBySide(label: string, left: string, right: string, cells: number): Line {
  const half = Math.floor((cells - 10) / 2)
  return [span(`   ${label.padEnd(9)}`, 'muted'), span(padEnd(cutEnd(left, half - 1), half)), span(right)]
}

function readText(side: AnswerTiming): string {
  const opened =
    side.opened === null
      ? '? files opened'
      : side.opened === 0
        ? 'no log file touched'
        : `${amount(side.opened, 'file')} opened`
  return `${bytes(numberOf(side.readBytes))} · ${opened}`
}

/** Requests and round trips for one answer. */
function askedText(side: AnswerTiming): string {
  const trips = numberOf(side.roundTrips)
  if (trips === null) return '?'
  if (trips === 0) return 'no round trip'
  const requests = side.bucketRequests ?? side.requests ?? '0'
  // A folder needs no requests: show what a bucket would need.
  const own = side.bucketRequests === undefined ? 'requests' : 'if in a bucket'
  return requests === '0' ? amount(trips, 'round trip') : `${countDec(requests)} ${own}, ${shownCount(trips)} in a row`
}

function detailLines(q: QuestionEvent, catalog: string, lake: string | null, cells: number): Line[] {
  const gap = cells < 72 ? ' ' : '   '
  const p = (side: AnswerTiming): string => `p50 ${took(side.p50Ms)}${gap}p95 ${took(side.p95Ms)}`
  return [
    rule(clean(q.title), cells),
    sideBySide('', `FILES  ${clean(lake ?? '')}`, `SQL  ${clean(catalog)}`, cells),
    sideBySide('warm', p(q.files), p(q.sql), cells),
    sideBySide('cold', took(q.files.coldMs), took(q.sql.coldMs), cells),
    sideBySide('read', readText(q.files), readText(q.sql), cells),
    sideBySide('asked', askedText(q.files), askedText(q.sql), cells),
    q.same
      ? sideBySide('rows', countDec(q.rows), `${countDec(q.rows)}, same answer`, cells)
      : [span('   rows     ', 'muted'), span(clean(q.difference ?? 'the answers differ'), 'bad')],
  ]
}

function figuresTable(
  questions: readonly QuestionEvent[],
  cursor: number,
  state: State,
  cells: number,
  rows: number,
): Line[] {
  const marks = marksOf(state.ascii)
  const side = (s: AnswerTiming): string =>
    [
      took(s.p50Ms),
      took(s.p95Ms),
      took(s.coldMs),
      bytes(numberOf(s.readBytes)),
      s.opened === null ? '?' : shownCount(s.opened),
    ]
      .map((t) => t.padStart(12))
      .join('')
  const heads = ['p50', 'p95', 'cold', 'read', 'opened']
  const head = `   ${' '.repeat(28)}${heads.map((h, i) => (i === 0 ? `FILES ${h}` : h).padStart(12)).join('')}  ${marks.bar}${heads.map((h, i) => (i === 0 ? `SQL ${h}` : h).padStart(12)).join('')}${'ROWS'.padStart(14)}`
  const drawn = questions
    .slice(0, rows - 2)
    .map((q, i): Line => [
      span(
        ` ${i === cursor ? marks.row : ' '} ${padEnd(cutEnd(clean(q.title), 28), 28)}${side(q.files)}  ${marks.bar}${side(q.sql)}${countDec(q.rows).padStart(14)}`,
      ),
      q.same ? span(`  ${marks.same}`, 'ok') : span(`  ${marks.differs}`, 'bad'),
    ])
  return [rule('all figures', cells), line(head, 'strong'), ...drawn, []]
}

/** The latencies to choose from, with the current one marked. */
function sliderLine({ compare }: State): Line {
  const steps = LATENCIES.flatMap((ms) =>
    ms === compare.latency ? [span(`[${ms}]`, 'strong'), span(' ')] : [span(` ${ms} `, 'muted'), span(' ')],
  )
  return [span(' latency  ', 'muted'), ...steps, span(' ms a round trip', 'muted')]
}

function summaryText(questions: readonly QuestionEvent[]): string {
  const wins = { sql: 0, files: 0, even: 0 }
  for (const q of questions) wins[q.faster] += 1
  const differ = questions.filter((q) => !q.same).length
  const even = wins.even === 0 ? '' : `, even ${wins.even}`
  const said =
    differ === 0
      ? 'every answer is the same'
      : `${amount(differ, 'answer differs', 'answers differ')}: the times prove nothing there`
  return ` SQL wins ${wins.sql}, files win ${wins.files}${even} · ${said}`
}

/** Lines of the screen. */
export function compareScreen(state: State, cells: number): Line[] {
  const { body } = geometry(state)
  const all = comparison(state)
  if (all === null) {
    return block(
      [
        [],
        line(
          '   Nothing was compared yet. On a table that is in the catalog, c asks the same questions of the log files and of SQL,',
        ),
        line('   and shows for each which is faster and whether both gave the same answer.'),
        [],
        line('   1 goes to the tables.', 'muted'),
      ],
      cells,
      body,
    )
  }
  const { questions, run } = all
  const { notes } = run
  const what = figuresMeaning(questions, state.compare)
  const state1 =
    run.phase !== 'done'
      ? `asking … ${questions.length} answered`
      : (run.finished?.error?.message ?? amount(questions.length, 'question'))
  const values = questions.flatMap((q) => [figure(q.files, state), figure(q.sql, state)]).filter((v) => v !== null)
  const { step, list } = questionRows(state, questions.length)
  const at = state.compare.at
  const lines: Line[] = [
    spreadLine(
      line(` ${what} · log scale`),
      line(
        `${cutMiddle(clean(state1), Math.max(10, cells - width(what) - 16))} `,
        run.finished?.error === undefined ? 'muted' : 'bad',
      ),
      cells,
    ),
    spreadLine(sliderLine(state), line(cells < 100 ? '' : '= both sides gave the same answer ', 'muted'), cells),
    headLine(state, cells),
  ]
  for (let i = at.top; i < Math.min(questions.length, at.top + list); i += 1) {
    const q = questions[i]
    if (q === undefined) continue
    if (step === 2) lines.push([])
    const drawn = questionLine(q, values, state, i === at.cursor, cells)
    lines.push(i === at.cursor ? chosen(drawn, cells) : drawn)
  }
  if (hasRoom(body)) lines.push([])
  const q = questions[at.cursor]
  const left = body - lines.length - 10
  if (cells >= 160 && left >= 5 && questions.length > 0)
    lines.push(...figuresTable(questions, at.cursor, state, cells, Math.min(left, questions.length + 2)))
  if (q !== undefined)
    lines.push(
      ...detailLines(q, state.catalog ?? '', state.lake, cells),
      [],
      line(summaryText(questions), 'strong'),
      ...notes.flatMap((note) => wrap(clean(note), cells - 2).map((text) => line(` ${text}`, 'muted'))),
    )
  return block(lines, cells, body)
}
