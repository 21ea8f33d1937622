/** The Tables screen: tables of lake, catalog and databases, and the details of one. */
import { sqlLiteral } from '../../../shared/sql-text.ts'
import { countText } from '../../../shared/figures.ts'
import { clean } from '../../../render/screen-text.ts'
import { drawnIndex, tablesHeight } from '../../state/geometry.ts'
import { moveIndex, scrollTop, type Move } from '../../state/position.ts'
import { knownValue, selectedVersion, dataIdentity } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'
import type { Copied, ScreenEntry } from '../screen.ts'
import { drawnLines, isOneDatabase } from './drawn-list.ts'
import { attentionIndex, attentionRows, goToAttention } from './attention.ts'
import { keepRowCursor } from './cursor-row.ts'
import { lakeTables } from './stores.ts'
import { cursorIndex, cursorRow, openedDatabase, targetRows, visibleRows } from './tables-list.ts'
import { moveTab, keepTabCursor } from './tabs.ts'
import { tablesScreen } from './view.ts'

/** Visible rows of the list of tables that need attention. */
const NEEDS_SEEN = 8

function moved(state: State, move: Move): State {
  if (state.focus === 'detail') return moveTab(state, move)
  if (state.focus === 'needs')
    return goToAttention(state, moveIndex(attentionIndex(state), move, attentionRows(state).length, NEEDS_SEEN))
  const rows = visibleRows(state)
  const row = rows[moveIndex(cursorIndex(state), move, rows.length, tablesHeight(state))]
  return row === undefined ? state : { ...state, tables: { ...state.tables, cursorKey: row.key } }
}

/** Keeps the cursor of the list on the row with its key, and visible. */
function settled(before: State, after: State): State {
  const state = keepTabCursor(before, keepRowCursor(before, after))
  const total = drawnLines(state).length
  const top = scrollTop(state.tables.top, drawnIndex(state, cursorIndex(state)), total, tablesHeight(state))
  return top === state.tables.top ? state : { ...state, tables: { ...state.tables, top } }
}

/** Closes the innermost open element: zoom, detail pane, range, filter, marks, tables of a database. */
function left(state: State): State {
  if (state.zoom) return { ...state, zoom: false }
  if (state.focus !== 'list') return { ...state, focus: 'list' }
  if (state.tables.anchor !== null) return { ...state, tables: { ...state.tables, anchor: null } }
  if (state.tables.filter !== '') return { ...state, tables: { ...state.tables, filter: '' } }
  if (state.tables.marks.size > 0) return { ...state, tables: { ...state.tables, marks: new Set() } }
  const database = openedDatabase(state)
  if (database === null) return state
  const isStore = state.stores.some(({ key }) => key === database.parent)
  const databases = isStore ? state.databases : state.databases.filter((one) => one !== database)
  const stores = state.stores.map((one) => (one.key === database.parent ? { ...one, open: false } : one))
  return {
    ...state,
    databases,
    stores: isStore ? stores : state.stores,
    tables: { ...state.tables, cursorKey: database.parent },
  }
}

function copied(state: State): Copied | null {
  if (state.focus !== 'detail') {
    const rows = targetRows(state)
    if (rows.length === 0) return null
    const one = rows.every(({ kind }) => kind === 'relation') ? 'name' : 'path'
    return {
      text: rows.map((row) => row.location).join('\n'),
      what: rows.length === 1 ? one : `${rows.length} ${one}s`,
    }
  }
  const { tab, at } = state.detail
  if (tab === 'files') {
    const page = knownValue(state, 'files', dataIdentity(state, 'files'))
    const file = page?.rows[at.files.cursor - page.from]
    return file === undefined ? null : { text: file.path, what: 'path of the file' }
  }
  if (tab === 'history') {
    const version = selectedVersion(state)
    return version === null ? null : { text: String(version), what: 'version' }
  }
  if (tab === 'schema') {
    const schemaField = knownValue(state, 'schema', dataIdentity(state, 'schema'))?.[at.schema.cursor]
    return schemaField === undefined ? null : { text: schemaField.path, what: 'column' }
  }
  if (tab === 'partitions') {
    const page = knownValue(state, 'partitions', dataIdentity(state, 'partitions'))
    const row = page?.rows[at.partitions.cursor - page.from]
    if (row === undefined) return null
    const parts = Object.entries(row.values).map(([k, v]) => (v === null ? `${k} IS NULL` : `${k} = ${sqlLiteral(v)}`))
    return { text: parts.join(' AND '), what: 'predicate of the partition' }
  }
  const row = cursorRow(state)
  return row === null ? null : { text: row.location, what: 'path' }
}

function crumbs(state: State): string {
  const row = cursorRow(state)
  const own = lakeTables(state).filter((r) => r.kind === 'delta').length
  const total = isOneDatabase(state) ? visibleRows(state).length : own
  if (state.focus === 'needs') return `Tables › what needs you · ${attentionRows(state).length}`
  if (state.focus === 'detail' && row !== null) return `Tables › ${clean(row.name)} › ${state.detail.tab}`
  if (state.slots.tables.value === null) return ''
  const parts = [countText(total, 'table')]
  if (state.tables.filter !== '') parts.push(`filter ${clean(state.tables.filter)}`)
  if (state.tables.marks.size > 0) parts.push(`${state.tables.marks.size} marked`)
  if (state.tables.anchor !== null) parts.push('range …')
  return parts.join(' · ')
}

export const TABLES: ScreenEntry = {
  title: 'Tables',
  next: 'tables',
  keys: [
    'MOVE',
    'ACT on the row or the marked rows',
    'FIND AND SORT',
    'PROGRAM',
    'RUN screen',
    'COMPARE screen',
    'DIALOGS',
  ],
  ownKeys: 'ACT on the row or the marked rows',
  helpTitle: ({ focus, detail }) => {
    if (focus === 'needs') return 'what needs you'
    return focus === 'detail' ? `Table › ${detail.tab}` : 'Tables'
  },
  draw: tablesScreen,
  crumbs,
  move: moved,
  keepCursor: settled,
  back: left,
  copied,
}
