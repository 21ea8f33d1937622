/** The detail pane: title, tabs, and the open tab. */
import { age, fullTime } from '../../../render/screen-format.ts'
import { block, lineWidth, line, rule, span, spreadLine, titledLines, type Line } from '../../draw/line.ts'
import { cutMiddle } from '../../../render/screen-text.ts'
import { geometry } from '../../state/geometry.ts'
import { TABS, type State, type Tab } from '../../state/state.ts'
import { cursorRow } from './tables-list.ts'
import { filesTab } from './files.ts'
import { historyTab } from './history.ts'
import { featuresTab, partitionsTab, schemaTab } from './tab-lists.ts'
import { overviewLines } from './overview.ts'
import { relationColumns, relationFacts } from './relations.ts'
import { storeFacts } from './store-lines.ts'
import { drawRing } from './ring.ts'
import { lifecycleLines } from './lifecycle.ts'
import { drawTimeline } from './timeline.ts'
import { tabStrip } from '../../views/tab-strip.ts'

const TITLES: Readonly<Record<Tab, string>> = {
  overview: 'Overview',
  schema: 'Schema',
  history: 'History',
  files: 'Files',
  partitions: 'Partitions',
  features: 'Features',
}

/** Version shown by tabs that have one: `as of v1839`, or '' for the latest. */
export function asOfText(state: State): string {
  const { asOf, tab } = state.detail
  if (tab !== 'files' && tab !== 'partitions') return ''
  if (asOf.version !== undefined) return `as of v${asOf.version}`
  if (asOf.timestampMs !== undefined) return `as of ${fullTime(asOf.timestampMs)}`
  return ''
}

function tabsLine(state: State, cells: number): Line {
  const gap = cells >= 60 ? '  ' : ' '
  const spans = tabStrip(
    TABS.map((tab, i) => [
      span(i === 0 ? ' ' : gap),
      tab === state.detail.tab ? span(`[${TITLES[tab]}]`, 'strong') : span(TITLES[tab], 'muted'),
    ]),
    TABS.indexOf(state.detail.tab),
    cells,
  )
  const right = asOfText(state)
  return right === '' || lineWidth(spans) + right.length + 2 > cells
    ? spans
    : spreadLine(spans, line(`${right} `), cells)
}

function content(state: State, cells: number, rows: number): Line[] {
  switch (state.detail.tab) {
    case 'overview':
      return block(overviewLines(state, cells).slice(state.detail.at.overview.top), cells, rows)
    case 'schema':
      return schemaTab(state, cells, rows)
    case 'history':
      return historyTab(state, cells, rows)
    case 'files':
      return filesTab(state, cells, rows)
    case 'partitions':
      return partitionsTab(state, cells, rows)
    case 'features':
      return featuresTab(state, cells, rows)
  }
}

/** The pane, `cells` wide and as high as the body. */
export function detailPane(state: State, cells: number): Line[] {
  const g = geometry(state)
  const row = cursorRow(state)
  if (row === null) return block([], cells, g.body)
  if (row.kind === 'store') return block(storeFacts(state, row, cells), cells, g.body)
  if (row.kind === 'relation') {
    const ring = state.rings.get(row.key)
    const timeline = state.timelines.get(row.key)
    const phases = state.lifecycles.get(row.key)
    const picture = [
      ...(ring === undefined ? [] : [[], ...titledLines((wide) => drawRing(ring, wide, state.ascii), cells)]),
      ...(phases === undefined ? [] : [[], ...lifecycleLines(phases, cells)]),
      ...(timeline === undefined
        ? []
        : [[], ...titledLines((wide) => drawTimeline(timeline, wide, state.ascii), cells)]),
    ]
    return block(
      [...relationFacts(row.relation, cells), ...picture, ...relationColumns(row.relation, cells)],
      cells,
      g.body,
    )
  }
  if (row.kind !== 'delta')
    return block(
      [line(` ${row.name}`, 'strong'), [], line(' A database file, no Delta table: enter lists its tables.', 'muted')],
      cells,
      g.body,
    )
  if (g.mode === 'one') return block([tabsLine(state, cells), ...content(state, cells, g.body - 1)], cells, g.body)
  const version = row.version === null ? 'v?' : `v${row.version}`
  const right = line(`${version} · ${row.changed === null ? '?' : `${age(row.changed, state.now)} ago`} `, 'muted')
  const focused = state.focus === 'detail'
  const head = spreadLine(
    [span(` ${cutMiddle(row.name, Math.max(10, cells - lineWidth(right) - 3))}`, focused ? 'strong' : 'plain')],
    right,
    cells,
  )
  return block([head, tabsLine(state, cells), rule('', cells), ...content(state, cells, g.body - 3)], cells, g.body)
}
