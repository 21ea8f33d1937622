/** Keeps the cursor of the tables list on its row, by key. If the row no longer exists, another row gets the cursor. */
import { attentionRows, goToAttention } from './attention.ts'
import { freshDetail, type State } from '../../state/state.ts'
import { cursorRow, visibleRows, type ListRow } from './tables-list.ts'

/** The state with the cursor on an existing row, and the detail pane showing it. */
export function keepRowCursor(before: State, after: State): State {
  return follow(keepAttentionCursor(before, onRow(before, after)))
}

function onRow(before: State, after: State): State {
  const { cursorKey, wanted } = after.tables
  const rows = visibleRows(after)
  const to = (key: string | null): State => {
    const same = key === cursorKey && (key === null || wanted === null)
    return same
      ? after
      : { ...after, tables: { ...after.tables, cursorKey: key, wanted: key === null ? wanted : null } }
  }
  if (cursorKey !== null && rows.some(({ key }) => key === cursorKey)) return to(cursorKey)
  // An empty list may get rows again when a filter is removed, or when a lake was read.
  if (rows.length === 0) return after
  if (cursorKey !== null) return to(nextTo(cursorKey, visibleRows(before), rows).key)
  if (wanted !== null && rows.some(({ key }) => key === wanted)) return to(wanted)
  if (wanted !== null && isComing(after)) return after
  // Prefer the first table over a store row; wait until the tables are read.
  const first = rows.find(({ kind }) => kind !== 'store') ?? (after.slots.tables.value === null ? undefined : rows[0])
  return to(first?.key ?? null)
}

/** Nearest remaining row after the row `key`; if there is none, the nearest remaining row before it. */
function nextTo(key: string, before: readonly ListRow[], now: readonly ListRow[]): ListRow {
  const there = new Map(now.map((row) => [row.key, row]))
  const at = before.findIndex((row) => row.key === key)
  const near = [...before.slice(at + 1), ...before.slice(0, Math.max(0, at)).toReversed()]
  const found = near.find((row) => there.has(row.key))
  const row = (found === undefined ? undefined : there.get(found.key)) ?? now[0]
  if (row === undefined) throw new Error('a list without rows has no nearest one')
  return row
}

/** True if more rows are being read. */
function isComing({ slots, databases, stores }: State): boolean {
  return (
    (slots.tables.value === null && slots.tables.error === null) ||
    databases.some(({ state }) => state === 'reading') ||
    stores.some(({ state }) => state === 'reading')
  )
}

/** Keeps the cursor on a row of the list of tables that need attention. */
function keepAttentionCursor(before: State, after: State): State {
  if (after.focus !== 'needs') return after
  const rows = attentionRows(after)
  if (rows.length === 0) return { ...after, focus: 'list' }
  if (rows.some(({ key }) => key === after.tables.cursorKey)) return after
  const was = attentionRows(before).findIndex(({ key }) => key === before.tables.cursorKey)
  return goToAttention(after, Math.max(0, Math.min(was, rows.length - 1)))
}

/** The detail pane follows the list's cursor. If its table is gone, the focus returns to the list. */
function follow(state: State): State {
  const row = cursorRow(state)
  const key = row?.kind === 'delta' ? row.key : null
  const { detail } = state
  if (key === detail.key) return key === null && state.focus === 'detail' ? { ...state, focus: 'list' } : state
  const isOther = state.focus === 'detail' && (key === null || detail.key !== null)
  return { ...state, focus: isOther ? 'list' : state.focus, detail: freshDetail(key, detail) }
}
