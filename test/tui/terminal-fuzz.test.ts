/**
 * 100,000 random byte strings on every screen where keys start, steer, stop or quit: bytes that are no key must not do
 * so. The strings are the same in each run.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { InputGrammar, type InputToken } from '../../src/shared/terminal/input-grammar.ts'
import { keysOfText } from '../../src/shared/terminal/key-press.ts'
import { TuiSession } from '../../src/tui/session/session.ts'
import type { Action } from '../../src/tui/state/action.ts'
import { reducer } from '../../src/tui/state/reducer.ts'
import { initialState, type State } from '../../src/tui/state/state.ts'
import type { Store } from '../../src/tui/state/store.ts'
import { fakeWorkbench, NOW, type Fake } from './fake-workbench.mjs'
import * as copies from './support/copy-events.ts'

const STRINGS = 100_000
const PLACES = {
  tables: false,
  help: false,
  filter: true,
  palette: true,
  ask: true,
  'rows of ask': false,
  rollback: true,
  plan: false,
  copy: false,
  abort: false,
  quit: false,
}
type Name = keyof typeof PLACES
const NAMES = Object.keys(PLACES) as Name[]
const EACH = Math.ceil(STRINGS / 2 / NAMES.length)
const E = '\u001b'

/** A store that can be reset. */
class ResettableStore implements Store<State, Action> {
  state = initialState({
    columns: 120,
    rows: 40,
    ascii: false,
    lake: './lake',
    catalog: 'sqlite:///lake.db',
    now: NOW,
    forms: [],
  })
  readonly #listeners = new Set<() => void>()
  readonly get = (): State => this.state
  readonly dispatch = (action: Action): void => {
    this.state = reducer(this.state, action)
    for (const listener of this.#listeners) listener()
  }
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

const store = new ResettableStore()
let fake: Fake
let session: TuiSession
let left = 0
const places = new Map<Name, State>()
function placeOf(name: Name): State {
  const state = places.get(name)
  if (state === undefined) throw new Error(`no place ${name}`)
  return state
}

beforeAll(async () => {
  fake = fakeWorkbench({ hold: true })
  session = new TuiSession(fake, store, { now: () => NOW, ticks: () => NOW }, {
    copy: () => undefined,
    suspend: () => (left += 1),
    leave: () => (left += 1),
    onEvent: () => undefined,
    lifecycle: null,
    commands: null,
    restMs: 0,
  }) // prettier-ignore
  await turns()
  const keep = (name: Name): void => void places.set(name, store.state)
  const from = store.state
  const at = async (name: Name, ...keys: readonly string[]): Promise<void> => {
    store.state = from
    for (const key of keys) {
      for (const press of key.length > 1 && /[ a-z]{2}/.test(key) ? [{ name: key, typed: '' }] : keysOfText(key)) session.press(press) // prettier-ignore
      await turns()
    }
    keep(name)
  }
  await at('tables')
  await at('help', '?')
  await at('filter', '/')
  await at('palette', ':', 'v', 'a', 'l')
  await at('ask', '5')
  await at('rows of ask', '5', 'shift-tab')
  await at('rollback', 'r', ...Array.from('crm/accounts'), 'tab')
  await at('plan', 'i')
  store.state = from
  session.queue.add([{ operation: copies.COPY, commandLine: copies.COMMAND }])
  const run = fake.runsStarted.at(-1)
  run?.emit({ type: 'run.started', command: 'copy', tool: '0.1.0' })
  run?.emit(copies.planned([copies.planLine(copies.TABLE, copies.ROWS)]))
  run?.emit(copies.begun())
  run?.emit(copies.started(1, 1))
  await turns()
  keep('copy')
  const copying = store.state
  session.press({ name: 'X', typed: 'X' })
  session.press({ name: 'tab', typed: '' })
  keep('abort')
  store.state = { ...copying, screen: 'tables' }
  session.press({ name: 'q', typed: 'q' })
  keep('quit')
})
afterAll(() => session.leave())

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Mulberry32: the same numbers for the same seed. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below)
  }
}

const next = random(41)
const one = <T>(of: readonly T[]): T => of[next(of.length)] as T
const many = (most: number, make: () => string): string => Array.from({ length: next(most + 1) }, make).join('')
const number = (): string => String(next(300))
const KEYS = ['q', 'x', 'X', 'i', '\r', '\u0003', '<', '>', 'p', 'y', 'j', ' ', 'é', '日', ':', '5', '\t', '\u0012']
/** A report, a reply or a paste, as bytes; none of it is a key. */
const REPORTS: readonly (() => string)[] = [
  () => `${E}[<${number()};${number()};${number()}${one(['M', 'm'])}`,
  () => `${E}[${number()};${number()};${number()}M`,
  () => `${E}[M${String.fromCharCode(32 + next(94), 33 + next(93), 33 + next(93))}`,
  () => `${E}[${one(['I', 'O'])}`,
  () => `${E}[?${number()};${number()}${one(['c', 'n', '$y', 'R', 'u', 'S'])}`,
  () => `${E}[>${number()};${number()}c`,
  () => `${E}[${2 + next(90)};${number()}R`,
  () => `${one([`${E}]`, '\u009d'])}${number()};${many(9, () => one(KEYS.filter((key) => key >= ' ')))}${one(['\u0007', `${E}\\`, '\u009c'])}`, // prettier-ignore
  () => `${one([`${E}P`, `${E}_`, `${E}^`, `${E}X`, '\u0090', '\u009f'])}${many(9, () => one(KEYS))}${one([`${E}\\`, '\u009c'])}`, // prettier-ignore
  () => `${E}[200~${many(12, () => one([...KEYS, `${E}[A`, E]))}${E}[201~`,
  () => `\u009b200~${many(12, () => one(KEYS))}${E}[201~`,
]
/** An incomplete sequence, with another one or nothing after it. */
const BROKEN = (): string => one(REPORTS)().slice(0, 2 + next(6))
const reports = (): string =>
  many(4, () => one(REPORTS)()) + one(REPORTS)() + (next(4) === 0 ? one(['', `${E}[`, `${E}]1;`, `${E}[1;`]) : '')
