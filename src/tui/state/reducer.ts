/** The reducer: it makes all state changes, and keeps every cursor visible. */
import type { Operation } from '../../app/operations/list.ts'
import { msOf } from '../../render/screen-format.ts'
import { foldEvent, sample, withPhase } from '../run/fold.ts'
import { freshRun, type RunView } from '../run/run-view.ts'
import { withOutput } from '../run/output.ts'
import type { Action } from './action.ts'
import { SCREENS } from '../screens/index.ts'
import { keepPaletteCursor } from '../dialogs/palette.ts'
import { reduceCommand } from './reduce-command.ts'
import { reduceQueue } from '../screens/queue/reduce-queue.ts'
import { READING_LIFECYCLE } from '../screens/tables/lifecycle-shown.ts'
import { RING_READING } from '../screens/tables/ring-shown.ts'
import { READING_TIMELINE } from '../screens/tables/timeline-shown.ts'
import type { LogEntry } from '../../render/log-entry.ts'
import type { Database, DataName, LoadStates, State } from './state.ts'
import type { Dialog } from '../dialogs/state.ts'
import { KEPT_RUN_VIEWS, NO_SELECTION, START } from './state.ts'
import { freshStore, keyOfStore, OWN_STORE } from '../screens/tables/listed-store.ts'
import { sampled } from '../screens/tables/sync-shown.ts'
import { visibleRows } from '../screens/tables/tables-list.ts'
import { isRunShownOn } from '../run/run-screen.ts'

/** Maximum number of inputs that are kept per prompt. */
const KEPT_TEXTS = 50

/** Maximum number of log lines that are kept in memory. */
export const LOG_LINES = 2000

function withData(state: State, name: DataName, change: Partial<LoadStates[DataName]>): State {
  return { ...state, slots: { ...state.slots, [name]: { ...state.slots[name], ...change } } }
}

function withRun(state: State, id: number, change: (run: RunView) => RunView): State {
  const views = state.runs.views.map((run) => (run.id === id ? change(run) : run))
  return { ...state, runs: { ...state.runs, views } }
}

function withDatabase(state: State, url: string, change: Partial<Database>): State {
  const databases = state.databases.map((one) => (one.url === url ? { ...one, ...change } : one))
  return { ...state, databases }
}

/** Moves the cursor from a just opened database row to its first table. */
function ontoFirst(state: State, url: string): State {
  const parent = state.databases.find((one) => one.url === url)?.parent ?? null
  const first = visibleRows(state).find((row) => row.kind === 'relation' && row.url === url)
  const isStore = state.stores.some(({ key }) => key === parent)
  if (parent === null || isStore || first === undefined || state.tables.cursorKey !== parent) return state
  return { ...state, tables: { ...state.tables, cursorKey: first.key } }
}

/** Leaves the list of tables that need attention when the cursor moves elsewhere. */
const inTheList = (state: State): State => (state.focus === 'needs' ? { ...state, focus: 'list' } : state)

function withLog(state: State, entries: readonly LogEntry[]): State {
  if (entries.length === 0) return state
  // Keep only the newest entries. Copying 2000 references ten times a second costs little.
  const all = [...state.log.entries, ...entries].slice(-LOG_LINES)
  const dropped = state.log.entries.length + entries.length - all.length
  const at = { cursor: Math.max(0, state.log.at.cursor - dropped), top: Math.max(0, state.log.at.top - dropped) }
  return { ...state, log: { ...state.log, entries: all, at: state.log.filter === '' ? at : state.log.at } }
}

