/** The Overview tab: facts, state and properties of a table. */
import { isInCatalog, type Overview, type TableRow } from '../../../model/lake/answers.ts'
import { age, bytes, shownCount, fullTime, shownTime, msOf, amount } from '../../../render/screen-format.ts'
import { line, rule, span, type Line, type Tone } from '../../draw/line.ts'
import { clean, cutMiddle, padEnd, wrap } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { failure, knownValue } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'
import { lakeTables } from './stores.ts'
import { cursorRow } from './tables-list.ts'
import { commitsChart, partitionsChart, sizesChart, stacked } from './charts.ts'
import { catalogState, proofState, runMark, syncText } from '../../views/states.ts'

const LABEL = 11

function fact(label: string, text: string, cells: number, tone: Tone = 'plain'): Line[] {
  const rows = wrap(clean(text), Math.max(10, cells - LABEL - 1))
  return rows.map((row, i) => [span(` ${padEnd(i === 0 ? label : '', LABEL - 1)}`, 'muted'), span(row, tone)])
}

function errorLines(row: TableRow, cells: number): Line[] {
  if (row.error === null) return []
  return [
    ...fact('why', `${row.error.code} ${row.error.message}`, cells, 'bad'),
    ...(row.error.reason === undefined ? [] : fact('', row.error.reason, cells)),
    ...(row.error.where === undefined ? [] : fact('where', row.error.where, cells)),
    ...(row.error.hint === undefined ? [] : fact('do', row.error.hint, cells, 'strong')),
    [],
  ]
}

function runLines(overview: Overview, state: State, cells: number): Line[] {
  if (overview.lastRuns.length === 0) return []
  const marks = marksOf(state.ascii)
  return [
    rule('last runs', cells),
    ...overview.lastRuns.slice(0, 5).map((run): Line => {
      const what = run.error ?? (run.filesProcessed === undefined ? '' : amount(Number(run.filesProcessed), 'file'))
      const version = run.version === undefined ? '' : `v${run.version} `
      return [
        span(` ${padEnd(shownTime(msOf(run.startedAt), state.now), 11)} `),
        runMark(run.status, marks),
        span(` ${padEnd(run.command, 9)} ${padEnd(run.status, 9)} ${version}${clean(what)}`),
      ]
    }),
  ]
}

function fsckLines(
  { version, checkedAt, findings }: NonNullable<Overview['fsck']>,
  state: State,
  cells: number,
): Line[] {
  const marks = marksOf(state.ascii)
  const found = findings === 0 ? `${marks.ok} nothing found` : `${marks.bad} ${amount(findings, 'finding')}`
  return fact('fsck', `${found} at v${version}, ${age(checkedAt, state.now)} ago`, cells, findings === 0 ? 'ok' : 'bad')
}

function factLines(row: TableRow, overview: Overview | null, state: State, cells: number): Line[] {
  const marks = marksOf(state.ascii)
  const catalog = catalogState(row, marks)
  const proof = proofState(row, marks)
  const from = row.historyFrom === null ? '' : `, answers from v${row.historyFrom}`
  const lines: Line[] = [...fact('at', cutMiddle(row.location, Math.max(10, cells - LABEL - 1)), cells)]
  lines.push(...errorLines(row, cells))
  lines.push(
    ...fact(
      'id',
      `${row.tableId ?? 'not in the catalog'}${overview?.metadataId ? `   metaData ${overview.metadataId}` : ''}`,
      cells,
    ),
  )
  if (overview?.description) lines.push(...fact('about', overview.description, cells))
  lines.push(...fact('protocol', overview?.protocol ?? '?', cells))
  lines.push(...fact('features', row.features.length === 0 ? 'none' : row.features.join(', '), cells))
  lines.push(
    ...fact('by', row.partitionColumns.length === 0 ? 'not partitioned' : row.partitionColumns.join(', '), cells),
  )
  lines.push(
    ...fact('active', `${amount(row.files, 'file')}   ${bytes(row.bytes)}   ${amount(row.rows, 'row')}`, cells),
  )
  lines.push(
    ...fact(
      'commits',
      `${shownCount(overview?.commits)}   ${amount(overview?.checkpoints.length ?? null, 'checkpoint')}`,
      cells,
    ),
  )
  const state1 = !isInCatalog(row) || row.error !== null ? '' : from
  lines.push(...fact('catalog', catalog.text + state1, cells, catalog.tone))
  const sync = syncText(state, row)
  if (sync !== null) lines.push(...fact('sync', sync.text, cells, sync.tone))
  if (row.catalog.state === 'away') {
    const { error } = row.catalog
    for (const text of [`${error.code} ${error.message}`, error.reason, error.where, error.hint])
      if (text !== undefined) lines.push(...fact('', text, cells))
  }
  if (row.catalog.state === 'truncated') {
    const { ends, version } = row.catalog
    lines.push(...fact('', `the log ends at v${ends}, the catalog is at v${version}: it lost commits`, cells))
  }
  lines.push(...fact('proved', proof.text, cells, proof.tone))
  if (overview?.fsck != null) lines.push(...fsckLines(overview.fsck, state, cells))
  if (overview?.createdAt) lines.push(...fact('created', fullTime(overview.createdAt), cells))
  return lines
}

function settingLines(overview: Overview, cells: number): Line[] {
  const lines: Line[] = []
  if (overview.configuration.length > 0) {
    lines.push(rule('configuration', cells))
    for (const [key, value] of overview.configuration) lines.push(...fact('', `${key} = ${value}`, cells))
    lines.push([])
  }
  if (overview.txns.length > 0) {
    lines.push(rule('writers with a recorded position (txn)', cells))
    for (const txn of overview.txns) lines.push(...fact('', `${txn.appId}  at ${txn.version}`, cells))
    lines.push([])
  }
  if (overview.domains.length > 0) {
    lines.push(rule('domains', cells))
    for (const domain of overview.domains) lines.push(...fact('', `${domain.domain}: ${domain.configuration}`, cells))
  }
  return lines
}

/** All lines of the tab; the pane shows the scrolled part. */
export function overviewLines(state: State, cells: number): readonly Line[] {
  const row = lakeTables(state).find((r) => r.key === state.detail.key) ?? cursorRow(state)
  if (row === null || row.kind === 'relation' || row.kind === 'store') return []
  const overview = knownValue(state, 'overview', row.key)
  const wrong = failure(state, 'overview', row.key)
  const lines = factLines(row, overview, state, cells)
  if (wrong !== null && row.error === null) lines.push([], ...fact('failed', wrong, cells, 'bad'))
  if (overview === null) return wrong === null ? [...lines, [], line(' reading …', 'muted')] : lines
  return [
    ...lines,
    [],
    ...stacked([
      commitsChart(overview, cells, state.ascii),
      sizesChart(overview, cells, state.ascii),
      partitionsChart(state, cells),
      runLines(overview, state, cells),
    ]),
    ...settingLines(overview, cells),
  ]
}
