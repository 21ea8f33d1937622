/** Why a key of the open screen does nothing for the row under the cursor. */
import { activeRun, comparison } from '../state/selectors.ts'
import type { State } from '../state/state.ts'
import { openScreen } from '../screens/index.ts'
import { cursorRow } from '../screens/tables/tables-list.ts'
import { KEYMAP, type KeyCommand } from './bindings.ts'
import type { Binding } from './binding.ts'
import { workingBindings } from './lookup.ts'

type Reason = (state: State) => string

const notInCatalog: Reason = (s) =>
  cursorRow(s)?.kind === 'delta' ? 'the table is not in the catalog, i imports it' : 'the row is no Delta table'
const noImport: Reason = (s) =>
  cursorRow(s)?.kind !== 'delta' ? 'the row is no Delta table' : s.lake === null ? 'no lake is open' : 'open the list'
const noRelation: Reason = () => 'the row is not a table of a database'
const noRun = (otherwise: string): Reason => {
  return (s) => (activeRun(s) === undefined ? 'no run is active' : otherwise)
}
const noComparison: Reason = (s) =>
  (comparison(s)?.questions.length ?? 0) > 0 ? 'a run is active' : 'nothing is compared, c on a table does'

const REASONS: Readonly<Partial<Record<KeyCommand, Reason>>> = {
  import: noImport,
  plan: noImport,
  validate: notInCatalog,
  compare: notInCatalog,
  rollback: notInCatalog,
  'open.ring': () => 'only a table of Cassandra has one',
  'open.timeline': () => 'only a table that is partitioned by range has one',
  'open.lifecycle': noRelation,
  'copy.tables': noRelation,
  'run.pause': noRun('this run cannot be paused'),
  'run.more': noRun('the workers of this run are fixed'),
  'run.slower': noRun('only a copy has a rate'),
  'run.stop': noRun('it is being aborted'),
  'run.abort': noRun('it is being aborted'),
  'row.pause': noRun('the row has no work that can wait'),
  'row.retry': noRun('nothing of the row has failed'),
  'compare.again': noComparison,
  'compare.all': noComparison,
  'compare.bytes': noComparison,
  'compare.report': noComparison,
  'ask.run': () => 'a statement is running',
  'ask.explain': () => 'a statement is running',
  'ask.save': () => 'not all rows of an answer are here',
}

export type Unavailable = { readonly binding: Binding<KeyCommand>; readonly reason: string }

/** Keys of the screen that do nothing now. A key that does something else now is left out. */
export function unavailableBindings(state: State): readonly Unavailable[] {
  const { ownKeys } = openScreen(state)
  const taken = new Set(workingBindings(state).flatMap(({ keys }) => keys))
  return KEYMAP.flatMap((binding: Binding<KeyCommand>) => {
    const reason = REASONS[binding.command]
    if (reason === undefined || binding.group !== ownKeys || binding.when(state)) return []
    return binding.keys.some((key) => taken.has(key)) ? [] : [{ binding, reason: reason(state) }]
  })
}
