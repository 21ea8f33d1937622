/** Tab completion of an option's text, and candidates from the state of the screen. */
import type { CompletionCandidate, FormOption } from '../../app/command-port.ts'
import { commonStart } from '../../shared/common-start.ts'
import { runRows } from '../state/selectors.ts'
import { isRunOf, runMeaning, listedRunId } from '../screens/runs/run-rows.ts'
import type { State } from '../state/state.ts'
import { typedText, typedWord, type Form } from './form.ts'
import { listWord } from './words.ts'

const MOST = 100

/** Candidates from the screen: open databases, tables of lake and catalog, runs. @param typed prefix of candidates */
export function stateCandidates(option: FormOption, typed: string, state: State): readonly CompletionCandidate[] {
  const all = known(option, state).filter(({ word }) => word.startsWith(typed))
  return all.slice(0, MOST)
}

function known({ completes, name, runsOf }: FormOption, state: State): readonly CompletionCandidate[] {
  const rows = (state.slots.tables.value ?? []).filter(({ kind }) => kind === 'delta')
  switch (completes) {
    case 'database':
      return [
        ...(state.catalog === null ? [] : [{ word: state.catalog, meaning: 'the catalog' }]),
        ...(name === 'database-url' ? [] : state.databases.map(({ url }) => ({ word: url, meaning: 'open' }))),
      ]
    case 'delta table':
      return state.lake === null
        ? rows.flatMap(({ tableId, name: meaning }) => (tableId === null ? [] : [{ word: tableId, meaning }]))
        : rows.map(({ location }) => ({ word: location, meaning: '' }))
    case 'catalog table':
      return rows.flatMap(({ tableId, name: meaning }) => (tableId === null ? [] : [{ word: tableId, meaning }]))
    case 'path':
      return state.lake === null ? [] : [{ word: state.lake, meaning: 'the lake' }]
    case 'run':
      return runRows(state).flatMap((row) => {
        const run = runsOf === undefined || isRunOf(row, runsOf) ? listedRunId(row) : null
        return run === null ? [] : [{ word: run, meaning: runMeaning(row) }]
      })
    default:
      return []
  }
}

/**
 * The text after tab: first the common prefix of all candidates, then each candidate in turn.
 * @returns null if there is no completion
 */
export function completedText(
  form: Form,
  option: FormOption,
): { readonly text: string; readonly chosen: number | null } | null {
  const { candidates, chosen } = form
  const [first] = candidates
  if (first === undefined) return null
  const text = typedText(form, option.name)
  const typed = typedWord(option, text)
  if (candidates.length === 1 && first.word === typed) return null
  const put = (word: string, was: string): string =>
    option.type === 'list' ? text.slice(0, text.length - was.length) + listWord(word) : word
  if (chosen !== null) {
    const next = (chosen + 1) % candidates.length
    const was = option.type === 'list' ? listWord(candidates[chosen]?.word ?? '') : text
    return { text: put(candidates[next]?.word ?? '', was), chosen: next }
  }
  const shared = commonStart(candidates.map(({ word }) => word))
  if (candidates.length === 1 || shared.length > typed.length) {
    const whole = candidates.length === 1
    return { text: whole ? put(shared, typed) : text.slice(0, text.length - typed.length) + shared, chosen: null }
  }
  return { text: put(first.word, typed), chosen: 0 }
}
