/** Saves all rows of an answer to a file whose path is typed in a prompt. */
import type { Answering, SaveFormat } from '../../../app/ask/port.ts'
import type { Workbench } from '../../../app/workbench.ts'
import { asSluiceError } from '../../../shared/errors.ts'
import { visible } from '../../../shared/visible.ts'
import { bytes as bytesText, amount } from '../../../render/screen-format.ts'
import type { Action } from '../../state/action.ts'
import { commonBeginning } from './ask-complete.ts'
import type { State } from '../../state/state.ts'
import type { Store } from '../../state/store.ts'
import { field } from '../../state/text-field.ts'
import { wholeError } from '../../session/reach.ts'

const ENDS: readonly (readonly [RegExp, SaveFormat])[] = [
  [/\.csv$/i, 'csv'],
  [/\.(?:jsonl|ndjson|json)$/i, 'jsonl'],
  [/\.parquet$/i, 'parquet'],
]

export class AskSaving {
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  readonly #flash: (text: string, tone?: 'plain' | 'ok' | 'bad') => void
  #isSaving = false
  /** Path of an existing file, which a second `enter` overwrites; null if there is none. */
  #overwrites: string | null = null

  constructor(
    workbench: Workbench,
    store: Store<State, Action>,
    flash: (text: string, tone?: 'plain' | 'ok' | 'bad') => void,
  ) {
    this.#workbench = workbench
    this.#store = store
    this.#flash = flash
  }

  /** Saves to the typed path. @param answering the answer to save */
  async save(answering: Answering, typed: string): Promise<void> {
    const format = ENDS.find(([end]) => end.test(typed))?.[1]
    if (this.#isSaving) return
    if (format === undefined) return this.#wrong('end the path in .csv, .jsonl or .parquet')
    this.#isSaving = true
    this.#store.dispatch({ type: 'prompt-error', error: 'writing …' })
    try {
      const saved = await answering.save({ path: typed, format, overwrite: this.#overwrites === typed })
      if (saved.kind === 'exists') {
        this.#overwrites = typed
        return this.#wrong('the file exists: enter again overwrites it')
      }
      this.#overwrites = null
      const texts = saved.asText.length === 0 ? '' : `; as texts: ${saved.asText.join(', ')}`
      const names = saved.renamed.length === 0 ? '' : `; renamed: ${saved.renamed.join(', ')}`
      const text = `saved: ${typed} holds ${amount(saved.rows, 'row')}, ${bytesText(saved.bytes)}${visible(texts + names)}`
      if (this.#store.get().prompt?.kind === 'ask-save') this.#store.dispatch({ type: 'close-prompt' })
      this.#store.dispatch({
        type: 'ask',
        ask: { ...this.#store.get().ask, saved: `saved ${amount(saved.rows, 'row')}` },
      })
      this.#flash(text, 'ok')
    } catch (thrown) {
      this.#wrong(wholeError(asSluiceError(thrown)))
    } finally {
      this.#isSaving = false
    }
  }

  /** Completes the path in the prompt. */
  async complete(): Promise<void> {
    const typed = this.#store.get().prompt?.field.text ?? ''
    const paths = await this.#workbench.asking.paths(typed)
    const common = commonBeginning(paths)
    if (this.#store.get().prompt?.field.text !== typed) return
    if (common.length > typed.length) this.#store.dispatch({ type: 'typed', field: field(common) })
    else if (paths.length > 1) {
      const slash = typed.lastIndexOf('/') + 1
      this.#wrong(paths.map((path) => visible(path.slice(slash))).join('  '))
    }
  }

  #wrong(error: string): void {
    if (this.#store.get().prompt?.kind === 'ask-save') this.#store.dispatch({ type: 'prompt-error', error })
    else this.#flash(error, 'bad')
  }
}
