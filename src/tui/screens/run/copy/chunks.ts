/** Chunks of a table, those that need attention first, and details of the chunk under the cursor. */
import { shownCount, seconds, timeOfDay } from '../../../../render/screen-format.ts'
import { chosen, line, rule, span, type Line } from '../../../draw/line.ts'
import { clean, cutEnd, padEnd, wrap } from '../../../../render/screen-text.ts'
import { marksOf } from '../../../draw/theme.ts'
import type { Chunk } from '../../../run/copy/chunk-list.ts'
import type { CopyTable } from '../../../run/copy/copy-table.ts'
import { fitKeyRange } from '../../../run/copy/key-axis.ts'
import type { RunView } from '../../../run/run-view.ts'
import { chunkIndex, shownChunks, shownTable } from './copy-shown.ts'
import type { CopyLayout } from './copy-layout.ts'
import { scrollTop } from '../../../state/position.ts'
import type { State } from '../../../state/state.ts'
import { chunkMark } from './strip.ts'
import { chunkWord, chunkFacts, WITH_TABLE } from './texts.ts'

const SUM = 16

type Widths = { readonly key: number; readonly sums: boolean }

const widths = (cells: number): Widths => ({ key: cells >= 160 ? 44 : cells >= 100 ? 20 : 18, sums: cells >= 110 })

function head(table: CopyTable | null, w: Widths): Line {
  const key = clean(table?.key.join(', ') ?? '')
  const sums = w.sums ? `   ${padEnd('SOURCE CHECKSUM', SUM)}  ${padEnd('TARGET CHECKSUM', SUM)}` : ''
  return line(
    `    CHUNK   ${padEnd(cutEnd(key === '' ? 'ROWS' : key, w.key - 1), w.key)}${padEnd('STATE', 10)}${'READ'.padStart(9)}${'WRITTEN'.padStart(10)}${'ASIDE'.padStart(7)}${sums}${'TIME'.padStart(9)}${'TRY'.padStart(5)}`,
    'strong',
  )
}

function counted(table: CopyTable | null, cells: number): string {
  if (table === null) return 'chunks'
  const { all, pending, proved, written, copying, aside: quarantined, waits, failed } = table.map.counts()
  const some = (n: number, word: string): string[] => (n > 0 ? [`${word} ${shownCount(n)}`] : [])
  const wide = cells >= 100
  const left =
    quarantined === 0
      ? ''
      : wide
        ? `, ${shownCount(quarantined)} with quarantined rows`
        : ` (! ${shownCount(quarantined)})`
  return [
    `chunks ${shownCount(all)}`,
    `proved ${shownCount(proved + quarantined)}${left}`,
    ...some(written, 'written'),
    ...(wide ? [...some(copying, 'copying'), ...some(waits, 'waiting')] : some(copying + waits, 'copying')),
    `pending ${shownCount(pending)}`,
    `failed ${shownCount(failed)}`,
  ].join(' · ')
}

function wrong(table: CopyTable | null): string {
  const { failed, waits, aside: quarantined } = table?.map.counts() ?? { failed: 0, waits: 0, aside: 0 }
  return `errors only · failed ${shownCount(failed)} · waiting ${shownCount(waits)} · with quarantined rows ${shownCount(quarantined)}`
}

/** Title, heading and `layout.chunks` rows. */
export function chunkList(state: State, run: RunView, layout: CopyLayout, cells: number): Line[] {
  const table = shownTable(state, run)
  const chunks = shownChunks(state, run)
  const w = widths(cells)
  const at = chunkIndex(state, chunks)
  const top = scrollTop(state.runs.copy.top, at, chunks.length, layout.chunks)
  const lines = chunks.slice(top, top + layout.chunks).map((chunk, i) => {
    const here = layout.cursor === 'chunks' && top + i === at
    const made = chunkLine(chunk, state, run, table, w, here)
    return here ? chosen(made, cells) : made
  })
  if (chunks.length === 0) lines.push(line(noChunks(state, table), 'muted'))
  return [rule(state.runs.errorsOnly ? wrong(table) : counted(table, cells), cells), head(table, w), ...lines]
}

