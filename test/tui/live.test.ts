/** Ages are updated by themselves, and a screen without changed text writes nothing. */
import { afterEach, expect, test, vi } from 'vitest'
import { AGES_MS, Live } from '../../src/tui/screens/tables/load-commits.ts'
import type { Action } from '../../src/tui/state/action.ts'
import { reducer } from '../../src/tui/state/reducer.ts'
import { initialState, type State } from '../../src/tui/state/state.ts'
import { createStore } from '../../src/tui/state/store.ts'
import { drawScreen } from '../../src/tui/views/screen.ts'
import { fakeWorkbench, NOW } from './fake-workbench.mjs'

afterEach(() => void vi.useRealTimers())

test('ages are updated once a minute, and unchanged rows are not', async () => {
  vi.useFakeTimers()
  const fake = fakeWorkbench()
  const clock = { now: NOW }
  const at = { columns: 200, rows: 50, ascii: false, lake: './lake', catalog: 'c', now: NOW }
  const store = createStore<State, Action>(reducer, initialState(at))
  store.dispatch({
    type: 'loaded',
    slot: 'tables',
    key: '',
    identity: 'tables',
    value: await fake.tables(),
    now: NOW,
  })
  const live = new Live(fake, store, { now: () => clock.now, ticks: () => 0 }, () => undefined)
  const lines = (): string[] => drawScreen(store.get()).map((line) => line.map(({ text }) => text).join(''))
  const before = lines()
  expect(before.join('\n')).toMatch(/events\/clicks .* 2 min/)
  await vi.advanceTimersByTimeAsync(AGES_MS - 1)
  expect(lines()).toEqual(before)
  clock.now += AGES_MS
  await vi.advanceTimersByTimeAsync(1)
  const after = lines()
  expect(after.join('\n')).toMatch(/events\/clicks .* 3 min/)
  // Ages in hours and days do not change.
  const contacts = (all: readonly string[]): string | undefined => all.find((line) => line.includes('crm/contacts'))
  expect(contacts(after)).toBe(contacts(before))
  live.close()
})
