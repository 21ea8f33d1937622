/** Initial values of a form, taken from the screen from which the user opens the form. */
import type { CommandForm, FormOption } from '../../app/command-port.ts'
import { tableArgument } from '../session/operations.ts'
import { runRows } from '../state/selectors.ts'
import { isRunOf, listedRunId } from '../screens/runs/run-rows.ts'
import type { State } from '../state/state.ts'
import { cursorRow, targetRows } from '../screens/tables/tables-list.ts'
import { listWord } from './words.ts'

/** Initial values by option name. Typed values replace values of the screen. */
export function valuesFrom(
  of: CommandForm,
  state: State,
  typed: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  // Leave out tables of the screen if --from names another database.
  const from = typed.get('from')
  const isElsewhere = from !== undefined && from !== databaseOf(state)
  const values = of.takes.flatMap((option) => {
    const value = isElsewhere && option.completes === 'table' ? '' : valueFrom(option, state)
    return value === '' ? [] : [[option.name, value] as const]
  })
  return new Map([...values, ...typed])
}

function valueFrom(option: FormOption, state: State): string {
  const { name, operand, needed } = option
  if (name === 'database-url') return state.catalog ?? ''
  // The screen also lists tables in subfolders of the lake.
  if (name === 'recursive') return state.lake === null ? '' : 'yes'
  const isAsked = needed || operand === true
  switch (option.completes) {
    case 'database':
      return name === 'from' ? (databaseOf(state) ?? '') : ''
    case 'table':
      return name === 'table' || operand === true ? tablesOf(option, state) : ''
    case 'delta table':
    case 'catalog table':
      return isAsked ? deltaOf(option, state) : ''
    case 'path':
      return isAsked ? (state.lake ?? '') : ''
    case 'run':
      return isAsked ? (runOf(option, state) ?? '') : ''
    default:
      return ''
  }
}

/** The database whose table is under the cursor, or the only one that is open. */
function databaseOf(state: State): string | null {
  const row = state.screen === 'tables' ? cursorRow(state) : null
  if (row?.kind === 'relation') return row.url
  return state.databases.length === 1 ? (state.databases[0]?.url ?? null) : null
}

function tablesOf({ type }: FormOption, state: State): string {
  if (state.screen !== 'tables') return ''
  const url = databaseOf(state)
  const names = targetRows(state).flatMap((row) => (row.kind === 'relation' && row.url === url ? [row.name] : []))
  return type === 'list' ? names.map(listWord).join(' ') : (names[0] ?? '')
}

function deltaOf({ type }: FormOption, state: State): string {
  if (state.screen !== 'tables') return ''
  const names = targetRows(state).flatMap((row) => (row.kind === 'delta' ? [tableArgument(row, state)] : []))
  return type === 'list' ? names.map(listWord).join(' ') : (names[0] ?? '')
}

function runOf({ runsOf }: FormOption, state: State): string | null {
  if (state.screen !== 'runs') return null
  const row = runRows(state)[state.runs.at.cursor]
  // Leave the option empty for a shared run: only the queue knows its id.
  if (row?.kind === 'shared') return null
  return row === undefined || (runsOf !== undefined && !isRunOf(row, runsOf)) ? null : listedRunId(row)
}
