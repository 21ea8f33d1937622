/** The Files tab: predicate, pruning funnel, and remaining files. */
import type { FilesPage, Funnel } from '../../../model/lake/answers.ts'
import { bar } from '../../draw/bars.ts'
import { bytes, shownCount, fullTime, numberOf, amount, took } from '../../../render/screen-format.ts'
import { block, cell, line, rule, span, spreadLine, type Line, type Tone } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd, shortFile } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { tabRows } from '../../state/geometry.ts'
import { failure, dataIdentity } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'
import { shownAround } from '../../draw/masked.ts'
import { loadedPage, pageRows, waitingLines } from './rows.ts'

type FileRow = FilesPage['rows'][number]

function whereLine(state: State, cells: number): Line {
  const marks = marksOf(state.ascii)
  const prompt = state.prompt?.kind === 'where' ? state.prompt : null
  if (prompt !== null) {
    const [before, after] = shownAround(prompt.field)
    const keys = line('enter asks · ↑ earlier · esc leaves it ', 'muted')
    return spreadLine([span(' where ', 'strong'), span(before), span(marks.caret, 'info'), span(after)], keys, cells)
  }
  const keys = line(state.detail.where === '' ? 'w edit ' : 'w edit · ctrl-u clear ', 'muted')
  const text = state.detail.where === '' ? span('every file', 'muted') : span(clean(state.detail.where))
  return spreadLine([span(' where ', 'strong'), span(marks.caret, 'muted'), span(' '), text], keys, cells)
}

function funnelLine(
  label: string,
  step: { files: number; bytes: number; columns?: readonly string[] },
  all: number,
  cells: number,
  ascii: boolean,
): Line {
  const columns = (step.columns ?? []).join(', ')
  const tail = Math.min(20, Math.max(10, Math.floor(cells * 0.12)))
  const barCells = Math.max(8, cells - 12 - 12 - 10 - tail - 2)
  return [
    span(` ${label.padEnd(10)} `),
    span(padEnd(bar(all === 0 ? 0 : step.files / all, barCells, ascii), barCells), 'info'),
    span(shownCount(step.files).padStart(12)),
    span(bytes(step.bytes).padStart(10)),
    span(`  ${cutEnd(columns, tail)}`, 'muted'),
  ]
}

function funnelLines(funnel: Funnel, cells: number, ascii: boolean): Line[] {
  const all = funnel.all.files
  return [
    funnelLine('all files', funnel.all, all, cells, ascii),
    funnelLine('partition', funnel.partition, all, cells, ascii),
    funnelLine('min/max', funnel.stats, all, cells, ascii),
  ]
}

function answerTitle(page: FilesPage, state: State, cells: number): string {
  const { funnel } = page
  const parts = [amount(page.total, 'file'), bytes(funnel.stats.bytes)]
  if (funnel.keptWithoutStats > 0)
    parts.push(
      cells >= 100
        ? `${shownCount(funnel.keptWithoutStats)} kept because they carry no stats on ${funnel.stats.columns.join(', ')}`
        : `${shownCount(funnel.keptWithoutStats)} kept without stats`,
    )
  parts.push(took(funnel.ms))
  const asOf = state.detail.asOf
  const chosenVersion = asOf.version !== undefined || asOf.timestampMs !== undefined
  parts.push(`v${page.version}${chosenVersion && page.commitTime !== null ? ` of ${fullTime(page.commitTime)}` : ''}`)
  return parts.join(' · ')
}

function rangeColumn(page: FilesPage): string | null {
  return page.rows.some((row) => row.range !== undefined) ? (page.funnel.stats.columns[0] ?? null) : null
}

function fileLine(state: State, row: FileRow, here: boolean, name: number, range: boolean): Line {
  const marks = marksOf(state.ascii)
  return [
    span(` ${here ? marks.row : ' '} ${padEnd(cutMiddle(shortFile(clean(row.path)), name), name)}`),
    cell(bytes(numberOf(row.size)), -10),
    cell(shownCount(numberOf(row.rows)), -12),
    ...(range ? [cell(clean(row.range?.min ?? '?'), -10), cell(clean(row.range?.max ?? '?'), -10)] : []),
    cell(row.addedVersion ?? '?', -9),
  ]
}

function heading(state: State, page: FilesPage | null, name: number): Line {
  const marks = marksOf(state.ascii)
  const { fileSort, fileDescending } = state.detail
  const arrow = fileDescending ? marks.down : marks.up
  const title = (text: string, sort: string): string => (fileSort === sort ? `${text} ${arrow}` : text)
  const column = page === null ? null : rangeColumn(page)
  const range =
    column === null
      ? ''
      : cutEnd(`${clean(column)} MIN`, 9).padStart(10) + cutEnd(`${clean(column)} MAX`, 9).padStart(10)
  return line(
    `   ${padEnd(title('FILE', 'path'), name)}${title('SIZE', 'size').padStart(10)}${title('ROWS', 'rows').padStart(12)}${range}${title('ADDED', 'added').padStart(9)}`,
    'strong',
  )
}

function fact(label: string, text: string, tone: Tone = 'plain'): Line {
  return [span(` ${label.padEnd(11)}`, 'muted'), span(clean(text), tone)]
}

function fileDetail(row: FileRow | undefined, cells: number): Line[] {
  if (row === undefined) return []
  const partition = Object.entries(row.partitionValues).map(([k, v]) => `${k} ${v ?? 'null'}`)
  const dead =
    row.deletionVector === undefined
      ? 'none'
      : row.deletedRows === undefined
        ? 'yes'
        : `${amount(numberOf(row.deletedRows), 'row')} deleted`
  return [
    rule(shortFile(clean(row.path.slice(row.path.lastIndexOf('/') + 1))), cells),
    fact(
      'partition',
      `${partition.length === 0 ? 'none' : partition.join(', ')}     added by  v${row.addedVersion ?? '?'}     deletion vector  ${dead}`,
    ),
    fact('stats', row.stats ?? 'none'),
    fact('path', cutMiddle(clean(row.path), Math.max(20, cells - 13))),
    [],
  ]
}

/** The tab in `cells` × `rows`. */
export function filesTab(state: State, cells: number, rows: number): Line[] {
  const page = loadedPage(state, 'files')
  const { list, below } = tabRows('files', rows)
  const wrong = failure(state, 'files', dataIdentity(state, 'files'))
  const lines: Line[] = [whereLine(state, cells), rule('files that the catalog excludes', cells)]
  if (wrong !== null || page === null) return block([...lines, ...waitingLines(state, 'files', cells)], cells, rows)
  const range = rangeColumn(page) !== null
  const name = Math.max(12, cells - 3 - 10 - 12 - 9 - (range ? 20 : 0))
  lines.push(
    ...funnelLines(page.funnel, cells, state.ascii),
    rule(answerTitle(page, state, cells), cells),
    heading(state, page, name),
  )
  const at = state.detail.at.files
  const body = pageRows(state, page, at, list, cells, (row, here) => fileLine(state, row, here, name, range))
  if (page.total === 0) body[0] = line('   no file can match', 'muted')
  lines.push(...body)
  if (below > 0) lines.push(...block(fileDetail(page.rows[at.cursor - page.from], cells), cells, below))
  return block(lines, cells, rows)
}
