/** Tables of a replication stream when none is being copied: applied changes, and the last comparison. */
import { shownCount, percent, amount } from '../../../../render/screen-format.ts'
import { chosen, line, rule, span, type Tone, type Line } from '../../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd, width } from '../../../../render/screen-text.ts'
import { marksOf } from '../../../draw/theme.ts'
import type { CopyProgress } from '../../../run/copy/copy-progress.ts'
import type { CopyTable } from '../../../run/copy/copy-table.ts'
import type { StreamTableView } from '../../../run/copy/follow-progress.ts'
import type { RunView } from '../../../run/run-view.ts'
import { shownCopyTables, shownTable } from './copy-shown.ts'
import type { CopyLayout } from './copy-layout.ts'
import { scrollTop } from '../../../state/position.ts'
import type { State } from '../../../state/state.ts'

/** Title and `layout.tables` rows. */
export function streamTables(
  state: State,
  run: RunView,
  { follow }: CopyProgress,
  layout: CopyLayout,
  cells: number,
): Line[] {
  const tables = shownCopyTables(state, run)
  const shown = shownTable(state, run)
  const at = Math.max(0, tables.indexOf(shown as CopyTable))
  const top = scrollTop(0, at, tables.length, layout.tables)
  const marks = marksOf(state.ascii)
  const lines = tables.slice(top, top + layout.tables).map((table) => {
    const here = table === shown && layout.cursor === 'tables'
    const made = streamTableLine(table.name, follow.tables.get(table.name) ?? null, here ? marks.row : ' ', cells)
    return here ? chosen(made, cells) : made
  })
  if (tables.length === 0) {
    const text = state.runs.errorsOnly ? 'nothing is wrong with any table · e shows all' : 'the ledger is being read'
    return [rule('tables', cells), line(`   ${text}`, 'muted')]
  }
  return [rule(amount(tables.length, 'table'), cells), ...lines]
}

export function streamTableLine(name: string, table: StreamTableView | null, mark: string, cells: number): Line {
  const wide = cells >= 100
  // The numbers would leave no space for the table name.
  const narrow = cells < 60
  const long = cells >= 160 ? 48 : wide ? 28 : narrow ? cells - 20 : 18
  const front = [span(mark), span(` ${padEnd(cutMiddle(clean(name), long - 2), long)}`)]
  if (table === null) return front
  const { state, inserts, updates, deletes, truncates, proved, comparing } = table
  const [plus, change, minus] = wide ? ['inserts', 'updates', 'deletes'] : ['+', '~', '-']
  const part = (many: number, word: string | undefined, least: number): string =>
    wide ? `${shownCount(many).padStart(least)} ${word}` : `${word}${shownCount(many)}`.padStart(least)
  const applied = narrow
    ? ''
    : wide
      ? part(inserts, plus, 10) + part(updates, change, 10) + part(deletes, minus, 10)
      : [part(inserts, plus, 10), part(updates, change, 9), part(deletes, minus, 8)].map((text) => ` ${text}`).join('')
  const emptied = truncates === 0 ? [] : [`emptied ${amount(truncates, 'time')}`]
  const rest = cells - long - 5 - Math.max(8, state.length) - width(applied)
  const { texts, tone } = comparedTexts(proved, comparing)
  const facts = texts.map((text) => [text, ...emptied].join(', '))
  const fact = [...facts, ...texts].find((text) => width(text) <= rest) ?? cutEnd(texts.at(-1) ?? '', rest)
  return [...front, span(padEnd(state, 8), state === 'live' ? 'plain' : 'warn'), span(applied), span(`  ${fact}`, tone)]
}

/** Variants of a text, the longest one first. */
function comparedTexts(
  proved: StreamTableView['proved'],
  comparing: StreamTableView['comparing'],
): { readonly texts: readonly string[]; readonly tone: Tone } {
  if (comparing !== null) {
    const { done, total } = comparing
    const part = percent(total > 0 ? Math.min(0.99, done / total) : null)
    return {
      texts: [`comparing rows: ${shownCount(done)} of ${shownCount(total)}, ${part}`, `comparing ${part}`],
      tone: 'info',
    }
  }
  if (proved === null) return { texts: ['not compared'], tone: 'muted' }
  const { position, rows, differing } = proved
  if (differing > 0) {
    const many = shownCount(differing)
    return {
      texts: [
        `${amount(differing, 'row')} differed at ${position}`,
        `${many} differed at ${position}`,
        `${many} differed`,
      ],
      tone: 'bad',
    }
  }
  return { texts: [`${amount(rows, 'row')} equal at ${position}`, `equal at ${position}`, 'equal'], tone: 'plain' }
}
