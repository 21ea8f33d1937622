/**
 * A key acts on the row that is drawn as selected: cursors stay on their rows when rows appear, vanish or are sorted.
 */
import { afterEach, expect, it } from 'vitest'
import type { TableRow } from '../../src/model/lake/answers.ts'
import type { MachineRun } from '../../src/app/workbench.ts'
import type { RelationEvent } from '../../src/model/run/event.ts'
import { valuesFrom } from '../../src/tui/form/context.ts'
import type { Action } from '../../src/tui/state/action.ts'
import { reducer } from '../../src/tui/state/reducer.ts'
import { rememberedOf, withRemembered } from '../../src/tui/state/remembered.ts'
import { shownResult } from '../../src/tui/screens/run/result-shown.ts'
import { openRun, runRows, selectedVersion } from '../../src/tui/state/selectors.ts'
import { initialState, type State } from '../../src/tui/state/state.ts'
import { cursorRow, targetRows } from '../../src/tui/screens/tables/tables-list.ts'
import { drawScreen } from '../../src/tui/views/screen.ts'
import { commandForms } from '../../src/cli/ui/forms.ts'
import { fakeWorkbench, NOW } from './fake-workbench.mjs'
import type { App } from './support/app.ts'
import { openApp } from './support/app.ts'

const URL = 'postgresql://app@db/shop'
const relation = (table: string): RelationEvent =>
  ({ type: 'relation', table, key: [], rows: '1', bytes: '1', columns: [], partitions: 0 }) as unknown as RelationEvent

const fresh = (lake: string | null = './lake'): State =>
  initialState({ columns: 120, rows: 40, ascii: false, lake, catalog: 'sqlite:///c.db', now: NOW })

const play = (state: State, ...actions: readonly Action[]): State => actions.reduce(reducer, state)
const tables = (value: readonly TableRow[]): Action => ({
  type: 'loaded',
  slot: 'tables',
  key: 'k',
  identity: 'tables',
  value,
  now: NOW,
})
const press = (command: Extract<Action, { type: 'command' }>['command']): Action => ({ type: 'command', command })

/** The text of the row that is drawn with the cursor mark. */
function drawn(state: State): string | null {
  const lines = drawScreen(state).map((line) => line.map(({ text }) => text).join(''))
  const found = lines.find((line) => /^ ?›/.test(line))
  return found === undefined ? null : (/› +(\S+)/.exec(found)?.[1] ?? null)
}

const opened: Action = { type: 'database-opened', url: URL, title: URL, parent: null }
const arrived: Action = { type: 'relations', url: URL, relations: ['customers', 'orders'].map(relation) }
const ended: Action = { type: 'database-read', url: URL, error: null }

let apps: App[] = []
afterEach(async () => {
  for (const app of apps) await app.quit()
  apps = []
})

it('selects no row while the remembered one may still appear, and keys act on no other row', async () => {
  const lake = await fakeWorkbench().tables()
  const key = `${URL} orders`
  let state = withRemembered(fresh(), { row: key, stores: [{ name: 'b', url: './b' }] }, undefined)
  state = play(state, opened, tables(lake))
  expect(drawn(state)).toBeNull()
  expect(cursorRow(state)).toBeNull()
  expect(targetRows(state)).toEqual([])
  const archive = commandForms().find(({ words }) => words.join(' ') === 'archive plan')
  expect([...valuesFrom(archive!, state, new Map())].filter(([name]) => name === 'table')).toEqual([])
  // A program that is left in this state keeps the remembered row.
  expect(rememberedOf(state).row).toBe(key)
  const there = play(state, arrived)
  expect(drawn(there)).toBe('orders')
  expect(cursorRow(there)?.key).toBe(key)
  // A cursor that the user has moved stays.
  const moved = play(state, press('cursor.down'), press('cursor.down'), arrived, ended)
  expect(drawn(moved)).toBe(cursorRow(moved)?.name)
  expect(cursorRow(moved)?.key).not.toBe(key)
  // If the remembered row cannot appear any more, the first table is selected.
  const gone = play(state, { ...arrived, relations: [relation('customers')] }, ended)
  expect(drawn(gone)).toBe('crm/accounts')
})