function withField(state: State, field: NonNullable<State['prompt']>['field']): State {
  if (state.prompt !== null) {
    const prompt = { ...state.prompt, field, error: null }
    // Filters apply while the user types. A where condition is a query, which runs only after `enter`.
    if (prompt.kind === 'filter') return { ...state, prompt, tables: { ...state.tables, filter: field.text } }
    if (prompt.kind === 'log-filter') return { ...state, prompt, log: { ...state.log, filter: field.text } }
    return { ...state, prompt }
  }
  const dialog = state.dialog
  if (dialog?.kind === 'palette') return { ...state, dialog: { ...dialog, field, cursor: 0 } }
  if (dialog?.kind === 'help') return { ...state, dialog: { ...dialog, field, top: 0 } }
  if (dialog?.kind === 'rollback' || dialog?.kind === 'start') return { ...state, dialog: { ...dialog, field } }
  return state
}

function loaded(state: State, action: Extract<Action, { type: 'loaded' }>): State {
  const { slot, key, identity, value, now } = action
  const next = withData(state, slot, { key, identity, value, error: null, loading: null } as Partial<
    LoadStates[DataName]
  >)
  return slot === 'tables' || slot === 'runs' ? { ...next, now } : next
}

/**
 * Events of another program's run are folded at their own times, so that a delayed viewer shows the same rates. Events
 * of this program's run are folded at `now`.
 */
function foldEvents(state: State, action: Extract<Action, { type: 'events' }>): State {
  const { id, events, now } = action
  const folded = withRun(state, id, (run) =>
    sample(
      events.reduce((r, e) => {
        if (r.joined === null) return foldEvent(r, e, now)
        const at = Math.min(msOf(e.ts) ?? now, now)
        return sample(foldEvent(r, e, at), at)
      }, run),
      now,
    ),
  )
  return { ...folded, now }
}

/** Adds a run of another program: its past events first, each at its own time. Replaces the view of an earlier join. */
function joinedIn(state: State, action: Extract<Action, { type: 'run-joined' }>): State {
  const { id, about, snapshot, now, show } = action
  const { operation, commandLine, folder = null, host, pid, startedAt, runId } = about
  const begun: RunView = {
    ...freshRun(id, operation, commandLine, msOf(startedAt) ?? now),
    joined: { host, pid, folder },
    runId,
  }
  const run = snapshot.reduce((folded, event) => {
    const at = msOf(event.ts) ?? now
    return sample(foldEvent(folded, event, at), at)
  }, begun)
  const isSame = (one: { readonly id: number; readonly runId: string | null; readonly joined: unknown }): boolean =>
    one.id === id || (one.joined !== null && one.runId === runId)
  const views = state.runs.views.some(isSame)
    ? state.runs.views.map((one) => (isSame(one) ? run : one))
    : [run, ...state.runs.views].slice(0, KEPT_RUN_VIEWS)
  const next = { ...state, now, runs: { ...state.runs, views } }
  return show ? opened(next, id) : next
}

/** Opens the screen of a run. */
function opened(state: State, id: number): State {
  return {
    ...state,
    screen: 'runs',
    runs: { ...state.runs, open: id, results: START, copy: NO_SELECTION },
  }
}

