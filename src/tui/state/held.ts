/**
 * Keeps every cursor on its row when rows are added, removed or sorted. Needed for lists that keep their cursor by
 * index; the list of tables keeps it by name.
 */
import type { Page } from '../../model/lake/answers.ts'
import { paletteEntries, type PaletteEntry } from '../dialogs/palette.ts'
import { historyFound, placesFound } from '../screens/ask/ask-places.ts'
import { placeKey, type AskBox } from '../screens/ask/state.ts'
import { archivePartitions } from '../screens/run/archiving/archive-shown.ts'
import { detailContent, runsHeight, tabRows } from './geometry.ts'
import { scrollTop, settlePosition } from './position.ts'
import { comparison, slotIdentity, knownValue, logRows, openRun, runResults } from './selectors.ts'
import { runRows, sameRun } from '../screens/runs/run-rows.ts'
import { TABS, type ListPosition, type State, type Tab } from './state.ts'

/** Identity of a row in a list: a text, or the row object itself if it is never recreated. */
type Name = string | object

type Rows<T> = Pick<Page<T>, 'rows' | 'from'>

/** New index of the row under the cursor; null if it is not among the loaded rows. */
function indexNow<T>(cursor: number, was: Rows<T>, now: Rows<T>, nameOf: (row: T) => Name): number | null {
  const row = was.rows[cursor - was.from]
  if (row === undefined) return null
  const name = nameOf(row)
  const same = now.rows[cursor - now.from]
  if (same !== undefined && nameOf(same) === name) return cursor
  const found = now.rows.findIndex((one) => nameOf(one) === name)
  return found < 0 ? null : now.from + found
}

const whole = <T>(rows: readonly T[]): Rows<T> => ({ rows, from: 0 })

/** Position with the cursor moved to the row's new index. */
function placed(at: ListPosition, cursor: number | null, total: number, height: number): ListPosition {
  if (cursor === null || cursor === at.cursor) return at
  return { cursor, top: scrollTop(at.top, cursor, total, height) }
}

function heldRun(before: State, after: State): State {
  const { at } = after.runs
  const isAsBefore =
    before.runs.views === after.runs.views &&
    before.runs.machine === after.runs.machine &&
    before.runs.ledgers === after.runs.ledgers &&
    before.queue?.runs === after.queue?.runs &&
    before.slots.runs === after.slots.runs
  if (at !== before.runs.at || isAsBefore) return after
  // Without a chosen run the cursor returns to the newest one.
  if (at.cursor === 0 && (before.screen !== 'runs' || before.runs.open !== null)) return after
  const rows = runRows(after)
  const height = runsHeight(after)
  const was = runRows(before)[at.cursor]
  const next = settlePosition(
    placed(at, was === undefined ? null : sameRun(rows, was), rows.length, height),
    rows.length,
    height,
  )
  return next === at || rows.length === 0 ? after : { ...after, runs: { ...after.runs, at: next } }
}

/** Cursor 0 follows the newest; otherwise it is the index plus one. */
function heldResult(before: State, after: State): State {
  const { results } = after.runs
  if (results !== before.runs.results || results.cursor === 0 || before.runs.views === after.runs.views) return after
  const [was, now] = [openRun(before), openRun(after)]
  if (was === null || now === null || was.id !== now.id || now.copy !== null) return after
  const index =
    now.archiving === null
      ? indexNow<object>(
          results.cursor - 1,
          whole(runResults(before, was)),
          whole(runResults(after, now)),
          (one) => one,
        )
      : indexNow(
          results.cursor - 1,
          whole(archivePartitions(before, was)),
          whole(archivePartitions(after, now)),
          ({ name }) => name,
        )
  if (index === null || index + 1 === results.cursor) return after
  const top = Math.max(0, results.top + index + 1 - results.cursor)
  return { ...after, runs: { ...after.runs, results: { cursor: index + 1, top } } }
}

