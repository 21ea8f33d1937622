/** Tabs of the detail pane: their rows and cursors. */
import type { Page } from '../../../model/lake/answers.ts'
import { detailContent, geometry, tabRows } from '../../state/geometry.ts'
import { indexNow, placed } from '../../state/kept-cursor.ts'
import { movePosition, scrollText, limitPosition, type Move } from '../../state/position.ts'
import { knownValue, dataIdentity } from '../../state/selectors.ts'
import { TABS, type State, type Tab } from '../../state/state.ts'
import { overviewLines } from './overview.ts'

/** Rows of a tab of the detail pane; 0 while unknown. */
export function tabTotal(state: State, tab: Tab): number {
  switch (tab) {
    case 'overview':
      return overviewLines(state, geometry(state).detail || state.size.columns).length
    case 'schema':
    case 'features':
      return knownValue(state, tab, dataIdentity(state, tab))?.length ?? 0
    case 'history':
    case 'partitions':
    case 'files':
      return knownValue(state, tab, dataIdentity(state, tab))?.total ?? 0
  }
}

/** Moves the cursor of the open tab. */
export function moveTab(state: State, move: Move): State {
  const tab = state.detail.tab
  const height = tabRows(tab, detailContent(state)).list
  const total = tabTotal(state, tab)
  const at = state.detail.at[tab]
  // The Overview has no cursor: its text scrolls.
  const next = tab === 'overview' ? scrollText(at, move, total, height) : movePosition(at, move, total, height)
  return { ...state, detail: { ...state.detail, at: { ...state.detail.at, [tab]: next } } }
}

/** Loaded rows of a tab, and a name that identifies each row. */
function tabPage(state: State, tab: Tab): { readonly page: Page<unknown>; readonly names: readonly string[] } | null {
  const all = <T>(page: Page<T> | null, nameOf: (row: T) => string): ReturnType<typeof tabPage> =>
    page === null ? null : { page, names: page.rows.map(nameOf) }
  const listed = <T>(rows: readonly T[] | null): Page<T> | null =>
    rows === null ? null : { rows, total: rows.length, from: 0 }
  switch (tab) {
    case 'overview':
      return null
    case 'schema':
      return all(listed(knownValue(state, 'schema', dataIdentity(state, 'schema'))), ({ path }) => path)
    case 'features':
      return all(
        listed(knownValue(state, 'features', dataIdentity(state, 'features'))),
        ({ name, side }) => `${side} ${name}`,
      )
    case 'history':
      return all(knownValue(state, 'history', dataIdentity(state, 'history')), ({ version }) => version)
    case 'partitions':
      return all(knownValue(state, 'partitions', dataIdentity(state, 'partitions')), ({ values }) =>
        JSON.stringify(values),
      )
    case 'files':
      return all(knownValue(state, 'files', dataIdentity(state, 'files')), (file) =>
        JSON.stringify([file.path, file.deletionVector]),
      )
  }
}

/** Keeps the cursor of the open tab on its row, or moves it to an existing row. Keeps it visible. */
export function keepTabCursor(before: State, after: State): State {
  return visibleTab(keptTab(before, after))
}

function keptTab(before: State, after: State): State {
  const { tab } = after.detail
  const slot = TABS.find((one) => one === tab && one !== 'overview')
  if (slot === undefined || slot === 'overview' || before.slots[slot] === after.slots[slot]) return after
  const at = after.detail.at[tab]
  // If the user has chosen no row, the cursor stays on the newest row.
  if (at !== before.detail.at[tab] || before.detail.key !== after.detail.key) return after
  if (after.focus !== 'detail' && at.cursor === 0) return after
  const [was, now] = [tabPage(before, tab), tabPage(after, tab)]
  if (was === null || now === null) return after
  const cursor = indexNow(
    at.cursor,
    { rows: was.names, from: was.page.from },
    { rows: now.names, from: now.page.from },
    (name) => name,
  )
  const next = placed(at, cursor, now.page.total, tabRows(tab, detailContent(after)).list)
  return next === at ? after : { ...after, detail: { ...after.detail, at: { ...after.detail.at, [tab]: next } } }
}

/** The cursor on an existing row, which is visible. */
function visibleTab(state: State): State {
  const { tab } = state.detail
  const at = state.detail.at[tab]
  const total = tabTotal(state, tab)
  const height = tabRows(tab, detailContent(state)).list
  const settled =
    tab === 'overview'
      ? { cursor: 0, top: Math.max(0, Math.min(at.top, total - height)) }
      : total === 0
        ? at
        : limitPosition(at, total, height)
  if (settled.top === at.top && settled.cursor === at.cursor) return state
  return { ...state, detail: { ...state.detail, at: { ...state.detail.at, [tab]: settled } } }
}