function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'command':
      return reduceCommand(state.flash === null ? state : { ...state, flash: null }, action.command)
    case 'resize':
      if (action.columns === state.size.columns && action.rows === state.size.rows) return state
      return { ...state, size: { columns: action.columns, rows: action.rows } }
    case 'loading':
      return withData(state, action.slot, { loading: action.key })
    case 'loaded':
      return loaded(state, action)
    case 'load-failed':
      return withData(state, action.slot, {
        key: action.key,
        identity: action.identity,
        value: state.slots[action.slot].identity === action.identity ? state.slots[action.slot].value : null,
        error: action.error,
        loading: null,
      } as Partial<LoadStates[DataName]>)
    case 'reload':
      return { ...state, generation: state.generation + 1, now: action.now }
    case 'rows': {
      const byKey = new Map(action.rows.map((row) => [row.key, row]))
      const value = state.slots.tables.value?.map((row) => byKey.get(row.key) ?? row) ?? null
      const stores = state.stores.map((store) => ({
        ...store,
        tables: store.tables.map((row) => byKey.get(row.key) ?? row),
      }))
      const syncs = sampled(state.syncs, action.rows, value ?? [])
      return {
        ...withData(state, 'tables', { value }),
        syncs,
        ...(stores.length === 0 ? {} : { stores }),
        now: action.now,
      }
    }
    case 'aged':
      return { ...state, now: action.now }
    case 'typed':
      return withField(state, action.field)
    case 'prompt-error':
      return state.prompt === null ? state : { ...state, prompt: { ...state.prompt, error: action.error } }
    case 'close-prompt':
      return { ...state, prompt: null }
    case 'accepted': {
      const { kind, text } = action
      const before = (state.accepted[kind] ?? []).filter((one) => one !== text)
      return { ...state, accepted: { ...state.accepted, [kind]: [text, ...before].slice(0, KEPT_TEXTS) } }
    }
    case 'where':
      return {
        ...state,
        prompt: null,
        detail: { ...state.detail, where: action.where, at: { ...state.detail.at, files: START } },
      }
    case 'as-of':
      return {
        ...state,
        prompt: null,
        detail: { ...state.detail, asOf: action.asOf, at: { ...state.detail.at, files: START, partitions: START } },
      }
    case 'dialog':
      return { ...state, dialog: action.dialog satisfies Dialog | null }
    case 'flash':
      return { ...state, flash: action.flash }
    case 'run-queued':
      return {
        ...state,
        // Clear the marks: the next command would use them again.
        ...(OF_MARKS.has(action.operation.kind) ? { tables: { ...state.tables, marks: new Set(), anchor: null } } : {}),
        runs: {
          ...state.runs,
          queue: [...state.runs.queue, { operation: action.operation, commandLine: action.commandLine }],
        },
      }
    case 'queue':
      return { ...state, runs: { ...state.runs, queue: action.take === 0 ? [] : state.runs.queue.slice(action.take) } }
    case 'run-added': {
      const run = freshRun(action.id, action.operation, action.commandLine, action.now)
      const compare = isRunShownOn(action.operation, 'compare')
      const screen = action.show ? (compare ? 'compare' : 'runs') : state.screen
      const runs = {
        ...state.runs,
        views: [...state.runs.views, run].slice(-KEPT_RUN_VIEWS),
        results: START,
        copy: NO_SELECTION,
      }
      return { ...state, now: action.now, screen, runs: action.show && !compare ? { ...runs, open: action.id } : runs }
    }
    case 'run-joined':
      return joinedIn(state, action)
    case 'machine-runs':
      return { ...state, now: action.now, runs: { ...state.runs, machine: action.runs } }
    case 'ledger-runs': {
      const others = state.runs.ledgers.filter(({ url }) => url !== action.url)
      const ledgers = [...others, { url: action.url, runs: action.runs }]
      return { ...state, runs: { ...state.runs, ledgers } }
    }
    case 'queue-seen':
    case 'queue-away':
    case 'queue-ordered':
    case 'queue-noted':
    case 'queue-schedules':
    case 'queue-workers':
      return reduceQueue(state, action)
    case 'run-shown':
      return opened(state, action.id)
    case 'run-phase':
      return withRun(state, action.id, (run) => (run.phase === 'done' ? run : withPhase(run, action.phase, state.now)))
    case 'run-workers':
      return withRun(state, action.id, (run) => ({ ...run, wantedWorkers: action.workers }))
    case 'run-rate':
      return withRun(state, action.id, (run) => ({ ...run, wantedRate: action.rate }))
    case 'run-ended':
      return {
        ...withRun({ ...state, flash: null }, action.id, (run) => ({
          ...run,
          phase: 'done',
          workers: [],
          endedAt: run.endedAt ?? action.now,
        })),
        now: action.now,
      }
    case 'events':
      return foldEvents(state, action)
    case 'output':
      return withLog(
        withRun(state, action.id, (run) => withOutput(run, action.lines)),
        action.entries,
      )
    case 'tick':
      return {
        ...state,
        now: action.now,
        runs: { ...state.runs, views: state.runs.views.map((r) => (r.phase === 'done' ? r : sample(r, action.now))) },
      }
    case 'database-opened': {
      const { url, title, parent } = action
      const others = state.databases.filter((database) => database.url !== url)
      // While the database is read again, its old tables stay visible.
      const relations = state.databases.find((database) => database.url === url)?.relations ?? []
      const database = { url, title, parent, state: 'reading', relations, error: null } as const
      return { ...state, databases: [...others, database] }
    }
    case 'database-closed':
      return { ...state, databases: state.databases.filter(({ url }) => url !== action.url) }
    case 'sync-begun': {
      const { key, lag } = action
      const others = state.syncs.filter((one) => one.key !== key)
      return { ...state, syncs: [...others, { key, state: 'running', error: null, trouble: null, lags: [lag] }] }
    }
    case 'sync': {
      const syncs = state.syncs.map((one) => (one.key === action.key ? { ...one, ...action.change } : one))
      return { ...state, syncs }
    }
    case 'sync-ended':
      return { ...state, syncs: state.syncs.filter(({ key }) => key !== action.key) }
    case 'own-folded':
      return { ...inTheList(state), ownFolded: action.folded, tables: { ...state.tables, cursorKey: OWN_STORE } }
    case 'cursor':
      return { ...inTheList(state), tables: { ...state.tables, cursorKey: action.key } }
    case 'store-added': {
      const { store, kind } = action
      const key = keyOfStore(store.url)
      const known = state.stores.some((one) => one.key === key)
      const stores = known ? state.stores : [...state.stores, { ...freshStore(store, true), kind }]
      return { ...state, focus: 'list', stores, tables: { ...state.tables, cursorKey: key } }
    }
    case 'store': {
      const stores = state.stores.map((one) => (one.key === action.key ? { ...one, ...action.change } : one))
      return { ...state, stores }
    }
    case 'relations':
      return withDatabase(state, action.url, { relations: action.relations })
    case 'database-read':
      return ontoFirst(
        withDatabase(state, action.url, { state: action.error === null ? 'ready' : 'failed', error: action.error }),
        action.url,
      )
    case 'lifecycle-reading': {
      const shown = { ...(state.lifecycles.get(action.key) ?? READING_LIFECYCLE), reading: true }
      return { ...state, lifecycles: new Map(state.lifecycles).set(action.key, shown) }
    }
    case 'lifecycle-read':
      return { ...state, lifecycles: new Map(state.lifecycles).set(action.key, action.shown) }
    case 'timeline-reading': {
      const shown = state.timelines.get(action.key) ?? READING_TIMELINE
      return { ...state, timelines: new Map(state.timelines).set(action.key, shown) }
    }
    case 'timeline-read':
      return { ...state, timelines: new Map(state.timelines).set(action.key, action.shown) }
    case 'ring-reading':
      return { ...state, rings: new Map(state.rings).set(action.key, state.rings.get(action.key) ?? RING_READING) }
    case 'ring-read':
      return { ...state, rings: new Map(state.rings).set(action.key, action.shown) }
    case 'ask':
      return { ...state, ask: action.ask }
    case 'log':
      return withLog(state, action.entries)
    case 'over':
      return { ...state, hasRunEnded: true }
    case 'interrupted':
      return { ...state, interrupted: true }
  }
}

/** Operations that act on marked rows. */
const OF_MARKS: ReadonlySet<Operation['kind']> = new Set([
  'import',
  'batch-import',
  'validate',
  'performance-compare',
  'fsck',
  'copy',
])

/** Functions that keep each cursor on its row. */
const CURSOR_KEEPERS = [...Object.values(SCREENS).map(({ keepCursor }) => keepCursor), keepPaletteCursor]

/** The next state. */
export function reducer(state: State, action: Action): State {
  const next = reduce(state, action)
  if (Object.is(next, state)) return state
  return CURSOR_KEEPERS.reduce((after, settle) => settle(state, after), next)
}