function heldQuestion(before: State, after: State): State {
  const { at } = after.compare
  if (at !== before.compare.at || before.runs.views === after.runs.views) return after
  const now = comparison(after)?.questions ?? []
  const index = indexNow(at.cursor, whole(comparison(before)?.questions ?? []), whole(now), (one) => one.question)
  const cursor = Math.max(0, Math.min(index ?? at.cursor, now.length - 1))
  return cursor === at.cursor ? after : { ...after, compare: { ...after.compare, at: { ...at, cursor } } }
}

function heldLine(before: State, after: State): State {
  const { at, follow } = after.log
  if (follow || at !== before.log.at || before.log === after.log) return after
  const cursor = indexNow<object>(at.cursor, whole(logRows(before)), whole(logRows(after)), (one) => one)
  if (cursor === null || cursor === at.cursor) return after
  const top = Math.max(0, at.top + cursor - at.cursor)
  return { ...after, log: { ...after.log, at: { cursor, top } } }
}

/** Loaded rows of a tab, and their identities. */
function tabPage(state: State, tab: Tab): { readonly page: Page<unknown>; readonly names: readonly string[] } | null {
  const all = <T>(page: Page<T> | null, nameOf: (row: T) => string): ReturnType<typeof tabPage> =>
    page === null ? null : { page, names: page.rows.map(nameOf) }
  const listed = <T>(rows: readonly T[] | null): Page<T> | null =>
    rows === null ? null : { rows, total: rows.length, from: 0 }
  switch (tab) {
    case 'overview':
      return null
    case 'schema':
      return all(listed(knownValue(state, 'schema', slotIdentity(state, 'schema'))), ({ path }) => path)
    case 'features':
      return all(
        listed(knownValue(state, 'features', slotIdentity(state, 'features'))),
        ({ name, side }) => `${side} ${name}`,
      )
    case 'history':
      return all(knownValue(state, 'history', slotIdentity(state, 'history')), ({ version }) => version)
    case 'partitions':
      return all(knownValue(state, 'partitions', slotIdentity(state, 'partitions')), ({ values }) =>
        JSON.stringify(values),
      )
    case 'files':
      return all(knownValue(state, 'files', slotIdentity(state, 'files')), (file) =>
        JSON.stringify([file.path, file.deletionVector]),
      )
  }
}

function heldTab(before: State, after: State): State {
  const { tab } = after.detail
  const slot = TABS.find((one) => one === tab && one !== 'overview')
  if (slot === undefined || slot === 'overview' || before.slots[slot] === after.slots[slot]) return after
  const at = after.detail.at[tab]
  // Without a chosen row the cursor stays on the newest one.
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

const entryName = (entry: PaletteEntry): string =>
  'form' in entry ? `form ${entry.form.words.join(' ')}` : `${entry.binding.command} ${entry.row?.key ?? ''}`

function heldEntry(before: State, after: State): State {
  const [was, now] = [before.dialog, after.dialog]
  if (was?.kind !== 'palette' || was !== now) return after
  const cursor = indexNow(was.cursor, whole(paletteEntries(before)), whole(paletteEntries(after)), entryName)
  return cursor === null || cursor === was.cursor ? after : { ...after, dialog: { ...was, cursor } }
}

function heldBox(before: State, after: State): State {
  const { box } = after.ask
  if (box === null || box !== before.ask.box || box.kind === 'offers' || before === after) return after
  const names = (state: State, { kind, field }: Exclude<AskBox, { kind: 'offers' }>): Rows<string> =>
    whole(
      kind === 'places'
        ? placesFound(state, field.text).map(placeKey)
        : historyFound(state.ask.history, field.text).map(({ sql }) => sql),
    )
  const isAsBefore = before.databases === after.databases && before.ask.history === after.ask.history
  if (isAsBefore) return after
  const cursor = indexNow(box.cursor, names(before, box), names(after, box), (name) => name)
  return cursor === null || cursor === box.cursor ? after : { ...after, ask: { ...after.ask, box: { ...box, cursor } } }
}

const LISTS = [heldRun, heldResult, heldQuestion, heldLine, heldTab, heldEntry, heldBox] as const

/** The state with each cursor kept on its row, except cursors that the change itself moved. */
export function held(before: State, after: State): State {
  return LISTS.reduce((state, list) => list(before, state), after)
}