it('moves to the next row if its row vanishes, and does not jump back when that returns', async () => {
  const lake = await fakeWorkbench().tables()
  const all = play(fresh(), tables(lake), press('cursor.down'), press('cursor.down'))
  expect(cursorRow(all)?.name).toBe('events/clicks')
  const without = play(all, tables(lake.filter(({ name }) => name !== 'events/clicks')))
  expect(cursorRow(without)?.name).toBe('events/errors')
  expect(drawn(without)).toBe('events/errors')
  expect(cursorRow(play(without, tables(lake)))?.name).toBe('events/errors')
  // An opened detail is closed: the next table is another one.
  const inside = play(all, press('open'))
  expect(inside.focus).toBe('detail')
  expect(play(inside, tables(lake.filter(({ name }) => name !== 'events/clicks'))).focus).toBe('list')
})

it('a row that a filter hides does not get the cursor when the row changes', async () => {
  const lake = await fakeWorkbench().tables()
  const filtered = play(
    fresh(),
    tables(lake),
    press('filter'),
    { type: 'typed', field: { text: 'current', cursor: 7 } } as unknown as Action,
    press('cursor.down'),
  )
  const name = cursorRow(filtered)?.name
  const now = play(filtered, {
    type: 'rows',
    rows: lake.map((row) => (row.name === 'events/clicks' ? { ...row, catalog: { state: 'current' } } : row)),
    now: NOW,
  })
  expect(cursorRow(now)?.name).toBe(name)
})

it('acts on the drawn row in the list of tables that need attention', async () => {
  const lake = await fakeWorkbench().tables()
  let state = play(fresh(), tables(lake), press('needs'), press('cursor.last'))
  const last = cursorRow(state)?.name
  // Another program has repaired it.
  state = play(
    state,
    tables(lake.map((row) => (row.name === last ? { ...row, error: null, catalog: { state: 'current' } } : row))),
  )
  expect(state.focus).toBe('needs')
  expect(cursorRow(state)?.name).not.toBe(last)
  const lines = drawScreen(state).map((line) => line.map(({ text }) => text).join(''))
  expect(lines.some((line) => line.includes('›') && line.includes(cursorRow(state)?.name ?? '?'))).toBe(true)
  // The same if its store is folded.
  const folded = play(
    withRemembered(fresh(), { stores: [{ name: 'b', url: './b' }] }, undefined),
    tables(lake),
    { type: 'own-folded', folded: true },
    press('needs'),
  )
  expect(folded.ownFolded).toBe(false)
  expect(cursorRow(folded)?.name).toBe('legacy/broken')
})

it('stays on its run, whatever is added to the list', () => {
  const machine = (run: string, begunAt: number): MachineRun =>
    ({ run, begunAt, kind: 'copy', commandLine: '', about: '', state: 'ended', end: null }) as unknown as MachineRun
  const old = [machine('1', NOW - 3000), machine('2', NOW - 2000), machine('3', NOW - 1000)]
  let state = play(fresh(), { type: 'machine-runs', runs: old, now: NOW }, press('screen.runs'), press('cursor.down'))
  const chosen = (): string => JSON.stringify(runRows(state)[state.runs.at.cursor]?.run)
  const was = chosen()
  expect(was).toContain('"2"')
  const past = { run: '9', command: 'import', table: 't', startedAt: new Date(NOW).toISOString(), status: 'completed' }
  state = play(state, { type: 'loaded', slot: 'runs', key: 'k', identity: 'runs', value: [past], now: NOW } as never)
  expect(chosen()).toBe(was)
  state = play(state, {
    type: 'run-added',
    id: 1,
    operation: { kind: 'migration-status', catalog: 'c' },
    commandLine: '',
    now: NOW + 1,
    show: false,
  })
  expect(chosen()).toBe(was)
  // The run stays visible when a hundred are added above it.
  const many = Array.from({ length: 100 }, (_, i) => machine(`m${i}`, NOW + 10 + i))
  state = play(state, { type: 'machine-runs', runs: [...old, ...many], now: NOW })
  expect(chosen()).toBe(was)
  const lines = drawScreen(state).map((line) => line.map(({ text }) => text).join(''))
  expect(lines.filter((line) => line.includes('›'))).toHaveLength(1)
  // If the run vanishes, the cursor is on another run.
  state = play(state, { type: 'machine-runs', runs: [], now: NOW })
  expect(runRows(state)[state.runs.at.cursor]).toBeDefined()
})