function noChunks(state: State, table: CopyTable | null): string {
  if (state.runs.errorsOnly) return '   nothing failed, and no row was quarantined · e shows all'
  if (table?.error !== null && table?.error !== undefined) return '   no chunk was begun'
  const { all, pending } = table?.map.counts() ?? { all: 0, pending: 0 }
  return all > 0 && pending === 0 ? '   earlier runs have copied all of them' : '   none is begun'
}

function chunkLine(chunk: Chunk, state: State, run: RunView, table: CopyTable | null, w: Widths, here: boolean): Line {
  const marks = marksOf(state.ascii)
  const worker = run.workers.find((one) => one.table === chunk.table && one.chunk === chunk.no)
  const open = chunk.state === 'copying' || chunk.state === 'written'
  const [mark, tone] = chunkMark(chunk.state, state.ascii)
  const read = worker !== undefined && open ? worker.done : chunk.read
  const written = worker !== undefined && open ? '' : shownCount(chunk.written)
  const ms = chunk.ms ?? (chunk.startedAt === null || run.finished !== null ? null : state.now - chunk.startedAt)
  const front = [
    span(
      ` ${here ? marks.row : ' '} ${chunk.no.padStart(6)}   ${padEnd(fitKeyRange(chunk.span, table?.key ?? [], w.key - 2), w.key)}`,
    ),
    span(`${mark} ${padEnd(open ? (worker?.step ?? chunkWord(chunk)) : chunkWord(chunk), 8)}`, tone),
  ]
  const tail = span(`${(ms === null ? '' : seconds(ms)).padStart(9)}${String(chunk.attempt).padStart(5)}`)
  if (chunk.error !== null) {
    const room = 9 + 10 + 7 + (w.sums ? 3 + SUM + 2 + SUM : 0)
    return [
      ...front,
      span(padEnd(` ${cutEnd(clean(`${chunk.error.code} ${chunk.error.message}`), room - 2)}`, room), tone),
      tail,
    ]
  }
  return [
    ...front,
    span(`${shownCount(read).padStart(9)}${written.padStart(10)}`),
    span(shownCount(chunk.quarantined).padStart(7), chunk.quarantined > 0 ? 'warn' : 'plain'),
    ...(w.sums
      ? [
          span(
            `   ${sum(chunk.checksum?.source)}  ${worker?.step === 'proving' ? padEnd('reading it back', SUM) : sum(targetSum(chunk))}`,
          ),
        ]
      : []),
    tail,
  ]
}

const targetSum = ({ checksum, state }: Chunk): string | undefined =>
  checksum?.target === '' && state === 'proved' ? WITH_TABLE : checksum?.target

const sum = (text: string | undefined): string => padEnd((text ?? '').slice(0, SUM), SUM)

/** Details of the chunk under the cursor, and what to do: a title and `layout.detail` rows. */
export function chunkDetail(state: State, run: RunView, layout: CopyLayout, cells: number): Line[] {
  const chunks = shownChunks(state, run)
  const chunk = chunks[chunkIndex(state, chunks)]
  if (chunk === undefined) return []
  const key = shownTable(state, run)?.key ?? []
  const said = chunkFacts(chunk, run, state.now)
  const wrapped = said.flatMap(([text, tone]) => wrap(text, cells - 2).map((row) => line(` ${row}`, tone)))
  // If space is short, cut each text to one row, so that the advice stays visible.
  const inRows = said.map(([text, tone]) => line(` ${cutEnd(text, cells - 2)}`, tone))
  const lines = wrapped.length <= layout.detail ? wrapped : inRows
  const when = chunk.startedAt === null ? '' : ` · begun ${timeOfDay(chunk.startedAt)}`
  return [
    rule(`chunk ${chunk.no} · ${fitKeyRange(chunk.span, key, cells - 40)}${when}`, cells),
    ...lines.slice(0, layout.detail),
  ]
}
