/** Questions about the state that several views, reducers and conditions ask. */
import type { Slot, SlotName, SlotValues, State } from './state.ts'
import type { QuestionEvent } from '../../model/run/event.ts'
import type { RunView } from '../run/run-view.ts'
import { isRunning } from '../run/run-view.ts'
import { matches } from './tables-list.ts'
import { isShownAs } from '../run/run-screen.ts'

/** The run of this program that works now. */
export function activeRun(state: State): RunView | undefined {
  const last = state.runs.views.findLast(({ joined }) => joined === null)
  return isRunning(last) ? last : undefined
}

/** The run of another program whose screen is open while it works. */
export function joinedRun(state: State): RunView | undefined {
  const open = state.screen === 'runs' ? openRun(state) : null
  return open !== null && open.joined !== null && isRunning(open) ? open : undefined
}

/** The run that keys steer: the one that is looked at, or that of this program. */
export function steeredRun(state: State): RunView | undefined {
  // There the keys are for the run of the queue that is open, if any.
  if (state.screen === 'queue') return undefined
  return joinedRun(state) ?? activeRun(state)
}

/** The run whose screen is open, or null. */
export function openRun(state: State): RunView | null {
  if (state.runs.open === null) return null
  return state.runs.views.find((run) => run.id === state.runs.open) ?? null
}

/** Value of a slot when it answers for `identity`, however old it is. */
export function known<K extends SlotName>(state: State, name: K, identity: string): SlotValues[K] | null {
  const slot = state.slots[name] as Slot<SlotValues[K]>
  return slot.identity === identity ? slot.value : null
}

/** Why there is no answer for `identity`, or null. */
export function failure(state: State, name: SlotName, identity: string): string | null {
  const slot = state.slots[name]
  return slot.identity === identity ? slot.error : null
}

/** What a tab of the detail pane asks for; changing any of it is another question. */
export function identityOf(state: State, name: SlotName): string {
  const d = state.detail
  const asOf = `v${d.asOf.version ?? ''}t${d.asOf.timestampMs ?? ''}`
  switch (name) {
    case 'tables':
    case 'runs':
      return name
    case 'overview':
    case 'schema':
    case 'features':
    case 'history':
      return d.key ?? ''
    case 'commit':
      return `${d.key ?? ''}|${selectedVersion(state) ?? ''}`
    case 'partitions':
    case 'largest':
      return `${d.key ?? ''}|${asOf}`
    case 'files':
      return `${d.key ?? ''}|${asOf}|${d.fileSort}${d.fileDescending ? '-' : '+'}|${d.where}`
  }
}

/** The version under the cursor of the History tab, or null while it is not read. */
export function selectedVersion(state: State): number | null {
  const page = known(state, 'history', state.detail.key ?? '')
  const row = page?.rows[state.detail.at.history.cursor - page.from]
  return row === undefined ? null : Number(row.version)
}

export { runRows, type RunRow } from './run-rows.ts'

/** Lines of the log that the filter leaves. */
export function logRows(state: State): State['log']['entries'] {
  const { entries, filter, errorsOnly } = state.log
  if (filter === '' && !errorsOnly) return entries
  return entries.filter((e) => (!errorsOnly || e.level === 'error' || e.level === 'warn') && matches(filter, e.text))
}

export type Comparison = { readonly run: RunView; readonly table: string; readonly questions: readonly QuestionEvent[] }

/** What the Compare screen shows: the answers for the table asked last, each question with its newest answer. */
export function comparison(state: State): Comparison | null {
  const runs = state.runs.views.filter((run) => isShownAs(run.operation, 'compare'))
  const run = runs.at(-1)
  if (run === undefined) return null
  const table = tableOf(run)
  const questions = new Map<string, QuestionEvent>()
  for (const one of runs) {
    if (tableOf(one) !== table) continue
    for (const question of one.questions) questions.set(question.question, question)
  }
  return { run, table, questions: [...questions.values()] }
}

const tableOf = (run: RunView): string => (isShownAs(run.operation, 'compare') ? run.operation.table : '')

/** Results of a run as its screen lists them: with `e` only what went wrong. */
export function runResults(state: State, run: RunView): RunView['results'] {
  return state.runs.errorsOnly ? run.results.filter((r) => r.error !== undefined || r.status === 'failed') : run.results
}

/** Codes of errors that mean: the catalog's server does not answer. */
export const CONNECTION = /^(?:CONNECT_FAILED|CONNECTION_LOST)\b/

/** Whether the last look for the tables found no catalog to ask: what is shown may be old. */
export function isCatalogAway({ slots }: State): boolean {
  if (slots.tables.value?.some(({ catalog }) => catalog.state === 'away') === true) return true
  return CONNECTION.test(slots.tables.error ?? '') || CONNECTION.test(slots.runs.error ?? '')
}
