/** Tables that need attention: broken, different, stopped or behind; the worst first, each with its repair command. */
import type { TableRow } from '../../../model/lake/answers.ts'
import { amount } from '../../../render/screen-format.ts'
import type { ListedStore } from './listed-store.ts'
import type { State } from '../../state/state.ts'
import { ALL_CATALOG_TABLES, type Sync } from './sync-shown.ts'
import { lakeTables, storeState } from './stores.ts'

/** The repair command, and a description of what it does. */
export type RepairCommand = {
  readonly command: 'import' | 'validate' | 'reload' | 'sync.toggle' | 'sync.all'
  readonly what: string
}

export type AttentionRow = {
  /** Key of the row in the list. */
  readonly key: string
  readonly name: string
  /** Rank in the list: the smallest is listed first. */
  readonly order: number
  readonly mark: 'bad' | 'refused' | 'unfinished' | 'behind'
  readonly what: string
  /** Text at the end of the line, if there is space. */
  readonly foot: string
  /** Reason and possible actions, one line each. */
  readonly why: readonly string[]
  /** Null if no command helps. */
  readonly repair: RepairCommand | null
}

/** True if the table is refused, as opposed to unreadable. */
export function isRefused(row: TableRow): boolean {
  return row.error?.code === 'TABLE_FEATURE' || row.error?.code === 'PROTOCOL_VERSION'
}

const IMPORT: RepairCommand = { command: 'import', what: 'imports it: its plan is shown first' }

type Reported = Omit<AttentionRow, 'key' | 'name'>

const whole = (error: NonNullable<TableRow['error']>): readonly string[] => [
  `${error.code}: ${error.message}`,
  ...(error.reason === undefined ? [] : [error.reason]),
  ...(error.where === undefined ? [] : [`at ${error.where}`]),
  ...(error.hint === undefined ? [] : [`do: ${error.hint}`]),
]

function reported(row: TableRow): Reported | null {
  const { error, proof, catalog } = row
  if (error !== null) {
    const why = whole(error)
    if (isRefused(row)) return { order: 5, mark: 'refused', what: error.message, foot: '', why, repair: null }
    const repair: RepairCommand = { command: 'reload', what: 'reads it again after the repair' }
    return { order: 0, mark: 'bad', what: error.message, foot: 'enter: what to do', why, repair }
  }
  if (proof.state === 'differs') {
    const what = `${amount(proof.differences, 'difference')} from the log at v${proof.version}`
    const why = [what, 'the catalog differs from the log; a validation names each difference']
    const repair: RepairCommand = { command: 'validate', what: 'validates it again: it only reads' }
    return { order: 1, mark: 'bad', what, foot: 'v checks again', why, repair }
  }
  switch (catalog.state) {
    case 'failed': {
      const why = whole(catalog.error)
      return { order: 2, mark: 'bad', what: catalog.error.message, foot: 'i tries again', why, repair: IMPORT }
    }
    case 'truncated': {
      const { ends, version } = catalog
      const what = `its log ends at v${ends}, the catalog is at v${version}`
      const lost = version === ends + 1 ? `commit ${version} is` : `commits ${ends + 1} to ${version} are`
      const why = [
        what,
        `${lost} gone from the end of the log: deleted, or the table was restored from a backup`,
        'the catalog still has the imported versions, and an import does not mix two histories',
        'do: restore the commits; if the log is right, roll the table back and import it again',
      ]
      const repair: RepairCommand = { command: 'reload', what: 'reads it again after the repair' }
      return { order: 1, mark: 'bad', what, foot: 'enter: what to do', why, repair }
    }
    case 'unfinished': {
      const at = catalog.version === null ? `${catalog.percent} %` : `v${catalog.version}`
      const why = [`its import was stopped at ${at}; the imported versions are kept`]
      const what = `stopped at ${at}, i resumes it`
      return { order: 3, mark: 'unfinished', what, foot: '', why, repair: IMPORT }
    }
    case 'behind': {
      const behind = amount(catalog.commits, 'commit')
      const why = [`its log is ${behind} ahead of the catalog: the newest is v${row.version}`]
      return { order: 4, mark: 'behind', what: `${behind} behind, i brings them`, foot: '', why, repair: IMPORT }
    }
    default:
      return null
  }
}

function reportedOf(store: ListedStore, { databases }: State): AttentionRow | null {
  const database = databases.find(({ parent }) => parent === store.key) ?? null
  const { failure } = storeState(store, database)
  if (failure === null) return null
  return {
    key: store.key,
    name: store.name,
    order: 0,
    mark: 'bad',
    what: failure.reason ?? failure.message,
    foot: 'R reads again',
    why: whole(failure),
    repair: { command: 'reload', what: 'asks it again' },
  }
}

function reportedOfSync({ key, state: now, error }: Sync, state: State): AttentionRow | null {
  if (now !== 'failed') return null
  const isAll = key === ALL_CATALOG_TABLES
  const row = lakeTables(state).find((one) => (isAll ? one.kind === 'delta' : one.key === key))
  if (row === undefined) return null
  return {
    key: row.key,
    name: isAll ? 'all tables' : row.name,
    order: 1,
    mark: 'bad',
    what: `sync --watch ended: ${error?.message ?? 'it failed'}`,
    foot: isAll ? 'W begins it again' : 'w begins it again',
    why: error === null ? ['sync --watch ended'] : whole(error),
    repair: { command: isAll ? 'sync.all' : 'sync.toggle', what: 'begins it again' },
  }
}

/** All tables, stores and syncs that need attention, regardless of the filter of the list. */
export function attentionRows(state: State): readonly AttentionRow[] {
  const tables = lakeTables(state).flatMap((row) => {
    const one = row.kind === 'delta' ? reported(row) : null
    return one === null ? [] : [{ key: row.key, name: row.name, ...one }]
  })
  const away = state.stores.flatMap((store) => {
    const one = reportedOf(store, state)
    return one === null ? [] : [one]
  })
  const ended = state.syncs.flatMap((sync) => {
    const one = reportedOfSync(sync, state)
    return one === null ? [] : [one]
  })
  return [...tables, ...away, ...ended].toSorted((a, b) => a.order - b.order)
}

/** Index of the entry whose row has the list's cursor; 0 if there is none. */
export function attentionIndex(state: State, rows: readonly AttentionRow[] = attentionRows(state)): number {
  return Math.max(
    0,
    rows.findIndex(({ key }) => key === state.tables.cursorKey),
  )
}

/** Moves the cursor to an entry, and removes filters and folds that hide its row. */
export function goToAttention(state: State, index: number): State {
  const row = attentionRows(state)[index]
  if (row === undefined) return state.focus === 'needs' ? { ...state, focus: 'list' } : state
  const isOwn = state.slots.tables.value?.some(({ key }) => key === row.key) === true
  const stores = state.stores.map((store) =>
    !store.open && store.tables.some(({ key }) => key === row.key) ? { ...store, open: true } : store,
  )
  return {
    ...state,
    focus: 'needs',
    ...(isOwn ? { ownFolded: false } : {}),
    ...(stores.some((store, i) => store !== state.stores[i]) ? { stores } : {}),
    tables: { ...state.tables, filter: '', cursorKey: row.key },
  }
}