it('enter opens the result that is drawn as selected, also while more are added', () => {
  const result = (table: string) => ({
    type: 'table.finished',
    table,
    status: 'ok',
    rows: '1',
    ms: 1,
  })
  let state = play(fresh(), {
    type: 'run-added',
    id: 1,
    operation: { kind: 'batch-import', tables: [], lake: './lake', catalog: 'sqlite:///c.db' },
    commandLine: '',
    now: NOW,
    show: true,
  } as unknown as Action)
  const more = (...names: string[]): void => {
    state = play(state, {
      type: 'events',
      id: 1,
      now: NOW,
      events: names.map((name, seq) => ({ v: 1, seq, ts: new Date(NOW).toISOString(), runId: '1', ...result(name) })),
    } as unknown as Action)
  }
  const shown = (): string | undefined => shownResult(state, openRun(state)!)?.table
  const chosen = (): string | undefined =>
    drawScreen(state)
      .map((line) => line.map(({ text }) => text).join(''))
      .find((line) => line.startsWith('›'))
  more('a1', 'b2', 'c3')
  expect(shown()).toBe('c3')
  expect(chosen()).toContain('c3')
  state = play(state, press('cursor.up'))
  expect(shown()).toBe('b2')
  expect(chosen()).toContain('b2')
  more(...Array.from({ length: 400 }, (_, i) => `more${i}`))
  if (openRun(state)!.results.some(({ table }) => table === 'b2')) expect(shown()).toBe('b2')
  expect(chosen()).toContain(shown())
})

it('stays on its commit when newer ones are added', () => {
  let state = play(fresh(), tables([]), { type: 'dialog', dialog: null })
  const row = {
    key: 'k',
    name: 't',
    location: 'k',
    kind: 'delta',
    version: 3,
    catalog: { state: 'current' },
    proof: { state: 'never' },
    error: null,
    features: [],
    partitionColumns: [],
  }
  state = play(state, tables([row as unknown as TableRow]), press('open'), press('tab.next'), press('tab.next'))
  const history = (newest: number): Action =>
    ({
      type: 'loaded',
      slot: 'history',
      key: `${newest}`,
      identity: 'k',
      now: NOW,
      value: {
        from: 0,
        total: newest + 1,
        rows: Array.from({ length: newest + 1 }, (_, i) => ({ version: String(newest - i) })),
      },
    }) as unknown as Action
  state = play(state, history(5), press('cursor.down'), press('cursor.down'))
  expect(state.detail.tab).toBe('history')
  expect(selectedVersion(state)).toBe(3)
  expect(selectedVersion(play(state, history(9)))).toBe(3)
})

it('keeps the tables of the opened database under their heading in the tree, and offers the database on the Ask screen', async () => {
  const app = openApp({
    columns: 120,
    rows: 40,
    fake: fakeWorkbench({ database: URL }),
  })
  apps.push(app)
  // The same if the Ask screen is shown before the tables are read.
  await app.press(['5'], 'statement')
  await app.press(['\u000F'], (screen) => screen.includes(`database · ${URL}`))
  await app.press(['esc'], (screen) => !screen.includes('enter takes it'))
  await app.press(['esc', '1'], 'CATALOG')
  await app.press(['a', './second', 'enter'], '▾ ./second')
  await app.until(/postgres…p@db\/shop +ROWS/)
})

it('does not reopen on the Ask screen, where the first key would be typed text', async () => {
  expect(rememberedOf(play(fresh(), press('screen.ask'))).screen).toBe('tables')
  expect(rememberedOf(play(fresh(), press('screen.log'))).screen).toBe('log')
  // An earlier version has stored the Ask screen.
  const memory = { read: () => ({ screen: 'ask' }), write: () => undefined }
  const app = openApp({ columns: 120, rows: 40, fake: fakeWorkbench(), memory })
  apps.push(app)
  await app.until('[1 Tables]')
})