/** Any bytes. */
const noise = (): Buffer => {
  const pieces = Array.from({ length: 2 + next(6) }, () =>
    one([
      () => Buffer.from(one(KEYS)),
      () => Buffer.from([next(256)]),
      () => Buffer.from([next(256), next(256), next(256)]),
      () => Buffer.from(BROKEN()),
      () => Buffer.from(one(REPORTS)(), 'latin1'),
      () => Buffer.from(E),
    ])(),
  )
  return Buffer.concat(pieces)
}

const calls = (): string =>
  JSON.stringify([left, fake.runsStarted.map((run) => run.calls), fake.answers.length, fake.written.length])

/** The state that a key could change, without the note in the last row. */
const shown = ({ flash: _, ...state }: State): unknown[] => Object.values(state)

describe.each(NAMES)('%s', (name) => {
  it('is not changed by bytes that are no key, except for the text of a field', () => {
    const before = calls()
    const place = placeOf(name)
    for (let i = 0; i < EACH; i += 1) {
      store.state = place
      const bytes = Buffer.from(reports(), next(2) === 0 ? 'utf8' : 'latin1')
      inPieces(bytes)
      const { state } = store
      const isSame = shown(state).every((value, at) => value === shown(place)[at])
      const isOpen = state.screen === place.screen && state.dialog?.kind === place.dialog?.kind
      const isField = isOpen && (state.prompt === null) === (place.prompt === null) && state.runs === place.runs
      if (PLACES[name] ? !isField : !isSame) expect.fail(`${JSON.stringify(bytes.toString('latin1'))} changed it`)
    }
    expect(calls()).toBe(before)
  })

  it('starts, steers, stops and quits nothing if several bytes are read at once', () => {
    const before = calls()
    const place = placeOf(name)
    for (let i = 0; i < EACH; i += 1) {
      store.state = place
      const bytes = noise()
      const grammar = new InputGrammar()
      const tokens = [...grammar.push(bytes), ...grammar.end()]
      if (isKey(tokens)) continue
      session.read(tokens)
      const { runs, interrupted, hasRunEnded: over } = store.state
      const isSame = runs === place.runs && interrupted === place.interrupted && over === place.hasRunEnded
      if (!isSame || calls() !== before) expect.fail(`${JSON.stringify(bytes.toString('latin1'))} did something`)
    }
  })
})

function inPieces(bytes: Buffer): void {
  const grammar = new InputGrammar()
  for (let at = 0, to = 0; at < bytes.length; at = to) {
    to = at + 1 + next(next(3) === 0 ? 3 : bytes.length)
    const tokens = grammar.push(bytes.subarray(at, to))
    if (tokens.length > 0) session.read(tokens)
  }
  session.read(grammar.end())
}

const isKey = (tokens: readonly InputToken[]): boolean => {
  if (tokens.every(({ kind }) => kind === 'esc')) return true
  const [first, ...more] = tokens.filter(({ kind }) => kind !== 'swallowed')
  if (first === undefined || more.length > 0) return false
  return first.kind === 'key' || (first.kind === 'text' && /^(?:\u0003+|\P{M}\p{M}*)$/u.test(first.text))
}

it('on every screen a key has an effect', () => {
  const kinds = Array.from(places, ([name, state]) => [name, state.dialog?.kind ?? state.prompt?.kind ?? state.screen])
  expect(Object.fromEntries(kinds)).toEqual({
    tables: 'tables',
    help: 'help',
    filter: 'filter',
    palette: 'palette',
    ask: 'ask',
    'rows of ask': 'ask',
    rollback: 'rollback',
    plan: 'plan',
    copy: 'runs',
    abort: 'abort',
    quit: 'quit',
  })
  // The name is typed and the button is selected; only enter is missing.
  store.state = placeOf('rollback')
  expect(store.state.dialog).toMatchObject({ state: 'safe', focus: 'go', field: { text: 'crm/accounts' } })
  session.read([{ kind: 'text', text: '\r' }])
  expect(store.state.dialog).toBeNull()
  store.state = placeOf('copy')
  session.read([{ kind: 'text', text: 'x' }])
  expect(fake.runsStarted.at(-1)?.calls).toEqual(['stop'])
})
